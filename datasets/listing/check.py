"""Check of a data set's folder before training: `zoo check`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zoo.datasets.listing.check_report import Counts, Report
from zoo.datasets.listing.check_videos import Looked, look
from zoo.datasets.listing.listing import ALL, Listing, missing_paths, needed_files
from zoo.datasets.record import Record
from zoo.files.first_few import first_few
from zoo.files.interface import advised

ALIASES = {"csv": "your_own"}
CHUNK = 512
EVERY = 10.0  # seconds between progress lines where there is no terminal


def check_dataset(
    dataset: str,
    root: str | Path,
    *,
    decode: str = "all",
    options: dict | None = None,
    sample: int | None = None,
    least: int = 16,
    strict: bool = False,
    workers: int | None = None,
    progress: bool = False,
) -> Report:
    """Check a data set's folder against its annotation and what was published.

    The arguments are those of `zoo check`.

    Args:
        dataset: Name of a data set, or "csv" for your own.
        root: Its folder or table.
        decode: Decode "all" frames of every video, only the "first", or "none".
        options: Options of the data set's `listing`, as text.
        sample: Check only this many videos, evenly spread over the data set; None: all.
        least: Videos with fewer frames are reported as short.
        strict: Whether a damaged packet makes a video unusable.
        workers: Number of videos checked in parallel; None: the number of processors.
        progress: Show progress on the standard error stream.

    Raises:
        ValueError: There is no such data set or option.
        FileNotFoundError: The folder does not exist.

    Example: `check_dataset("ucf101", "data/UCF101", decode="first").ok`
    """
    if decode not in ("all", "first", "none"):
        raise ValueError(f'`decode` must be "all", "first" or "none". Received: {decode!r}')
    if sample is not None and sample < 1:
        raise ValueError(f"`sample` must be at least 1. Received: {sample}")
    began = time.monotonic()
    name, held = ALIASES.get(dataset, dataset), {"decode": decode}
    try:
        listings = listings_of(dataset, root, options)
    except (_BadOption, _NotThere):
        raise
    except (ValueError, OSError) as error:
        return Report(name, str(root), errors=[f"the annotation: {error}"], **held)
    records = {record.name: record for listing in listings for record in listing.records}
    absent = missing_paths({path for r in records.values() for path in needed_files(r)})
    gone = set(absent)
    there = {name for name, r in records.items() if gone.isdisjoint(needed_files(r))}
    counts = [count for listing in listings for count in _counts(listing, there)]
    chosen = [record for name, record in records.items() if name in there]
    if sample is not None and sample < len(chosen):
        chosen = [chosen[at * len(chosen) // sample] for at in range(sample)]
    looking = {"listing": listings[0], "decode": decode, "least": least, "strict": strict}
    findings, frames, gaze = [], 0, []
    for looked in _look_at_all(chosen, looking, workers, progress):
        findings += looked.findings
        frames += looked.frames or 0
        gaze += [] if looked.gaze is None else [looked.gaze]
    return Report(
        name,
        str(root),
        counts=counts,
        missing=absent,
        surplus=sorted({path for listing in listings for path in listing.surplus}),
        lost=sorted({path for listing in listings for path in listing.lost}),
        errors=[
            f"{listing.name} lists {len(twice)} videos more than once: {first_few(twice)}"
            for listing in listings
            if (twice := listing.repeated())
        ],
        findings=findings,
        gaze=gaze,
        notes=[
            *dict.fromkeys(note for listing in listings for note in listing.notes),
            *([] if decode == "all" else _unread_gaze(chosen)),
        ],
        looked=len(chosen),
        frames=frames,
        seconds=time.monotonic() - began,
        **held,
    )


def _unread_gaze(records: Sequence[Record]) -> list[str]:
    """A note if there is gaze, which only a check that decodes every frame reads."""
    count = sum(r.gaze is not None and r.gaze.format != "maps" for r in records)
    way = advised('decode="all"', "--decode all")
    return [f"the gaze of {count} videos was not read; {way} does so"] if count else []


def listings_of(dataset: str, root: str | Path, options: dict | None = None) -> list[Listing]:
    """The listings of a data set's folder, one per fold; the arguments are those of `zoo check`."""
    module = _module(dataset)
    if not Path(root).exists():
        raise _NotThere(f"The data set's folder must exist. Received: {root}")
    return _listings(module, root, options or {})


class _BadOption(ValueError):
    """A data set or an option that does not exist."""


class _NotThere(FileNotFoundError):
    """A folder that does not exist."""


def _module(dataset: str):
    name = f"zoo.datasets.{ALIASES.get(dataset, dataset)}"
    module = None
    if dataset.isidentifier() and importlib.util.find_spec(name) is not None:
        module = importlib.import_module(name)
    if not hasattr(module, "load") or not hasattr(module, "DESCRIPTION"):
        raise _BadOption(
            f"The data set must be csv or one that `zoo list` shows. Received: {dataset!r}"
        )
    return module


def _listings(module, root: str | Path, options: dict) -> list[Listing]:
    """The data set's listing, or one per fold if it has folds and `options` selects none."""
    build: Callable = getattr(module, "listing", None) or _loaded(module)
    known = inspect.signature(build).parameters
    unknown = sorted(set(options) - set(list(known)[1:]))
    if unknown:
        raise _BadOption(
            f"An option must be one of {list(known)[1:]}. Received: {', '.join(unknown)}"
        )
    try:
        given = {name: _value(known[name].default, text) for name, text in options.items()}
    except ValueError as error:
        raise _BadOption(
            f"An option must have the type of its default. Received: {options}: {error}"
        ) from error
    if "fold" in known and "fold" not in given:
        return [build(root, fold=fold, **given) for fold in module.FOLDS]
    return [build(root, **given)]


def _value(default, text: str):
    """The text converted to the type of the option's default; a comma separates tuple items."""
    if isinstance(default, int):
        return int(text)
    if isinstance(default, tuple):
        kind = type(default[0]) if default else str
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
    return text


def _loaded(module) -> Callable:
    # A synthetic data set has no `listing`: it reads only what it has written itself.
    def build(root: str | Path) -> Listing:
        return Listing(module.DESCRIPTION.name, module.load(root))

    return build


def _counts(listing: Listing, there: set[str]) -> Iterator[Counts]:
    on_disk = Counter(record.split for record in listing.records if record.name in there)
    on_disk[ALL] = sum(on_disk.values())
    for split, named in listing.found().items():
        published = listing.published.get(split)
        yield Counts(listing.name, split, named, on_disk[split], published)


def _look_at_all(
    records: Sequence[Record],
    looking: dict,
    workers: int | None,
    progress: bool,
) -> Iterator[Looked]:
    if looking["decode"] == "none" and not any(r.gaze or r.truth_maps for r in records):
        return

    def one(record: Record) -> Looked:
        return look(record, **looking)

    shown_progress = _Progress(len(records)) if progress else None
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for first in range(0, len(records), CHUNK):
            for looked in pool.map(one, records[first : first + CHUNK]):
                yield looked
                if shown_progress is not None:
                    shown_progress.step()
    if shown_progress is not None:
        shown_progress.end()


class _Progress:
    """A progress line on the standard error stream.

    On a terminal the line is rewritten; elsewhere a new one is printed every few seconds.
    """

    def __init__(self, total: int):
        self.total, self.done = total, 0
        self.began = self.last = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def step(self) -> None:
        self.done += 1
        now = time.monotonic()
        if now - self.last < (0.2 if self.terminal else EVERY):
            return
        self.last = now
        left = (now - self.began) / self.done * (self.total - self.done)
        line = f"{self.done} of {self.total} videos, about {left:.0f} s left"
        print(f"\r{line}\033[K" if self.terminal else line, end="", file=sys.stderr, flush=True)
        if not self.terminal:
            print(file=sys.stderr)

    def end(self) -> None:
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
