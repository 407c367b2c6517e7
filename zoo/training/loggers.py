"""Logging to Weights & Biases and MLflow through their own Keras callbacks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import keras


def make_logger(name: str, output: Path, options: Mapping) -> keras.callbacks.Callback:
    """Start logging to Weights & Biases or MLflow, and return the Keras callback.

    Args:
        name: "wandb" or "mlflow".
        output: folder of the run; also the run's name in the service.
        options: the run's options, which are logged too.

    Raises:
        ValueError: if `name` is unknown or its package is not installed.
    """
    if name not in ("wandb", "mlflow"):
        raise ValueError(f"`logger` must be wandb or mlflow. Received: logger={name!r}")
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"`logger` needs an extra package: pip install video-attention-zoo[{name}]. "
            f"Received: logger={name!r}, which is not installed"
        ) from error
    if name == "wandb":
        # With the same id, a resumed run continues its earlier log.
        identity = str(Path(output).resolve()).replace("/", "-")[-64:]
        module.init(name=str(output), id=identity, config=dict(options), resume="allow")
        return importlib.import_module("wandb.integration.keras").WandbMetricsLogger()
    module.set_experiment("video-attention-zoo")
    module.start_run(run_name=str(output))
    module.log_params(dict(options))
    return importlib.import_module("mlflow.keras").MlflowCallback()
