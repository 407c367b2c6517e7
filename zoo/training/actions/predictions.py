"""Predictions of an action model for whole videos."""

from __future__ import annotations

import keras
import numpy as np

from zoo.datasets import Samples
from zoo.training.devices import predict_on_batch
from zoo.training.in_order import batches_in_order


def predict_videos(
    model: keras.Model, samples: Samples, batch_size: int
) -> list[dict[str, np.ndarray]]:
    """Predict whole videos by combining the outputs of each video's samples.

    Args:
        model: an action model that takes the inputs of `samples`.
        samples: the videos.
        batch_size: samples per batch.

    Returns:
        The outputs of each video: "action" (classes,) is the mean over its samples;
        "spatial_attention" holds the maps of all frames, each taken from the first sample that
        contains the frame; every other output is that of the first sample.
    """
    found: list[dict[str, np.ndarray]] = [{} for _ in samples.records]
    last = np.full(len(found), -1)
    counts = np.bincount([place.video for place in samples.places], minlength=len(found))
    for number, (inputs, *_) in enumerate(batches_in_order(samples, batch_size)):
        outputs = predict_on_batch(model, inputs)
        chosen = samples.places[number * batch_size : (number + 1) * batch_size]
        for row, place in enumerate(chosen):
            held = {name: value[row] for name, value in outputs.items()}
            action = held["action"].reshape(-1, held["action"].shape[-1]).mean(axis=0)
            held["action"] = action / counts[place.video]
            before = found[place.video]
            if before:
                before["action"] = before["action"] + held["action"]
                if "spatial_attention" in held:
                    maps = held["spatial_attention"]
                    # A video backbone returns fewer maps than it takes frames.
                    of = place.steps[np.arange(len(maps)) * len(place.steps) // len(maps)]
                    new = maps[of > last[place.video]]
                    joined = np.concatenate([before["spatial_attention"], new])
                    before["spatial_attention"] = joined
            else:
                found[place.video] = held
            last[place.video] = place.steps[-1]
    return found
