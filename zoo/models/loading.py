"""Loading saved models."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import zipfile
from collections.abc import Iterator

import keras

from zoo.files.archive import open_member
from zoo.files.hdf5 import open_hdf5
from zoo.files.model_card import card_lines, read_card
from zoo.files.printable import one_line
from zoo.models.saving import set_card

LARGEST_TEXT = 64 << 20  # bytes of each text in a .keras file, such as the list of its layers
# Importing these registers their classes with Keras.
REGISTERED = (
    "zoo.layers",
    "zoo.losses",
    "zoo.metrics",
    "zoo.models.joint_model",
    "zoo.optimizers",
)


GENERAL = "general"  # the model that the zoo ships


def register() -> None:
    """Register all classes of the zoo that a saved model may contain with Keras."""
    for module in REGISTERED:
        importlib.import_module(module)


def load(path: str | os.PathLike, *, compile: bool = False, verbose: bool = True) -> keras.Model:
    """Load a saved model of the zoo.

    Args:
        path: A `.keras` file, or "general" for the model that the zoo ships.
        compile: Also restore the optimizer, losses and metrics, to continue training.
        verbose: Print the model card in the file, see `zoo.save`.

    Returns:
        The model.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a saved Keras model.

    Example: `zoo.load("runs/rmdn/best.keras")`
    """
    path = os.fspath(path)
    if path == GENERAL:
        return load_general(verbose=verbose)
    check_file(path)
    register()
    try:
        model = keras.models.load_model(path, compile=compile)
    except Exception as error:  # an altered configuration can raise any error
        if unknown := _unknown_classes(path):
            raise ValueError(
                "A model must consist of layers of Keras and of the zoo; import the library that "
                f"defines other layers first. Received: {path!r} with {', '.join(unknown)}"
            ) from error
        raise ValueError(
            f"A model must be complete, unaltered and loadable by Keras {keras.__version__}. "
            f"Received: {path!r}: {type(error).__name__}: {_first_line(error)}"
        ) from error
    card = read_card(path)
    set_card(model, card)
    if verbose and card:
        print("\n".join([one_line(path), *(f"  {one_line(line)}" for line in card_lines(card))]))
    return model


def load_general(
    frame_size: tuple[int, int] | None = None,
    frame_rate: float | None = None,
    video_side: int | None = None,
    *,
    policy: str | None = None,
    verbose: bool = False,
) -> keras.Model:
    """The model that the zoo ships, `zoo.general_saliency(weights="general")`, with its card.

    Args:
        frame_size: (height, width) of the frames; None for any.
        frame_rate: Frames per second of the videos; None for any.
        video_side: Longer side of the videos in pixels, before scaling; None for any.
        policy: Keras's dtype policy, such as "mixed_bfloat16"; None for the global one.
        verbose: Print the card.
    """
    from zoo.models.general_saliency import general_saliency
    from zoo.weights import fetch, read_provenance
    from zoo.weights.records import RECORDS

    with _policy(policy):
        rate = {} if frame_rate is None else {"frame_rate": frame_rate}
        model = general_saliency(
            image_size=frame_size, video_side=video_side, weights=GENERAL, **rate
        )
    record = RECORDS[GENERAL]
    held = read_provenance(fetch(record)) or {}
    card = {
        "model": model.name,
        "dataset": record.trained_on,
        "command": held.get("command"),
        "results": held.get("results"),
        "licence": record.licence,
    }
    set_card(model, card)
    if verbose:
        print("\n".join([GENERAL, *(f"  {line}" for line in card_lines(card))]))
    return model


@contextlib.contextmanager
def _policy(policy: str | None) -> Iterator[None]:
    """Build layers with another dtype policy than the global one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def check_file(path: str) -> None:
    """Raise an error unless the file is a complete `.keras` archive without forged sizes."""
    if not os.path.isfile(path):
        raise FileNotFoundError(
            "A model must be an existing `.keras` file, or 'general' for the shipped one. "
            f"Received: {path!r}, which is " + ("a folder" if os.path.isdir(path) else "missing")
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            "A model must be a `.keras` file as `model.save` writes it. Received: "
            f"{path!r}, which is another file or truncated ({os.path.getsize(path)} bytes)"
        )
    with zipfile.ZipFile(path) as archive:
        missing = {"config.json", "metadata.json", "model.weights.h5"} - set(archive.namelist())
    if missing:
        raise ValueError(
            "A model must be a `.keras` file as `model.save` writes it. Received: "
            f"{path!r}, a zip file without {sorted(missing)}"
        )
    for name in ("config.json", "metadata.json"):
        with open_member(path, name) as (_, length):
            if length > LARGEST_TEXT:
                raise ValueError(
                    f"{name} of a `.keras` file must have at most {LARGEST_TEXT} bytes. "
                    f"Received: {path!r} with {name} of {length} bytes"
                )
    with (
        open_member(path, "model.weights.h5") as (stream, length),
        open_hdf5(stream, label=path, length=length) as held,
    ):
        for name, data in held.datasets(held.file):
            held.check(data, name)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:500]


def _unknown_classes(path: str) -> list[str]:
    """Names of classes in a file's configuration that are not registered with Keras."""
    with zipfile.ZipFile(path) as archive:
        try:
            waiting, found = [json.loads(archive.read("config.json"))], set()
        except (ValueError, RecursionError):
            return []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
            name = value.get("registered_name")
            own = str(value.get("module", "")).split(".")[0] in ("keras", "builtins")
            if "class_name" in value and not own:
                name = name or value["class_name"]
                if keras.saving.get_registered_object(name) is None:
                    found.add(name)
        elif isinstance(value, list):
            waiting += value
    return sorted(found)


def load_into(model: keras.Model, source: str | os.PathLike) -> None:
    """Load a weight file of any supported format into a model."""
    from zoo.backbones.loading import load_weights

    load_weights(model, source)
