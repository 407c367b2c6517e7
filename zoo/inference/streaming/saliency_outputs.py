"""One interface to all saliency outputs: maps, log densities and mixtures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import cv2
import keras
import numpy as np

from zoo.inference.streaming.clip_maps import ClipMaps
from zoo.inference.streaming.mirror import MirroredStream, require_mirrorable
from zoo.inference.streaming.picture import PictureStream
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.candidates import map_candidates, mixtures_candidates
from zoo.inference.writing.rendering import render_mixture, render_mixtures

AnyStream: TypeAlias = Stream | ClipMaps | PictureStream
SALIENCY_OUTPUTS = ("log_density", "mixture", "saliency")


def open_stream(
    model: keras.Model | AnyStream,
    *,
    precision: str | None = None,
    stride: int = 1,
    flow: str | Callable | None = None,
    mirror: bool = False,
    picture: bool = False,
) -> AnyStream:
    """Choose how a video is fed to a model: as consecutive frames, in long clips, or as a picture.

    Args:
        model: a model, or what this function returned for one.
        precision: see `Stream`.
        stride, flow: see `ClipMaps`; not for models with an output for every frame.
        mirror: see `MirroredStream`.
        picture: the videos are single pictures, and the model `takes_pictures`.

    Example: `open_stream(zoo.lsts(), stride=4)`.
    """
    if isinstance(model, AnyStream):
        return model
    if takes_long_clips(model):
        if mirror:
            require_mirrorable(model.output)
        return ClipMaps(model, precision=precision, stride=stride, flow=flow)
    if stride != 1 or flow is not None:
        raise ValueError(
            "`stride` and `flow` are for models of long clips with the output 'saliency'. "
            f"Received: stride={stride}, flow={flow!r} for the model {model.name!r}"
        )
    if picture:
        return PictureStream(model, precision=precision)
    return (MirroredStream if mirror else Stream)(model, precision=precision)


def takes_long_clips(model: keras.Model) -> bool:
    """Whether a model predicts one saliency map for each long clip, not one for each frame."""
    names = output_names(model)
    one_map = "saliency" in names and len(model.output["saliency"].shape) == 3
    return one_map and "mixture" not in names


def output_names(model: keras.Model) -> tuple[str, ...]:
    """The names of a model's outputs; empty if they have no names."""
    outputs = getattr(model, "output", None)  # a Sequential model may have none
    return tuple(outputs) if isinstance(outputs, dict) else ()


def saliency_output(names) -> str:
    """The name of the output to compute maps from; an error if there is none."""
    found = [name for name in SALIENCY_OUTPUTS if name in names]
    if not found:
        raise ValueError(
            "A model must have an output named 'log_density', 'mixture' or 'saliency' for saliency "
            "maps. "
            f"Received: the outputs {sorted(names)}"
        )
    return found[0]


def output_map(outputs: Mapping[str, np.ndarray], index: int, height: int, width: int):
    """The density (height, width) of one frame, summing to 1, from a model's outputs (n, ...)."""
    name = saliency_output(outputs)
    if name == "mixture":
        return render_mixture(outputs[name][index], height, width)
    return resized_map(_as_map(name, outputs[name][index]), height, width)


def output_maps(outputs: Mapping[str, np.ndarray], part: slice, height: int, width: int):
    """Densities (n, height, width) for a slice of the frames, see `output_map`."""
    name = saliency_output(outputs)
    if name == "mixture":
        return render_mixtures(outputs[name][part], height, width)
    maps = (_as_map(name, saliency) for saliency in outputs[name][part])
    return np.stack([resized_map(saliency, height, width) for saliency in maps])


def outputs_candidates(outputs: Mapping[str, np.ndarray], count: int) -> list[np.ndarray]:
    """For every frame, up to `count` most likely gaze positions (k, 3): x, y, share."""
    name = saliency_output(outputs)
    if not count:
        return [np.zeros((0, 3), np.float32)] * len(outputs[name])
    if name == "mixture":
        return mixtures_candidates(outputs[name], max_candidates=count)
    maps = (_as_map(name, saliency) for saliency in outputs[name])
    return [map_candidates(saliency, max_candidates=count) for saliency in maps]


def _as_map(name: str, values: np.ndarray) -> np.ndarray:
    """A frame's map as float32; a log density is converted to a density."""
    values = np.asarray(values, np.float32)
    return np.exp(values) if name == "log_density" else values


def resized_map(saliency: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a saliency map (rows, columns) and normalise it to sum 1; an empty map is uniform."""
    saliency = np.asarray(saliency, np.float32)
    if not np.isfinite(saliency).all():
        raise ValueError(
            "`saliency` must be finite: the model's weights may have diverged in training. "
            f"Received: {int((~np.isfinite(saliency)).sum())} values that are not finite"
        )
    if saliency.shape != (height, width):
        shrinks = height <= saliency.shape[0] and width <= saliency.shape[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        saliency = cv2.resize(saliency, (width, height), interpolation=way)
    total = cv2.sumElems(saliency)[0]  # in float64
    if total <= 0:
        return np.full((height, width), 1.0 / (height * width), np.float32)
    return saliency / np.float32(total)
