"""What the annotation of a data set lists, and which part of it is on disk."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from zoo.datasets.listing.checks import require_split
from zoo.datasets.record import Record
from zoo.files.first_few import first_few
from zoo.files.interface import advised
from zoo.files.printable import one_line

__all__ = ["DatasetWarning", "Facts", "Listing", "lines_of", "missing_paths", "settle"]

LOG = logging.getLogger("zoo.datasets")
ALL = "all"  # the key of `published` for data sets without published splits


class DatasetWarning(UserWarning):
    """A data set is used although it differs from what was published; the text names how."""


@dataclass(frozen=True)
class Facts:
    """What the annotation states about a video file, to be compared with the file itself.

    Args:
        frames: Number of frames.
        height, width: Size in pixels.
        seconds: Duration.
    """

    frames: int | None = None
    height: int | None = None
    width: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Listing:
    """All videos that the annotation of a data set lists, whether or not their files exist.

    Args:
        name: Name of the data set, with the fold if it has folds.
        records: A record for each listed video.
        published: Split -> published number of videos ("all": of all splits together); a tuple
            if sources differ.
        surplus: Videos on disk that the annotation does not list.
        notes: What a user should know, such as annotation that is left out on purpose.
        facts: Name of a record -> what the annotation states about its video file.
        size: (height, width) of all videos, if they have the same.
        lost: Names of annotated videos that have no record.
    """

    name: str
    records: Sequence[Record]
    published: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    surplus: Sequence[str] = ()
    notes: Sequence[str] = ()
    facts: Mapping[str, Facts] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    lost: Sequence[str] = ()

    def of_split(self, split: str | None) -> list[Record]:
        """The records of one split, or all records with None."""
        return [record for record in self.records if split is None or record.split == split]

    def found(self, splits: Iterable[str] | None = None) -> dict[str, int]:
        """Split -> number of videos that the annotation lists."""
        held = Counter(record.split for record in self.records if record.split is not None)
        if ALL in self.published or not held:
            held[ALL] = len(self.records)
        names = list(self.published) + sorted(set(held) - set(self.published))
        return {name: held[name] for name in names if splits is None or name in (*splits, ALL)}

    def wrong_counts(self, splits: Iterable[str] | None = None) -> list[str]:
        """A phrase for each split that does not have the published number of videos."""
        wrong = []
        for name, count in self.found(splits).items():
            if name in self.published and count not in numbers(self.published[name]):
                wrong.append(
                    f"{name} has {count} videos, "
                    f"but {shown_number(self.published[name])} were published"
                )
        return wrong

    def repeated(self) -> list[str]:
        """Names that several records share: videos that are listed more than once."""
        names = [record.name for record in self.records]
        if len(set(names)) == len(names):
            return []
        return sorted(name for name, count in Counter(names).items() if count > 1)

    def counts_line(self, splits: Iterable[str] | None = None) -> str:
        """One line with the number of videos in each split and the published number."""
        parts = []
        for name, count in self.found(splits).items():
            published = self.published.get(name)
            of = "" if published is None else f" (published {shown_number(published)})"
            parts.append(f"{name} {count}{of}")
        without = sum(record.split is None for record in self.records)
        if splits is None and ALL not in self.published and 0 < without < len(self.records):
            parts.append(f"without a split {without}")
        return f"{self.name}: {', '.join(parts) or 'no videos'}"


def settle(listing: Listing, split: str | None = None, *, partial: bool = False) -> list[Record]:
    """The records of a listing, after checking that all files exist and the counts are right.

    Numbers of videos are logged by the logger `zoo.datasets`.

    Args:
        listing: The listing.
        split: One split, or None for all.
        partial: Leave out videos whose files are missing, with a `DatasetWarning`, instead of
            raising an error.

    Raises:
        FileNotFoundError: Videos or files are missing; the error counts and names them.
        ValueError: There is no such split, or a video is listed more than once.
    """
    known = dict.fromkeys(r.split for r in listing.records if r.split is not None)
    known.update(dict.fromkeys(name for name in listing.published if name != ALL))
    require_split(split, known)
    twice = listing.repeated()
    if twice:
        raise ValueError(
            f"{listing.name} must list each video only once. Received: {len(twice)} videos "
            f"listed more than once: {first_few(twice)}"
        )
    records = listing.of_split(split)
    splits = None if split is None else (split,)
    LOG.info("%s", listing.counts_line(splits))
    wrong = [*listing.wrong_counts(splits)]
    if listing.lost:
        wrong.append(f"{len(listing.lost)} annotations without videos: {first_few(listing.lost)}")
    if wrong and not partial:
        raise FileNotFoundError(
            f"{listing.name} must have the published number of videos; {_partial(listing)} accepts "
            f"what is there. Received: {'; '.join(wrong)}"
        )
    absent = missing_paths(path for record in records for path in needed_files(record))
    if absent:
        gone = set(absent)
        kept = [record for record in records if gone.isdisjoint(needed_files(record))]
        missing = f"{len(absent)} missing: {first_few(absent)}"
        if not partial or not kept:
            raise FileNotFoundError(
                f"All files of {listing.name} must be there. Received: {missing}"
                + ("" if partial else f"; {_partial(listing)} accepts the videos that are there")
            )
        wrong.append(f"{len(kept)} of {len(records)} videos are there; {missing}")
        records = kept
    elif not records:
        notes = "; ".join(["none", *listing.notes])
        raise FileNotFoundError(f"{listing.name} must have videos. Received: {notes}")
    if listing.surplus and split is None:
        wrong.append(
            f"{len(listing.surplus)} videos that no annotation lists: {first_few(listing.surplus)}"
        )
    for text in wrong:
        warnings.warn(f"{listing.name}: {text}", DatasetWarning, stacklevel=3)
    return records


def _partial(listing: Listing) -> str:
    name = next((record.dataset for record in listing.records if record.dataset), "NAME")
    return advised("`partial=True`", f"--dataset {name}:partial=1")


def show_counts() -> None:
    """Show the readers' counts on the standard error stream, as the commands do."""
    if not any(isinstance(handler, _Lines) for handler in LOG.handlers):
        LOG.addHandler(_Lines())
    LOG.setLevel(logging.INFO)


class _Lines(logging.Handler):
    """A line for each message, on the standard error stream as it is at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        print(one_line(self.format(record)), file=sys.stderr)


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pause garbage collection, which takes half of the time when a million records are made."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def needed_files(record: Record) -> tuple[str, ...]:
    """The files and folders that a record needs."""
    return (record.video, *(record.gaze.paths if record.gaze is not None else ()))


def missing_paths(paths: Iterable[str]) -> list[str]:
    """The paths that do not exist, sorted; each folder is read only once."""
    folders: dict[str, set[str]] = {}
    for path in paths:
        cut = max(path.rfind("/"), path.rfind(os.sep)) + 1
        folders.setdefault(path[:cut], set()).add(path[cut:])
    missing = []
    for folder, names in folders.items():
        try:
            with os.scandir(folder or ".") as entries:
                names.difference_update([entry.name for entry in entries if entry.name in names])
        except (FileNotFoundError, NotADirectoryError):
            pass
        missing += [
            path for name in names if not os.path.exists(path := os.path.join(folder, name))
        ]
    return sorted(missing)


def files_below(folder: str | os.PathLike, suffixes: Sequence[str], depth: int = 2) -> list[str]:
    """Files with one of the suffixes, at most `depth` folders down, sorted.

    The list is empty if the folder does not exist.
    """
    found, below, endings = [], [], tuple(suffixes)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    below.append(entry.path)
                elif entry.name.lower().endswith(endings):
                    found.append(entry.path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    if depth > 0:
        for path in below:
            found += files_below(path, suffixes, depth - 1)
    return sorted(found)


def lines_of(path: str | os.PathLike) -> list[str]:
    """The non-empty lines of a text file, without surrounding white space or line ends."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"An annotation file must exist. Received: {path}")
    try:
        with open(path, encoding="utf-8-sig") as file:
            return [line.strip() for line in file if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"A list must be UTF-8 text. Received: {path}: {error}") from error


def numbers(published: int | tuple[int, ...]) -> tuple[int, ...]:
    """The accepted numbers of videos, as a tuple."""
    return published if isinstance(published, tuple) else (published,)


def shown_number(published: int | tuple[int, ...]) -> str:
    """A published number in words."""
    return " or ".join(str(count) for count in numbers(published))
