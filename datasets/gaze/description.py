"""Gaze descriptions in files: `gaze.json`, or the name of a preset."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.presets import PRESETS, gaze_format
from zoo.datasets.record import GazeSource

GAZE_FILES = (".csv", ".tsv", ".txt", ".asc", ".hdf5", ".h5")
# Fields that must be numbers in JSON, fields that must be lists of that many numbers, and keys that
# describe folders of fixation maps.
_NUMBERS = ("above", "valid_least", "distance_cm", "pixels_per_degree", "threshold")
_LISTS = {"screen": 2, "screen_cm": 2, "area": 4}
_OF_MAPS = ("key", "first_frame")


@dataclass(frozen=True)
class Description:
    """The content of a `gaze.json`: how to read gaze tables and folders of fixation maps.

    Args:
        csv: What the columns of gaze tables mean.
        key: Name of the map inside a mat file.
        first_frame: Number in the name of the first frame's map; None if not given.
    """

    csv: CsvFormat = field(default_factory=CsvFormat)
    key: str = "I"
    first_frame: int | None = None

    def maps(self, folder: str) -> GazeSource:
        """The fixation maps of a folder."""
        return GazeSource((folder,), "maps", key=self.key, first_frame=self.first_frame)


def description_of(place: Path) -> Description:
    """The description in a json file or of a preset; the default if there is no `gaze.json`.

    Raises:
        ValueError: The file is not a valid gaze description, or there is no such preset.
    """
    if not place.is_file():
        if place.suffix.lower() == ".json" and place.name == "gaze.json":
            return Description()
        if place.name in PRESETS:
            return Description(csv=gaze_format(place.name))
        raise ValueError(
            "`gaze_format` must be a json file or one of the presets "
            f"{tuple(PRESETS)}. Received: {place}"
        )
    try:
        held = json.loads(place.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"A gaze description must be JSON. Received: {place}: {error}") from error
    if not isinstance(held, dict):
        raise ValueError(f"A gaze description must be a JSON object. Received: {place}: {held!r}")
    try:
        maps = {name: held[name] for name in _OF_MAPS if name in held}
        known = [item.name for item in fields(CsvFormat)]
        csv = {name: _value(name, value) for name, value in held.items() if name != "key"}
        unknown = sorted(set(csv) - {*known, "preset"})
        if unknown:
            raise ValueError(
                f"the keys must be among {['preset', 'key', *known]}; unknown: {unknown}"
            )
        return Description(csv=gaze_format(**csv), **maps)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A gaze description must be valid. Received: {place}: {error}") from error


def _value(name: str, value: Any) -> Any:
    """A value from JSON, converted to the type of the field of `CsvFormat`."""
    if name == "keep":
        pairs = value.items() if isinstance(value, dict) else value
        return tuple((column, tuple(map(_text, _listed(of)))) for column, of in pairs)
    if name in _LISTS and value is not None:
        if not isinstance(value, list) or len(value) != _LISTS[name] or not _numeric(*value):
            raise ValueError(f"`{name}` must be a list of {_LISTS[name]} numbers, not {value!r}")
        return tuple(value)
    if name in _NUMBERS and value is not None and not _numeric(value):
        raise ValueError(f"`{name}` must be a number, not {value!r}")
    if name in ("first_frame", "skip_rows") and not isinstance(value, int):
        raise ValueError(f"`{name}` must be a whole number, not {value!r}")
    if name == "y_up" and not isinstance(value, bool):
        raise ValueError(f"`y_up` must be true or false, not {value!r}")
    if name == "lost":
        return tuple(value if isinstance(value, list) else [value])
    if name == "valid_values":
        both = isinstance(value, list) and value and isinstance(value[0], list)
        texts = [tuple(map(_text, _listed(of))) for of in (value if both else [value])]
        return tuple(texts) if both else texts[0]
    return tuple(value) if isinstance(value, list) else value


def _numeric(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
