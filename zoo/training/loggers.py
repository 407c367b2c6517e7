"""Reports to services that follow experiments, through their own Keras callbacks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import keras


def make_logger(name: str, output: Path, options: Mapping) -> keras.callbacks.Callback:
    """The Keras callback of Weights & Biases or MLflow, with the run's options.

    Args:
        name: wandb or mlflow.
        output: folder of the run, which gives the report its name.
        options: the run's options.
    """
    if name not in ("wandb", "mlflow"):
        raise ValueError(f"`logger` must be wandb or mlflow. Received: logger={name!r}")
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"`logger` needs the package: pip install video-attention-zoo[{name}]. "
            f"Received: logger={name!r}, which is not installed"
        ) from error
    if name == "wandb":
        # The id lets a run that goes on report to the same place.
        identity = str(Path(output).resolve()).replace("/", "-")[-64:]
        module.init(name=str(output), id=identity, config=dict(options), resume="allow")
        return importlib.import_module("wandb.integration.keras").WandbMetricsLogger()
    module.set_experiment("video-attention-zoo")
    module.start_run(run_name=str(output))
    module.log_params(dict(options))
    return importlib.import_module("mlflow.keras").MlflowCallback()
