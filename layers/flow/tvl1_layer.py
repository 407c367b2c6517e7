"""TV-L1 as a layer, and as a compiled function for data pipelines."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from zoo.layers.flow.tvl1 import tvl1_flow

GREY = (0.299, 0.587, 0.114)


@keras.saving.register_keras_serializable(package="zoo")
class TVL1Flow(keras.layers.Layer):
    """Computes the optical flow between successive frames of a video by TV-L1.

    Args:
        tau, lambda_, theta, scales, scale_step, warps, outer, inner, median: see
            `zoo.layers.tvl1_flow`.

    Input shape: `(batch, time, height, width, 3)` RGB or `(..., 1)` grey, 0 to 255.
    Output shape: `(batch, time - 1, height, width, 2)`, float32, motion to the right and down in
    pixels.

    Raises:
        ValueError: An argument is out of range.

    Example: `TVL1Flow()(video)`

    Reference: Zach, Pock and Bischof, "A duality based approach for realtime TV-L1 optical
    flow", DAGM 2007.
    """

    def __init__(
        self,
        tau: float = 0.25,
        lambda_: float = 0.15,
        theta: float = 0.3,
        scales: int = 5,
        scale_step: float = 0.8,
        warps: int = 4,
        outer: int = 1,
        inner: int = 20,
        median: bool = True,
        **kwargs,
    ):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if min(scales, warps, outer, inner) < 1 or not 0 < scale_step < 1:
            raise ValueError(
                "`scales`, `warps`, `outer` and `inner` must be at least 1 and `scale_step` "
                f"between 0 and 1. Received: scales={scales}, warps={warps}, outer={outer}, "
                f"inner={inner}, scale_step={scale_step}"
            )
        self.options = {
            "tau": tau,
            "lambda_": lambda_,
            "theta": theta,
            "scales": scales,
            "scale_step": scale_step,
            "warps": warps,
            "outer": outer,
            "inner": inner,
            "median": median,
        }

    def call(self, inputs):
        height, width, channels = inputs.shape[2:]
        grey = inputs[..., 0]
        if channels == 3:
            grey = ops.sum(inputs * ops.convert_to_tensor(GREY, "float32"), axis=-1)
        first = ops.reshape(grey[:, :-1], (-1, height, width))
        second = ops.reshape(grey[:, 1:], (-1, height, width))
        flow = tvl1_flow(first, second, **self.options)
        time = inputs.shape[1] - 1 if inputs.shape[1] else ops.shape(inputs)[1] - 1
        return ops.reshape(flow, (-1, time, height, width, 2))

    def compute_output_shape(self, input_shape):
        time = None if input_shape[1] is None else input_shape[1] - 1
        return (input_shape[0], time, *input_shape[2:4], 2)

    def get_config(self):
        return {**super().get_config(), **self.options}


def tvl1_function(
    size: tuple[int, int] = (112, 112), **options
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Create a compiled function that computes the flow between two grey batches (n, h, w).

    It can be used as `method` of `zoo.datasets.video.flow.video_flow`. The backend compiles it
    once for each batch size (with XLA on TensorFlow and JAX).

    Args:
        size: (height, width) of the images.
        options: Options of `TVL1Flow`.

    Returns:
        A function of two arrays (n, height, width), 0 to 255, that returns (n, height, width, 2).

    Example: `video_flow(frames, method=tvl1_function((112, 112)))`
    """
    inputs = keras.Input((2, *size, 1))
    model = keras.Model(inputs, TVL1Flow(**options)(inputs))
    compiled = keras.config.backend() != "torch"
    model.compile(jit_compile=compiled)

    def flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        pairs = np.stack([first, second], axis=1).astype("float32")[..., None]
        return ops.convert_to_numpy(model.predict_on_batch(pairs))[:, 0]

    return flow
