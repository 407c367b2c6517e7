"""Saving models together with a model card."""

from __future__ import annotations

import datetime
import os
import platform
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo._version import __version__
from zoo.files.atomic import atomic_path
from zoo.files.json_file import plain
from zoo.files.model_card import write_card

# The cards of loaded and saved models, which Keras's model objects cannot store.
_CARDS: weakref.WeakKeyDictionary[keras.Model, dict[str, Any]] = weakref.WeakKeyDictionary()


def save(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    classes: Sequence[str] | None = None,
    dataset: str | None = None,
    command: str | None = None,
    results: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Save a model with a card: its class names, training data, command and measured results.

    `zoo.load` prints the card, `zoo info` shows it, and predictions use the class names. Entries
    that are not given are taken from the card that the model was loaded with.

    Args:
        model: The model.
        path: A `.keras` file, written atomically.
        classes: Class names, one for each class of the model's output "action".
        dataset: What the model was trained on.
        command: The command that trained it.
        results: Name -> measured value, or name -> table of values.
        more: Other entries, as JSON values.

    Returns:
        The card that was written.

    Raises:
        ValueError: The path does not end in .keras, or the number of classes is wrong.

    Example: `zoo.save(model, "model.keras", classes=("walk", "run"), dataset="my videos")`
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"`path` must end in .keras. Received: path={str(path)!r}")
    given = {"classes": classes, "dataset": dataset, "command": command, "results": results, **more}
    card = {**card_of(model), **{k: plain(v) for k, v in given.items() if v is not None}}
    _check_classes(model, card.get("classes"))
    card |= {
        "model": model.name,
        "versions": versions(),
        "date": date(),
    }
    with atomic_path(path) as part:
        model.save(part)
        write_card(part, card)
    _CARDS[model] = card
    return card


def card_of(model: keras.Model) -> dict[str, Any]:
    """The card that a model was loaded or saved with; empty if it has none."""
    return dict(_CARDS.get(model, {}))


def set_card(model: keras.Model, card: Mapping[str, Any]) -> None:
    """Remember a model's card."""
    _CARDS[model] = dict(card)


def versions() -> dict[str, str]:
    """Versions of the software that determines what a model computes."""
    backend = keras.backend.backend()
    module = __import__(backend)
    return {
        "video-attention-zoo": __version__,
        "keras": keras.__version__,
        backend: getattr(module, "__version__", "unknown"),
        "python": platform.python_version(),
    }


def date() -> str:
    """Now, in UTC, to the second, as ISO 8601 writes it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _check_classes(model: keras.Model, classes: Sequence[str] | None) -> None:
    outputs = model.output if isinstance(getattr(model, "output", None), dict) else {}
    if classes is None or "action" not in outputs:
        return
    count = outputs["action"].shape[-1]
    if count != len(classes):
        raise ValueError(
            "`classes` must be one name for each class of the model. "
            f"Received: {len(classes)} names, {count} classes"
        )
