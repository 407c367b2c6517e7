"""What the annotation of a data set promises, and what of it is on the disk."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from zoo.datasets.listing.checks import SHOWN, require_split
from zoo.datasets.record import Record
from zoo.files.interface import advised

__all__ = ["DatasetWarning", "Facts", "Listing", "lines_of", "missing_paths", "settle"]

LOG = logging.getLogger("zoo.datasets")
ALL = "all"  # the key of `published` for data sets without published splits


class DatasetWarning(UserWarning):
    """A data set that is used although it is not what was published: what differs, by name."""


@dataclass(frozen=True)
class Facts:
    """What the annotation says about a video file, which a look into the file can confirm."""

    frames: int | None = None
    height: int | None = None
    width: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Listing:
    """All videos of a data set by its annotation, before anyone looks whether they are there.

    Args:
        name: Name of the data set, with its fold where it has folds.
        records: A record for every video that the annotation names.
        published: Published number of videos of every split ("all": of all together); a tuple
            where sources differ.
        surplus: Videos on the disk that no annotation names.
        notes: What a user should know, such as annotation that is left out on purpose.
        facts: Name of a record -> what the annotation says about its video file.
        size: (height, width) of all videos, where they have one.
        lost: Annotation that names videos which have no record, by name.
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
        """The records of one split, or all."""
        return [record for record in self.records if split is None or record.split == split]

    def found(self, splits: Iterable[str] | None = None) -> dict[str, int]:
        """Number of videos that the annotation names, of every split."""
        held = Counter(record.split for record in self.records if record.split is not None)
        if ALL in self.published or not held:
            held[ALL] = len(self.records)
        names = list(self.published) + sorted(set(held) - set(self.published))
        return {name: held[name] for name in names if splits is None or name in (*splits, ALL)}

    def wrong_counts(self, splits: Iterable[str] | None = None) -> list[str]:
        """The splits that do not have the published number of videos, in words."""
        wrong = []
        for name, count in self.found(splits).items():
            if name in self.published and count not in numbers(self.published[name]):
                wrong.append(
                    f"{name} has {count} videos, published are {shown_number(self.published[name])}"
                )
        return wrong

    def repeated(self) -> list[str]:
        """The names that several records have: videos that the lists name more than once."""
        names = [record.name for record in self.records]
        if len(set(names)) == len(names):
            return []
        return sorted(name for name, count in Counter(names).items() if count > 1)

    def counts_line(self, splits: Iterable[str] | None = None) -> str:
        """The counts of all splits beside the published ones, in one line."""
        parts = []
        for name, count in self.found(splits).items():
            published = self.published.get(name)
            of = "" if published is None else f" (published {shown_number(published)})"
            parts.append(f"{name} {count}{of}")
        return f"{self.name}: {', '.join(parts) or 'no videos'}"


def settle(listing: Listing, split: str | None = None, *, partial: bool = False) -> list[Record]:
    """The records of a listing whose files are all there, or an error that counts and names.

    With `partial`, videos without files are left out, and a `DatasetWarning` tells how many. The
    counts are logged by the logger `zoo.datasets`.
    """
    known = dict.fromkeys(r.split for r in listing.records if r.split is not None)
    known.update(dict.fromkeys(name for name in listing.published if name != ALL))
    require_split(split, known)
    twice = listing.repeated()
    if twice:
        raise ValueError(
            f"The lists of {listing.name} must name a video once. Received: {len(twice)} "
            f"named more often: {shown(twice)}"
        )
    records = listing.of_split(split)
    splits = None if split is None else (split,)
    LOG.info("%s", listing.counts_line(splits))
    wrong = [*listing.wrong_counts(splits)]
    if listing.lost:
        wrong.append(f"{len(listing.lost)} annotations without videos: {shown(listing.lost)}")
    if wrong and not partial:
        raise FileNotFoundError(
            f"{listing.name} must have the published number of videos; {_partial(listing)} takes "
            f"what is there. Received: {'; '.join(wrong)}"
        )
    absent = missing_paths(path for record in records for path in needed_files(record))
    if absent:
        gone = set(absent)
        kept = [record for record in records if gone.isdisjoint(needed_files(record))]
        told = f"{len(absent)} missing: {shown(absent)}"
        if not partial or not kept:
            raise FileNotFoundError(
                f"All files of {listing.name} must be there. Received: {told}"
                + ("" if partial else f"; {_partial(listing)} takes the videos that are there")
            )
        wrong.append(f"{len(kept)} of {len(records)} videos are there; {told}")
        records = kept
    elif not records:
        told = "; ".join(["none", *listing.notes])
        raise FileNotFoundError(f"{listing.name} must have videos. Received: {told}")
    if listing.surplus and split is None:
        wrong.append(
            f"{len(listing.surplus)} videos that no annotation names: {shown(listing.surplus)}"
        )
    for told in wrong:
        warnings.warn(f"{listing.name}: {told}", DatasetWarning, stacklevel=3)
    return records


def _partial(listing: Listing) -> str:
    name = next((record.dataset for record in listing.records if record.dataset), "NAME")
    return advised("`partial=True`", f"--dataset {name}:partial=1")


def show_counts() -> None:
    """Let the readers tell their counts on the standard error stream, as commands do."""
    if not any(isinstance(handler, logging.StreamHandler) for handler in LOG.handlers):
        LOG.addHandler(logging.StreamHandler())
    LOG.setLevel(logging.INFO)


@contextmanager
def no_garbage() -> Iterator[None]:
    """While a million records are made, looking for garbage among them takes half of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def needed_files(record: Record) -> tuple[str, ...]:
    """The files and folders without which a record cannot be used."""
    return (record.video, *(record.gaze.paths if record.gaze is not None else ()))


def missing_paths(paths: Iterable[str]) -> list[str]:
    """The paths that do not exist, sorted; every folder is listed once, however many are asked."""
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
    """Files with one of the endings, at most `depth` folders down, sorted; none if no folder."""
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
    """Lines of a text file without blanks around them (CRLF too) and without empty ones."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"A file of the annotation must be there. Received: {path}")
    try:
        with open(path, encoding="utf-8-sig") as file:
            return [line.strip() for line in file if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"A list must be text. Received: {path}: {error}") from error


def numbers(published: int | tuple[int, ...]) -> tuple[int, ...]:
    """The accepted numbers of videos."""
    return published if isinstance(published, tuple) else (published,)


def shown_number(published: int | tuple[int, ...]) -> str:
    """A published number in words."""
    return " or ".join(str(count) for count in numbers(published))


def shown(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
