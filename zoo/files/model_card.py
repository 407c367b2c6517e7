"""The model card of a saved model: JSON inside the `.keras` file.

A `.keras` file is a zip archive; Keras reads the members that it knows and ignores others.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.files.archive import open_member
from zoo.files.atomic import atomic_path

MEMBER = "zoo_model.json"


def read_card(path: str | os.PathLike) -> dict[str, Any]:
    """The card of a `.keras` file; empty if it has none."""
    with zipfile.ZipFile(path) as archive:
        if MEMBER not in archive.namelist():
            return {}
        try:
            with open_member(path, MEMBER) as (stream, _):
                card = json.load(stream)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"The card of a model must be JSON. Received: {path}, {MEMBER}: {error}"
            ) from error
    if not isinstance(card, dict):
        raise ValueError(f"The card of a model must be a JSON object. Received: {path}, {MEMBER}")
    return card


def write_card(path: str | os.PathLike, card: Mapping[str, Any]) -> None:
    """Write a card into a `.keras` file, replacing any existing card; the write is atomic.

    Example: `write_card("model.keras", {**read_card("model.keras"), "results": {"nss": 2.1}})`.
    """
    text = json.dumps(card, indent=1, allow_nan=False)
    path = Path(path)
    with (
        atomic_path(path) as part,
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(part, "w") as new,
    ):
        for entry in old.infolist():
            if entry.filename != MEMBER:
                with old.open(entry) as source, new.open(entry, "w") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        new.writestr(MEMBER, text)


def card_lines(card: Mapping[str, Any]) -> list[str]:
    """A card as lines of text, with a long list of classes shortened."""
    lines = []
    if card.get("model"):
        lines.append(f"model: {card['model']}")
    if card.get("dataset"):
        lines.append(f"trained on: {card['dataset']}")
    if classes := card.get("classes"):
        shown = ", ".join(map(str, classes[:5])) + (", ..." if len(classes) > 5 else "")
        lines.append(f"classes: {len(classes)}: {shown}")
    lines += [f"{name}: {value}" for name, value in _results(card.get("results"))]
    if card.get("command"):
        lines.append(f"command: {card['command']}")
    if versions := card.get("versions"):
        lines.append("versions: " + ", ".join(f"{name} {v}" for name, v in versions.items()))
    if card.get("date"):
        lines.append(f"date: {card['date']}")
    known = {"model", "dataset", "classes", "results", "command", "versions", "date"}
    lines += [f"{name}: {value}" for name, value in card.items() if name not in known]
    return lines


def _results(results: Any, title: str = "results") -> list[tuple[str, str]]:
    """Measured values as (title, text); nested groups are titled with their parents' names."""
    if not isinstance(results, Mapping):
        return [(title, str(results))] if results else []
    plain = {k: v for k, v in results.items() if not isinstance(v, Mapping)}
    found = []
    if plain:
        found.append((title, ", ".join(f"{k} {_number(v)}" for k, v in plain.items())))
    for name, group in results.items():
        if isinstance(group, Mapping):
            found += _results(group, f"{title}, {name}")
    return found


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
