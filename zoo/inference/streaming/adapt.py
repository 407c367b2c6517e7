"""Adapt a model for inference, with the same weights: to a precision and a video."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import keras

from zoo._processor import warn_of_slow_bfloat16
from zoo.layers.saliency.seen_side import seen_side

PRECISIONS = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "mixed_bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
    "mixed_float16": "mixed_float16",
}

# Layers that keep their dtype: the input, and the density layers, which need float32.
_FLOAT32 = ("InputLayer", "LocalMixture", "MixtureDensity")


def adapt(
    model: keras.Model,
    *,
    precision: str | None = None,
    any_length: bool = True,
    frame_size: tuple[int, int] | None = None,
    frame_rate: float | None = None,
    video_side: int | None = None,
) -> keras.Model:
    """Free the model's time axis and, if requested, change the precision it computes in.

    Args:
        model: a functional model. It is never modified, and is returned as is if it fits, with
            any layers that it was built to keep in float32.
        precision: None, "float32", "bfloat16" or "float16". The weights, the density
            layers and the output layers stay in float32.
        any_length: whether to accept any number of frames.
        frame_size: (height, width) of the frames, for a model that accepts any size.
        frame_rate: frames per second of the video, for layers whose windows depend on it (see
            `zoo.layers.TrailingMean`); None: as built.
        video_side: longer side of the video in pixels, for layers that depend on it (see
            `zoo.layers.GazeScatter`); None: as built.

    Returns:
        The model, or a copy of it.

    Example: `adapt(zoo.rmdn(num_frames=65), precision="bfloat16")`.
    """
    if precision is not None and precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {tuple(PRECISIONS)}. Received: precision={precision!r}"
        )
    policy = PRECISIONS.get(precision)
    if policy == "mixed_bfloat16" and keras.config.backend() == "tensorflow":
        warn_of_slow_bfloat16()
    free = not any_length or all(tensor.shape[1] is None for tensor in model.inputs)
    sized = frame_size is None or None not in model.inputs[0].shape[2:]
    in_time = frame_rate is None or frame_rates(model) <= {frame_rate}
    seen = video_side is None or video_sides(model) <= {video_side}
    if sized and free and in_time and seen and (policy is None or _computes_in(model, policy)):
        return model
    config = model.get_config()
    for layer in config["layers"]:
        if not in_time and layer["config"].get("frame_rate"):
            layer["config"]["frame_rate"] = frame_rate
        if not seen and "video_side" in layer["config"]:
            layer["config"]["video_side"] = video_side
        if layer["class_name"] == "InputLayer":
            batch, time, *frame = layer["config"].pop("batch_shape")
            if not sized:
                frame = [*frame_size, *frame[2:]]
            layer["config"]["batch_shape"] = [batch, time if free else None, *frame]
    if policy is not None:
        outputs = {t._keras_history.operation.name for t in keras.tree.flatten(model.output)}
        _set_policy(config, policy, outputs)
    copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    return copy


def frame_rates(model: keras.Model) -> set[float]:
    """The rates that layers are built for whose windows last equally long at every rate.

    Example: `frame_rates(zoo.general_saliency())` is {30.0}.
    """
    return {getattr(layer, "frame_rate", None) for layer in model.layers} - {None}


def video_sides(model: keras.Model) -> set[int]:
    """The longer side of the videos, at most 1000, that layers are built for that depend on it.

    Example: `video_sides(zoo.general_saliency())` is {1000}.
    """
    return {seen_side(layer.video_side) for layer in model.layers if hasattr(layer, "video_side")}


def compile_for_inference(model: keras.Model) -> keras.Model:
    """Compile, without XLA on TensorFlow, where XLA slows down 3D convolutions on a CPU."""
    model.compile(jit_compile=keras.config.backend() == "jax")
    return model


def compiled_copy(model: keras.Model) -> keras.Model:
    """A compiled model with the same layers; the given one keeps its own compilation."""
    return compile_for_inference(keras.Model(model.input, model.output))


@contextlib.contextmanager
def quiet_retracing() -> Iterator[None]:
    """Silence TensorFlow's retracing warning: chunks come in two or three lengths."""
    logger = logging.getLogger("tensorflow")

    def wanted(record: logging.LogRecord) -> bool:
        return "tf.function retracing" not in record.getMessage()

    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)


def _computes_in(model, policy: str) -> bool:
    """Whether the model was built with a policy, perhaps with layers that it keeps in float32."""
    return {policy} <= _policies(model) <= {policy, "float32"}


def _policies(model) -> set[str]:
    outputs = {t._keras_history.operation for t in keras.tree.flatten(model.output)}
    found = set()
    for layer in model.layers:
        if type(layer).__name__ in _FLOAT32 or layer in outputs:
            continue
        inner = getattr(layer, "layer", layer)
        found |= _policies(inner) if isinstance(inner, keras.Model) else {inner.dtype_policy.name}
    return found


def _set_policy(config, policy, outputs):
    """Replace the dtype policy of every layer in a serialized model, except density and output."""
    if isinstance(config, list):
        for item in config:
            _set_policy(item, policy, outputs)
        return
    if not isinstance(config, dict):
        return
    inner = config.get("config")
    if isinstance(inner, dict):
        if config.get("class_name") in _FLOAT32 or inner.get("name") in outputs:
            return
        if isinstance(inner.get("dtype"), (dict, str)):
            inner["dtype"] = policy
    for key, value in config.items():
        if key not in ("dtype", "build_config", "inbound_nodes", "compile_config"):
            _set_policy(value, policy, outputs)
