"""The probability of a mixture of bivariate Gaussians in each cell of a grid."""

from __future__ import annotations

import math

from keras import ops

from zoo.layers.saliency.mixture import check_tensor, to_float

HALF_ROOT = math.sqrt(0.5)
PEAK = 1.0 / math.sqrt(2.0 * math.pi)
LEAST_ROW = 1e-4  # in rows with less of a component, its moments would be rounding errors
LEAST_TOTAL = 1e-6
FARTHEST = 1e4  # in sigmas


def mixture_mass(mixture, height: int, width: int):
    """The mixture's probability in each cell of a grid, relative to that inside the frame.

    Cells may be wider than the components, as in feature maps. Sampling the density at the cells'
    centres would then miss components between the centres.

    Each component is split into the rows of the grid, in which its probability, mean and variance
    along y are known in closed form. Along x it is approximated by a Gaussian of matching mean
    and variance, which is exact if there is no correlation.

    Args:
        mixture: Tensor (..., C, 6), see `mixture_log_prob`.
        height, width: Number of rows and columns of the grid.

    Returns:
        Tensor (..., height, width), float32; each map sums to 1. The map of a mixture outside the
        frame is uniform.

    Raises:
        ValueError: `mixture` has another shape.

    Example: `mixture_mass(model(clip)["mixture"], 7, 7)`
    """
    mixture = to_float(mixture)
    check_tensor(mixture, "mixture", 6)
    mixture = ops.expand_dims(mixture, -3)  # (..., 1, C, 6)
    weight = ops.exp(ops.log_softmax(mixture[..., 0], axis=-1))
    sigma_x, rho = ops.exp(mixture[..., 3]), ops.tanh(mixture[..., 5])

    rows = ops.reshape(ops.arange(height + 1, dtype="float32") / height, (-1, 1))
    z = ops.clip((rows - mixture[..., 2]) * ops.exp(-mixture[..., 4]), -FARTHEST, FARTHEST)
    below = 0.5 * ops.erf(z * HALF_ROOT)  # (..., height + 1, C)
    density = PEAK * ops.exp(-0.5 * ops.square(z))
    in_row = below[..., 1:, :] - below[..., :-1, :]
    low, high = z[..., :-1, :], z[..., 1:, :]
    enough = in_row > LEAST_ROW
    divisor = ops.where(enough, in_row, 1.0)
    # Mean and variance of a standard normal between `low` and `high`.
    mean = (density[..., :-1, :] - density[..., 1:, :]) / divisor
    spread = (low * density[..., :-1, :] - high * density[..., 1:, :]) / divisor
    variance = ops.clip(1.0 + spread - ops.square(mean), 0.0, 1.0)
    mean = ops.where(enough, mean, 0.5 * (low + high))
    variance = ops.where(enough, variance, 0.0)

    columns = ops.reshape(ops.arange(width + 1, dtype="float32") / width, (-1, 1))
    centre = mixture[..., 1] + rho * sigma_x * mean
    rest = ops.square(rho) * variance + 1.0 - ops.square(rho)
    scale = HALF_ROOT * ops.rsqrt(rest + 1e-6) / sigma_x
    u = (columns - ops.expand_dims(centre, -2)) * ops.expand_dims(scale, -2)
    left = 0.5 * ops.erf(u)  # (..., height, width + 1, C)
    in_cell = left[..., 1:, :] - left[..., :-1, :]
    mass = ops.sum(in_cell * ops.expand_dims(weight * in_row, -2), axis=-1)
    total = ops.sum(mass, axis=(-2, -1), keepdims=True)
    inside = total > LEAST_TOTAL
    mass = ops.where(inside, mass, 1.0 / (height * width))
    return mass / ops.where(inside, total, 1.0)
