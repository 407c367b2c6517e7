"""Saved models."""

from __future__ import annotations

import importlib
import os
import zipfile

import keras

# Their classes are registered with Keras when they are imported.
REGISTERED = ("zoo.layers", "zoo.losses", "zoo.metrics", "zoo.models.joint_model")


def register() -> None:
    """Let Keras find every class of the zoo that a saved model can hold."""
    for module in REGISTERED:
        importlib.import_module(module)


def load(path: str | os.PathLike, *, compile: bool = False) -> keras.Model:
    """A saved model of the zoo.

    Args:
        path: a `.keras` file.
        compile: also restore the optimizer, losses and metrics, to train on.

    Returns:
        The model.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a saved Keras model.

    Example: `zoo.load("runs/rmdn/best.keras")`.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"A model must be an existing `.keras` file. Received: {path!r}, which is "
            + ("a folder" if os.path.isdir(path) else "not there")
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            "A model must be a `.keras` file as `model.save` writes it. Received: "
            f"{path!r}, which is not one or is truncated ({os.path.getsize(path)} bytes)"
        )
    with zipfile.ZipFile(path) as archive:
        missing = {"config.json", "model.weights.h5"} - set(archive.namelist())
    if missing:
        raise ValueError(
            "A model must be a `.keras` file as `model.save` writes it. Received: "
            f"{path!r}, a zip file without {sorted(missing)}"
        )
    register()
    return keras.models.load_model(path, compile=compile)


def load_into(model: keras.Model, source: str | os.PathLike) -> None:
    """Read a weight file of any known form into a model."""
    from zoo.backbones.loading import load_weights

    load_weights(model, source)
