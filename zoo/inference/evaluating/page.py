"""The pages of an evaluation: one table for all videos, and a page for each video."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.files.atomic import write_text
from zoo.inference.evaluating.evaluation import (
    MEANINGS,
    METRICS,
    Evaluation,
    format_value,
    safe_name,
)
from zoo.visualize.pages import asset, page
from zoo.visualize.viewer import PAGE


@dataclass(frozen=True)
class Picture:
    """A picture on a page: its bytes (jpeg or png) and its alternative text."""

    data: bytes
    text: str


def write_pages(
    folder: Path, evaluation: Evaluation, pictures: Mapping[str, Sequence[Picture]] | None = None
) -> None:
    """Write `index.html` and `videos/NAME.html` for each video; all pages work offline.

    Args:
        folder: The evaluation's folder.
        evaluation: The results.
        pictures: Pictures by video name, shown on the video's page and on the index page.
    """
    pictures = pictures or {}
    (folder / "videos").mkdir(exist_ok=True)
    for video in evaluation.videos:
        _write(
            folder / "videos" / f"{safe_name(video['name'])}.html",
            video["name"],
            _video_page(
                video,
                pictures.get(video["name"], ()),
                (folder / "videos" / safe_name(video["name"]) / PAGE).exists(),
            ),
        )
    _write(folder / "index.html", "Evaluation", _first_page(evaluation, pictures))


def metric_table(
    rows: Mapping[str, Mapping[str, float]],
    columns: Sequence[str],
    *,
    best: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    caption: str = "",
    first: str = "method",
) -> str:
    """HTML of a sortable table with a row per name and a column per metric.

    Args:
        rows: Values by row name and metric.
        columns: The metrics.
        best: The row to mark as best, by metric.
        links: Link target by row name.
        caption: Caption of the table.
        first: Heading of the first column.
    """
    best, links = best or {}, links or {}
    head = "".join(
        f'<th scope="col" title="{html.escape(MEANINGS[name])}">{METRICS[name][0]} '
        f"{'&uarr;' if METRICS[name][1] else '&darr;'}</th>"
        for name in columns
    )
    body = []
    for row, values in rows.items():
        name = html.escape(row)
        if row in links:
            name = f'<a href="{html.escape(links[row])}">{name}</a>'
        cells = "".join(
            f"<td{' class=best' if best.get(metric) == row else ''}>"
            f"{format_value(values.get(metric, np.nan))}</td>"
            for metric in columns
        )
        body.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table class="sortable"><caption>{html.escape(caption)}</caption>'
        f'<thead><tr><th scope="col">{html.escape(first)}</th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def metric_meanings(columns: Sequence[str]) -> str:
    """HTML that explains each metric and whether higher or lower is better."""
    items = "".join(
        f"<dt>{METRICS[name][0]}, {'higher' if METRICS[name][1] else 'lower'} is better</dt>"
        f"<dd>{html.escape(MEANINGS[name])}</dd>"
        for name in columns
    )
    return f"<details><summary>What the metrics mean</summary><dl>{items}</dl></details>"


def _write(path: Path, title: str, body: str) -> None:
    head = f"<script>\n{asset('table.js')}</script>\n"
    write_text(path, page(title, body, head=head))


def _first_page(evaluation: Evaluation, pictures: Mapping[str, Sequence[Picture]]) -> str:
    columns = evaluation.columns
    parts = [
        f"<h1>{html.escape(evaluation.title)}</h1>",
        metric_table(
            evaluation.table,
            columns,
            best=evaluation.best,
            caption="Mean over a video's frames, then over videos. The best value of a column is "
            "marked, excluding viewers and the true density. Click a heading to sort.",
        ),
        metric_meanings(columns),
        *_explained(evaluation),
        *(f"<p>{html.escape(evaluation.action_summary(name))}</p>" for name in evaluation.action),
        _notes(evaluation),
        _videos(evaluation),
    ]
    empty = evaluation.frames_without_fixations
    if empty:
        listed = "".join(
            f"<li>{html.escape(name)}: {ranges(frames)}</li>" for name, frames in empty.items()
        )
        parts.append(f"<h2>Frames without a fixation</h2><ul>{listed}</ul>")
    for name, shown in pictures.items():
        parts.append(f"<h2>{html.escape(name)}</h2>{_images(shown)}")
    settings = "".join(
        f"<li>{html.escape(str(key))}: {html.escape(str(value))}</li>"
        for key, value in evaluation.settings.items()
    )
    parts.append(f'<h2>Settings</h2><ul class="quiet">{settings}</ul>')
    return "\n".join(part for part in parts if part) + "\n"


def _video_page(video: dict, shown: Sequence[Picture], viewer: bool) -> str:
    rows = {
        method: {name: value["mean"] for name, value in values.items()}
        for method, values in video["metrics"].items()
    }
    columns = [name for name in METRICS if any(name in values for values in rows.values())]
    facts = f"{video['num_frames']} frames, {video['frames_evaluated']} of them with fixations"
    name = safe_name(video["name"])
    watch = f' <a href="{name}/{PAGE}">Watch it with its saliency</a>' if viewer else ""
    return (
        f'<p><a href="../index.html">All videos</a>{watch}</p>\n'
        f"<h1>{html.escape(video['name'])}</h1>\n"
        f"{metric_table(rows, columns, caption=facts)}\n{metric_meanings(columns)}\n"
        f"{_constant_notes([video])}{_images(shown)}\n"
    )


def _videos(evaluation: Evaluation) -> str:
    """A row for each video, with the values of the first method."""
    if not evaluation.methods:
        return ""
    method = evaluation.methods[0]
    rows = {
        video["name"]: {
            name: value["mean"] for name, value in video["metrics"].get(method, {}).items()
        }
        for video in evaluation.videos
    }
    links = {name: f"videos/{safe_name(name)}.html" for name in rows}
    table = metric_table(
        rows, evaluation.columns, links=links, caption=f"{method}, video by video", first="video"
    )
    return f"<h2>Videos</h2>{table}"


def _explained(evaluation: Evaluation) -> list[str]:
    return [
        f"<p>{html.escape(name)} explains <b>{share:.1%}</b> of the information that the true "
        "density has over the trained central bias.</p>"
        for name, share in evaluation.explained_information.items()
    ]


def _notes(evaluation: Evaluation) -> str:
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in evaluation.notes)
    return (f"<ul>{notes}</ul>" if notes else "") + _constant_notes(evaluation.videos)


def _constant_notes(videos: Sequence[dict]) -> str:
    """List frames with constant maps, which are uninformative: CC and NSS are 0, AUC is 0.5."""
    found: dict[str, int] = {}
    for video in videos:
        for method, count in video.get("constant_maps", {}).items():
            found[method] = found.get(method, 0) + count
    items = "".join(
        f"<li>{html.escape(method)}: {count} frames</li>" for method, count in found.items()
    )
    return f"<h2>Constant maps</h2><ul>{items}</ul>" if items else ""


def _images(pictures: Sequence[Picture]) -> str:
    return "".join(
        f'<p><img alt="{html.escape(picture.text)}" src="{_data_url(picture.data)}"></p>'
        for picture in pictures
    )


def _data_url(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def ranges(frames: Sequence[int]) -> str:
    """Format frame numbers as ranges: 1 2 3 7 becomes "1-3, 7"."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
