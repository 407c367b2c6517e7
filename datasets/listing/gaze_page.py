"""A page of pictures that shows whether gaze was read correctly: `zoo gaze-report`."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.placing import VideoShape
from zoo.datasets.gaze.reading import read_fixations, video_shape
from zoo.datasets.listing.check_gaze import GazeLook, gaze_line, look_at_gaze
from zoo.datasets.record import Record
from zoo.datasets.video.reading import Video, VideoError, open_video
from zoo.files.atomic import atomic_path, write_text
from zoo.files.interface import advised

WIDTH = 280  # pixels of a frame on the page
DOT = 4
PANEL = (110, 1140)  # height and width of the plot of one coordinate over time
MARGIN = 44
MOST_VIEWERS = 12  # number of different colours
GREY, INK = (200, 200, 200), (60, 60, 60)
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1200px;padding:0 1em;color:#222}
h2{margin:2em 0 .3em;font-size:1.15em}img{max-width:100%;display:block;margin:.4em 0}
.ok{color:#176b2c}.bad{color:#a3161a;font-weight:600}.note{color:#555}
table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top}
"""


def write_gaze_page(
    records: Sequence[Record],
    folder: str | os.PathLike,
    *,
    sample: int | None = 20,
    frames: int = 8,
    overwrite: bool = False,
) -> list[GazeLook]:
    """Write `index.html`, `gaze.json` and pictures of videos with their gaze.

    Args:
        records: Records; those without gaze are skipped.
        folder: A new folder.
        sample: Number of videos, evenly spread over the records; None takes all.
        frames: Number of frames shown of each video, evenly spread over it.
        overwrite: Replace an earlier page.

    Returns:
        The result of checking each video's gaze.

    Raises:
        ValueError: No record has gaze, or `sample` or `frames` is below 1.
        FileExistsError: The folder already holds a page and `overwrite` is false.

    Example: `write_gaze_page(zoo.datasets.your_own.load("videos.csv"), "gaze_report")`
    """
    watched = [record for record in records if record.gaze is not None]
    if not watched:
        raise ValueError(
            f"At least one video must have gaze. Received: {len(records)} videos without gaze"
        )
    if frames < 1 or (sample is not None and sample < 1):
        raise ValueError(
            f"`frames` and `sample` must be at least 1. Received: frames={frames}, sample={sample}"
        )
    folder = Path(folder)
    if (folder / "index.html").exists() and not overwrite:
        option = advised("`overwrite=True`", "--overwrite")
        raise FileExistsError(f"The page already exists; {option} replaces it: {folder}")
    if sample is not None and sample < len(watched):
        watched = [watched[at * len(watched) // sample] for at in range(sample)]
    looks, parts = [], []
    for number, record in enumerate(watched):
        look, pictures = _look(record, frames)
        looks.append(look)
        names = []
        for kind, picture in pictures.items():
            names.append(f"{number:03d}_{kind}.png")
            _write_picture(folder / names[-1], picture)
        parts.append(_section(number, record, look, names))
    held = [{**asdict(look), "text": look.text} for look in looks]
    write_text(folder / "gaze.json", json.dumps(held, indent=1))
    write_text(folder / "index.html", _page(looks, parts))
    return looks


def _look(record: Record, frames: int) -> tuple[GazeLook, dict[str, np.ndarray]]:
    try:
        video = open_video(record.video, folder_fps=record.fps)
        shape = video_shape(video)
        whole = replace(record, start=None, end=None)
        fixations = read_fixations(whole, shape=shape, warn=False)
    except (VideoError, ValueError, OSError) as error:
        return GazeLook(record.name, None, (str(error),)), {}
    look = look_at_gaze(record, video, fixations)
    pictures = {"frames": _strip(video, shape, fixations, frames)}
    pictures["time"] = _time_course(fixations)
    return look, pictures


def _strip(video: Video, shape: VideoShape, fixations: Fixations, frames: int) -> np.ndarray:
    """Evenly spread frames with a dot for each gaze sample."""
    count = min(frames, shape.num_frames)
    chosen = ((np.arange(count) + 0.5) * shape.num_frames / count).astype(int)
    height = max(1, round(WIDTH * shape.height / (shape.width * shape.pixel_aspect)))
    pictures = video.read(chosen, (height, WIDTH))[..., ::-1]
    tiles = []
    for at, picture in zip(chosen, pictures):
        tile = np.ascontiguousarray(picture)
        of = fixations.in_frames(int(at), int(at) + 1)
        for x, y, viewer in zip(of.x, of.y, of.viewer):
            place = (round(x * WIDTH), round(y * height))
            cv2.circle(tile, place, DOT + 1, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(tile, place, DOT, _colour(int(viewer)), -1, cv2.LINE_AA)
        tile = cv2.copyMakeBorder(tile, 2, 20, 2, 2, cv2.BORDER_CONSTANT, value=(255,) * 3)
        caption = f"frame {at}: {len(of)} sample{'' if len(of) == 1 else 's'}"
        cv2.putText(tile, caption, (4, height + 16), 0, 0.42, INK, 1, cv2.LINE_AA)
        tiles.append(tile)
    columns = min(4, len(tiles))
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _time_course(fixations: Fixations) -> np.ndarray:
    """Plots of x and y over the frames, with a point for each viewer's median in each frame."""
    once = fixations.one_per_viewer()
    panels = []
    for name, values in (("x", once.x), ("y", once.y)):
        height, width = PANEL
        panel = np.full((height + 12, width, 3), 255, np.uint8)
        wide = width - MARGIN - 4
        for share in (0.0, 0.5, 1.0):
            level = 6 + round(share * height)
            cv2.line(panel, (MARGIN, level), (width - 4, level), GREY, 1)
            cv2.putText(panel, f"{share:g}", (18, level + 4), 0, 0.36, INK, 1, cv2.LINE_AA)
        cv2.putText(panel, name, (2, height // 2 + 10), 0, 0.5, INK, 1, cv2.LINE_AA)
        column = MARGIN + ((once.frame + 0.5) / fixations.num_frames * wide).astype(int)
        row = 6 + np.round(values * height).astype(int)
        for place in range(len(row)):
            colour = _colour(int(once.viewer[place]))
            cv2.circle(panel, (int(column[place]), int(row[place])), 2, colour, -1, cv2.LINE_AA)
        panels.append(panel)
    return np.vstack(panels)


def _colour(viewer: int) -> tuple[int, int, int]:
    """Colour of a viewer's dots as blue, green, red; bright red if the viewer is unknown."""
    if viewer < 0:
        return 40, 40, 230
    hue = np.uint8([[[(viewer % MOST_VIEWERS) * 180 // MOST_VIEWERS, 225, 215]]])
    return tuple(int(part) for part in cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0])


def _write_picture(path: Path, picture: np.ndarray) -> None:
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise OSError(f"A picture could not be encoded: {path}")
    with atomic_path(path) as part:
        part.write_bytes(data.tobytes())


def _section(number: int, record: Record, look: GazeLook, pictures: Sequence[str]) -> str:
    verdict = (
        f"<p class='bad'>{html.escape(look.text)}</p>"
        if look.doubts
        else "<p class='ok'>plausible</p>"
    )
    lines = [f"<h2 id='v{number}'>{html.escape(record.name)}</h2>", verdict]
    lines += [f"<img src='{name}' alt=''>" for name in pictures]
    if look.facts is not None:
        lines.append(_facts(look))
    return "\n".join(lines)


def _facts(look: GazeLook) -> str:
    facts = look.facts
    shares = {
        "outside the frame": facts.outside,
        "before or after the video": facts.off_time,
        "lost": facts.lost,
        "in the fullest frame": facts.one_frame,
        "frames without gaze": facts.empty,
        "steps longer than a tenth": facts.jumps,
    }
    parts = [f"{facts.used} of {facts.samples} samples used", f"{facts.viewers} viewers"]
    parts += [f"{what} {100 * share:.1f}%" for what, share in shares.items()]
    if facts.agreement is not None:
        parts.append(f"correlation with the other viewers {facts.agreement:.2f}")
    parts += [f"{count} {why}" for why, count in (look.issues or {}).items()]
    parts += list(look.notes)
    return f"<p class='note'>{html.escape('; '.join(parts))}</p>"


def _page(looks: Sequence[GazeLook], parts: Sequence[str]) -> str:
    rows = "\n".join(
        f"<tr><td><a href='#v{number}'>{html.escape(look.name)}</a></td>"
        + (
            f"<td class='bad'>{html.escape(look.text)}</td></tr>"
            if look.doubts
            else "<td class='ok'>plausible</td></tr>"
        )
        for number, look in enumerate(looks)
    )
    return "\n".join(
        [
            "<!doctype html><html lang='en'><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width'>",
            f"<title>Gaze</title><style>{STYLE}</style>",
            f"<h1>Gaze</h1><p>{html.escape(gaze_line(looks))}</p><table>{rows}</table>",
            "<p class='note'>For each video, above: frames with a dot for each sample, coloured by "
            "viewer. Below: x and y over the frames, as each viewer's median in each frame; 0 is "
            "the left or upper edge, 1 the right or lower edge. Correctly read gaze lies on what "
            "people look at, and viewers agree. Gaze that is upside down, late or of another "
            "screen does not.</p>",
            *parts,
        ]
    )
