"""Check of one video and its annotation: whether both can be read and whether they agree."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo.datasets.gaze.maps import frames_of, map_number, read_map
from zoo.datasets.listing.check_gaze import GazeLook, look_at_gaze
from zoo.datasets.listing.listing import Facts, Listing
from zoo.datasets.record import Record
from zoo.datasets.video.frame_index import describe_damage
from zoo.datasets.video.reading import Video, open_record
from zoo.datasets.video.source import VideoError, numbered_files

MAPS = (".png", ".jpg", ".jpeg", ".bmp")
LATE = 1.0  # seconds by which a published segment may exceed the video's end
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Finding:
    """A problem with a video or, if not serious, something worth knowing about it.

    Args:
        video: Name of the record.
        kind: Kind of finding, a key of `check_report.KINDS`.
        text: The finding in words.
        serious: Whether it counts as a problem.
    """

    video: str
    kind: str
    text: str
    serious: bool = True


@dataclass(frozen=True)
class Looked:
    """The result of checking one video.

    Args:
        frames: Number of frames decoded; None if not all were to be decoded.
        findings: Everything found.
        gaze: The result of checking the gaze, if there is any.
    """

    frames: int | None = None
    findings: tuple[Finding, ...] = ()
    gaze: GazeLook | None = None


def look(
    record: Record,
    listing: Listing,
    *,
    decode: str = "all",
    least: int = 16,
    strict: bool = False,
) -> Looked:
    """Check a record's files, which must exist.

    Args:
        record: The record.
        listing: The listing that it comes from, with the published facts about its files.
        decode: "all" decodes every frame, "first" only the first one, "none" none.
        least: A video with fewer frames is reported as short.
        strict: Whether a damaged packet makes a video unusable.
    """
    found: list[Finding] = []

    def tell(kind: str, text: str, serious: bool = True) -> None:
        found.append(Finding(record.name, kind, text, serious))

    video, frames, gaze = None, None, None
    if decode != "none":
        try:
            video = open_record(record)
            frames = _frames(video, record, tell, strict) if decode == "all" else None
        except (VideoError, OSError, cv2.error) as error:
            tell("unreadable", str(error))
            video = None
    if video is not None:
        _compare_facts(video, frames, listing, record, tell)
    if frames is not None:
        if frames < least:
            tell("short", f"{frames} frames, fewer than {least}")
        _look_at_truth(record, video, tell)
    _look_at_maps(record, video, frames, tell)
    if frames is not None and record.gaze is not None and record.gaze.format != "maps":
        gaze = _look_at_gaze(record, video, tell)
    return Looked(frames, tuple(found), gaze)


def _frames(video: Video, record: Record, tell, strict: bool) -> int:
    if os.path.isdir(record.video):
        if not video.rate_known:
            tell("frame rate", "a folder of frames of unknown frame rate", serious=False)
        return sum(1 for _ in video.frames())  # reads every picture and checks its size
    index, header = video.index, video.header_frames
    if header > 0 and header != len(index):
        tell("header", f"the header says {header} frames, {len(index)} decode", serious=False)
    if index.damage:
        tell("damaged", describe_damage(index.damage), serious=strict)
    if index.interlaced:
        text = f"{index.interlaced} interlaced frames, read without deinterlacing"
        tell("interlaced", text, serious=False)
    if not video.rate_known:
        tell("frame rate", "a file without time stamps of its frames", serious=False)
    return video.num_frames


def _compare_facts(video: Video, frames: int | None, listing: Listing, record: Record, tell):
    facts = listing.facts.get(record.name) or Facts()
    height, width = listing.size or (None, None)
    wanted = (facts.height or height, facts.width or width)
    if None not in wanted and wanted != (video.height, video.width):
        tell("size", f"{video.width}x{video.height}, but published as {wanted[1]}x{wanted[0]}")
    if frames is not None and facts.frames is not None and facts.frames != frames:
        near = abs(facts.frames - frames) <= 1
        tell("frames", f"{frames} frames decode, the annotation says {facts.frames}", not near)
    if frames is not None and facts.seconds is not None:
        seconds = _seconds(video)
        if abs(seconds - facts.seconds) > LATE:
            tell("frames", f"{seconds:.1f} s long, the annotation says {facts.seconds:.1f} s")


def _seconds(video: Video) -> float:
    return video.index.end


def _look_at_truth(record: Record, video: Video, tell) -> None:
    for number, tube in enumerate(record.boxes or ()):
        if tube.start + len(tube.boxes) > video.num_frames:
            end = tube.start + len(tube.boxes)
            tell("boxes", f"tube {number} ends at frame {end} of {video.num_frames}")
        corner = tube.boxes[:, :2] + tube.boxes[:, 2:]
        if np.any(tube.boxes < 0) or np.any(corner > (video.width, video.height)):
            tell("boxes", f"tube {number} exceeds the frame of {video.width}x{video.height}")
    if record.segments:
        end, seconds = max(segment.end for segment in record.segments), _seconds(video)
        if end > seconds:
            tell(
                "segments",
                f"a segment ends at {end:.1f} s of {seconds:.1f} s",
                end > seconds + LATE,
            )


def _look_at_maps(record: Record, video: Video | None, frames: int | None, tell) -> None:
    """Compare the number and size of fixation and saliency maps with those of the frames."""
    folders = {}
    if record.gaze is not None and record.gaze.format == "maps":
        folders["fixation maps"] = record.gaze.paths[0]
    if record.truth_maps is not None:
        folders["saliency maps"] = record.truth_maps
    counts = {} if frames is None else {"frames": frames}
    sizes = {} if video is None else {"video": (video.height, video.width)}
    for what, folder in folders.items():
        try:
            files = numbered_maps(folder)
            counts[what] = len(files)
            odd = map_sizes(files, record.gaze.key if record.gaze is not None else "I")
        except (ValueError, OSError) as error:
            tell("maps", str(error))
            continue
        if len(odd) > 1:
            found = ", ".join(f"{w}x{h} ({n})" for (h, w), n in sorted(odd.items()))
            tell("size", f"{what} of several sizes: {found}")
        elif odd:
            sizes[what] = next(iter(odd))
    if record.gaze is not None and "fixation maps" in counts and frames is not None:
        numbers = [map_number(file) for file in numbered_maps(folders["fixation maps"])]
        _, doubt = frames_of(numbers, frames, record.gaze.first_frame)
        if doubt:
            tell("gaze", doubt)
    if len(set(counts.values())) > 1:
        tell("frames", ", ".join(f"{count} {what}" for what, count in counts.items()))
    if len(set(sizes.values())) > 1:
        tell("size", ", ".join(f"{what} {w}x{h}" for what, (h, w) in sizes.items()))


def numbered_maps(folder: str) -> list[Path]:
    """The maps of a folder in the order of their numbers: mat files if any, else pictures."""
    return numbered_files(folder, (".mat",)) or numbered_files(folder, MAPS)


def map_sizes(files: list[Path], key: str) -> dict[tuple[int, int], int]:
    """(height, width) -> number of maps.

    All png files are counted, by their headers; of other formats, only the first and last file.
    """
    sizes: dict[tuple[int, int], int] = {}
    chosen = files if files and files[0].suffix.lower() == ".png" else files[:1] + files[1:][-1:]
    for file in chosen:
        size = _png_size(file) or read_map(file, key).shape
        sizes[size] = sizes.get(size, 0) + 1
    return sizes


def _png_size(file: Path) -> tuple[int, int] | None:
    with open(file, "rb") as stream:
        head = stream.read(24)
    if len(head) < 24 or head[:8] != PNG:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return height, width


def _look_at_gaze(record: Record, video: Video, tell) -> GazeLook:
    whole = record.start is None and record.end is None
    gaze = look_at_gaze(record, video if whole else None)
    if gaze.doubts:
        tell("gaze", gaze.text)
    elif gaze.issues or gaze.notes:
        issues = ", ".join(f"{count} {why}" for why, count in gaze.issues.items())
        parts = [issues, *gaze.notes, f"{gaze.facts.used} samples used"]
        tell("gaze", "; ".join(filter(None, parts)), False)
    return gaze
