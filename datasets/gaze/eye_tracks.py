"""Folders of gaze files that are separate from the videos: which file belongs to which clip.

- Mathe and Sminchisescu: FOLDER/samples/001_<clip>.avi.txt, FOLDER/geometry.txt and
  FOLDER/resolution.txt
- Vig, Dorr and Cox: s1_<clip>.txt anywhere in FOLDER
- DHF1K, raw gaze: FOLDER/P001/P001_Trail0001.txt
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zoo.datasets.gaze.forms import DHF1K, MATHE
from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Facts, files_below, lines_of
from zoo.datasets.record import GazeSource

EVENTS = ("F", "S")


def clip_gaze(folder: str | Path, events: Sequence[str] = EVENTS) -> dict[str, GazeSource]:
    """Clip (without suffix) -> its gaze, by Mathe and Sminchisescu or by Vig, Dorr and Cox."""
    folder = Path(folder)
    require_files([folder], "the gaze")
    if (folder / "samples").is_dir():
        form = replace(MATHE, screen=_screen(folder), keep=(("event", tuple(events)),))
        found = _by_clip(folder / "samples", r"(\d+)_(.+?)(\.\w+)?\.txt")
        return {clip: GazeSource(paths, csv=form) for clip, paths in found.items()}
    found = _by_clip(folder, r"s?(\d+)_(.+?)(\.avi)?\.(txt|coord)")
    return {clip: GazeSource(paths, format="vig") for clip, paths in found.items()}


def clip_facts(folder: str | Path) -> dict[str, Facts]:
    """Clip (without suffix) -> its size, from resolution.txt with lines `name.avi W H number`."""
    file = Path(folder) / "resolution.txt"
    facts = {}
    for line in lines_of(file) if file.is_file() else ():
        parts = line.split()
        try:
            width, height = int(float(parts[1])), int(float(parts[2]))
        except (IndexError, ValueError):
            raise ValueError(
                f"A line must be `name.avi WIDTH HEIGHT ...`. Received: {file}: {line!r}"
            ) from None
        facts[os.path.splitext(parts[0])[0]] = Facts(height=height, width=width)
    return facts


def dhf1k_gaze(folder: str | Path) -> dict[int, GazeSource]:
    """Number of a DHF1K video -> the raw gaze of all its viewers."""
    require_files([folder], "the raw gaze of DHF1K")
    found = _by_clip(folder, r"P(\d+)_Trail(\d+)()\.txt")
    return {int(number): GazeSource(paths, csv=DHF1K) for number, paths in found.items()}


def _by_clip(folder: str | Path, pattern: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for path in files_below(folder, (".txt", ".coord")):
        named = re.fullmatch(pattern, os.path.basename(path))
        if named:
            found.setdefault(named[2], []).append(path)
    if not found:
        raise FileNotFoundError(
            f"A gaze folder must hold a file for each viewer and clip. Received: {folder}"
        )
    return {clip: tuple(paths) for clip, paths in sorted(found.items())}


def _screen(folder: Path) -> tuple[float, float]:
    """The screen size, the last two of the five numbers in geometry.txt; without it, 1280x1024."""
    file = folder / "geometry.txt"
    if not file.is_file():
        return MATHE.screen
    try:
        numbers = [float(part) for line in lines_of(file) for part in line.split()]
        width, height = numbers[3:5]
    except ValueError:
        raise ValueError(f"geometry.txt must hold five numbers. Received: {file}") from None
    return width, height
