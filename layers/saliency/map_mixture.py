"""Conversion of a density map to a mixture of Gaussians."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class MapMixture(keras.layers.Layer):
    """Converts a density map to a mixture with one Gaussian for each cell of a coarse grid.

    Each Gaussian has the probability, mean and variance of the map inside its cell, so the
    mixture has the map's mean and covariance, without any weights or optimisation. Whatever
    accepts the mixture of `zoo.rmdn` can thus use a map: feedback, the attended branch of
    `zoo.joint`, `MixtureNLL`. The layer computes in float32 under every dtype policy.

    Args:
        rows, columns: Size of the grid; there are rows * columns Gaussians.
        min_sigma: Its square is added to the variances; as a fraction of the frame's side. It
            keeps a cell with all its mass in one pixel as wide as the accuracy of eye trackers.

    Input shape: (..., height, width), log densities; `exp` of each map sums to 1.

    Output shape: (..., rows * columns, 6), the six numbers of `zoo.layers.MixtureDensity`.

    Raises:
        ValueError: An argument is out of range.

    Example: `MapMixture()(model(video)["log_density"])`  # (batch, time, 48, 6)
    """

    def __init__(self, rows: int = 6, columns: int = 8, min_sigma: float = 0.02, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if min(rows, columns) < 1:
            raise ValueError(
                f"`rows` and `columns` must be at least 1. Received: rows={rows}, columns={columns}"
            )
        if not min_sigma > 0:
            raise ValueError(f"`min_sigma` must be positive. Received: min_sigma={min_sigma}")
        self.rows = rows
        self.columns = columns
        self.min_sigma = min_sigma

    def call(self, inputs):
        density = ops.exp(inputs)
        height, width = ops.shape(inputs)[-2:]
        down, y, middle_y = _axis(height, self.rows)  # (height, rows), (height,), (rows,)
        across, x, middle_x = _axis(width, self.columns)

        def cells(values_y, values_x):
            """Sums over each cell of density * values_y * values_x."""
            part = ops.matmul(density, across * values_x[:, None])  # (..., height, columns)
            return ops.matmul(ops.transpose(down * values_y[:, None]), part)

        one_y, one_x = ops.ones_like(y), ops.ones_like(x)
        mass = cells(one_y, one_x)
        safe = ops.maximum(mass, 1e-20)
        # The Gaussian of a cell without mass stays at its centre, with a negligible weight.
        empty = mass <= 1e-20
        mean_x = ops.where(empty, middle_x[None, :], cells(one_y, x) / safe)
        mean_y = ops.where(empty, middle_y[:, None], cells(y, one_x) / safe)
        spread_x = ops.maximum(cells(one_y, x * x) / safe - mean_x * mean_x, 0.0)
        spread_y = ops.maximum(cells(y * y, one_x) / safe - mean_y * mean_y, 0.0)
        floor = self.min_sigma**2
        parts = [
            ops.log(safe),
            mean_x,
            mean_y,
            0.5 * ops.log(spread_x + floor),
            0.5 * ops.log(spread_y + floor),
            ops.zeros_like(mass),
        ]
        mixture = ops.stack(parts, axis=-1)  # (..., rows, columns, 6)
        lead = ops.shape(inputs)[:-2]
        return ops.reshape(mixture, (*lead, self.rows * self.columns, 6))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-2], self.rows * self.columns, 6)

    def get_config(self):
        return {
            **super().get_config(),
            "rows": self.rows,
            "columns": self.columns,
            "min_sigma": self.min_sigma,
        }


def _axis(count, cells: int):
    """For one axis: pixels' cells (one-hot, one column per cell), centres of pixels and cells."""
    place = (ops.cast(ops.arange(count), "float32") + 0.5) / ops.cast(count, "float32")
    cell = ops.cast(ops.floor(place * cells), "int32")
    middles = ops.convert_to_tensor((np.arange(cells) + 0.5) / cells, "float32")
    return ops.one_hot(cell, cells, dtype="float32"), place, middles
