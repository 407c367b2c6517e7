"""Joining data sets with different classes into one training set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from zoo.datasets.record import Record, Segment, Tube
from zoo.files.interface import advised

__all__ = ["Joint", "join"]

SIMILAR = ("error", "same", "distinct")
Label = int | tuple[int, ...] | None


@dataclass(frozen=True)
class Joint:
    """Records of several data sets, labelled with one common list of classes.

    Args:
        records: All records; each name is prefixed with the name of its data set.
        classes: All classes: those of the first data set in order, then those that each further
            data set adds.
        decided: Data set -> the classes that its annotators labelled. About all other classes its
            labels say nothing: a missing label "Kiss" means "no kiss" only in a data set that
            has the class "Kiss".
    """

    records: tuple[Record, ...]
    classes: tuple[str, ...]
    decided: dict[str, tuple[int, ...]]

    def of_split(self, split: str | None) -> list[Record]:
        """The records of one split, or all records with None."""
        return [record for record in self.records if split is None or record.split == split]


def join(
    parts: Mapping[str, tuple[Sequence[Record], Sequence[str]]],
    *,
    names: Mapping[str, str] | None = None,
    similar: str = "error",
) -> Joint:
    """Join data sets; classes of the same name become one class.

    If any data set has several labels per video, all records get tuples of labels.

    Args:
        parts: Data set -> (its records, its classes).
        names: "data set/class" -> name of that class in the result. Use it to merge two classes
            or to keep two apart.
        similar: How to treat classes that `names` does not list and whose names differ only in
            case, spaces, `_` and `-` ("GolfSwing", "golf_swing"): "error" (raise), "same" (merge
            them under the first name) or "distinct" (keep them apart).

    Raises:
        ValueError: there are no data sets, `names` lists an unknown class, class names are
            similar (with "error"), or a label is not a class of its data set.

    Example:
        whole = join(
            {"ucf101": (ucf101.load(a), ucf101.CLASSES), "ucf11": (ucf11.load(b), ucf11.CLASSES)},
            names={"ucf11/swing": "Swing", "ucf11/walking": "walking a dog"},
            similar="same",
        )
    """
    if not parts:
        raise ValueError("`parts` must name at least one data set. Received: none")
    if similar not in SIMILAR:
        raise ValueError(f"`similar` must be one of {SIMILAR}. Received: similar={similar!r}")
    names = dict(names or {})
    known = {f"{part}/{label}" for part, (_, labels) in parts.items() for label in labels}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(
            "`names` must list existing classes as `data set/class`. Received: "
            f"{unknown[:10]}, not among {sorted(known)[:10]} ..."
        )
    classes, numbers = _merge(parts, names, similar)
    several = any(isinstance(r.label, tuple) for records, _ in parts.values() for r in records)
    joined = [
        _renumber(record, part, numbers[part], several)
        for part, (records, _) in parts.items()
        for record in records
    ]
    decided = {part: tuple(dict.fromkeys(held)) for part, held in numbers.items()}
    return Joint(tuple(joined), classes, decided)


def _merge(parts, names, similar) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """All classes, and the new number of every class of every data set."""
    classes: list[str] = []
    plain: dict[str, str] = {}  # normalised name -> the first name that is normalised to it
    numbers: dict[str, list[int]] = {}
    alike: list[str] = []
    for part, (_, labels) in parts.items():
        numbers[part] = []
        for label in labels:
            key = f"{part}/{label}"
            name = names.get(key, label)
            before = plain.setdefault(_plain(name), name)
            if name not in classes and before != name and key not in names:
                if similar == "same":
                    name = before
                elif similar == "error":
                    alike.append(f"{key} and {before}")
            if name not in classes:
                classes.append(name)
            numbers[part].append(classes.index(name))
    if alike:
        option = advised(
            'by `names`, or all at once by `similar="same"` or "distinct"',
            "by --dataset A+B:similar=same or A+B:similar=distinct",
        )
        raise ValueError(
            f"Classes of similar names must be declared the same or distinct {option}. "
            f"Received: {len(alike)} pairs: {'; '.join(alike[:10])}"
        )
    return tuple(classes), numbers


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _renumber(record: Record, part: str, number: Sequence[int], several: bool) -> Record:
    def new(label: int) -> int:
        if label < 0:  # ambiguous
            return label
        if label >= len(number):
            raise ValueError(
                f"Labels must be below the number of classes, {len(number)}. Received: "
                f"{label} of {part}/{record.name}"
            )
        return number[label]

    label: Label = record.label
    if isinstance(label, tuple):
        label = tuple(sorted({new(one) for one in label}))
    elif label is not None:
        label = (new(label),) if several else new(label)

    def moved(held: tuple[Segment, ...] | tuple[Tube, ...] | None):
        return None if held is None else tuple(replace(one, label=new(one.label)) for one in held)

    return replace(
        record,
        name=f"{part}/{record.name}",
        label=label,
        boxes=moved(record.boxes),
        segments=moved(record.segments),
        ambiguous=moved(record.ambiguous),
    )
