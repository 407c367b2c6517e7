"""A mixture of bivariate Gaussians over the unit square: its log density and its map.

The last axis of `mixture` holds, for each component: logit of the weight, mean x, mean y,
log sigma x, log sigma y, and atanh of the correlation. x runs to the right, y down, both in
[0, 1]. All arithmetic is float32 or wider, in log space.
"""

from __future__ import annotations

import math

from keras import ops

LOG_2PI = math.log(2.0 * math.pi)


def to_float(x):
    """`x` as a tensor of at least float32."""
    x = ops.convert_to_tensor(x)
    return x if str(x.dtype).endswith("float64") else ops.cast(x, "float32")


def _log_sech(a):
    """log(1 / cosh(a)) without overflow; 2 * _log_sech(atanh rho) is log(1 - rho^2)."""
    a = ops.abs(a)
    return math.log(2.0) - a - ops.log1p(ops.exp(-2.0 * a))


def _component_log_prob(mixture, x, y):
    """log(weight * density) of each component; `x` and `y` broadcast against (..., C)."""
    log_weight = ops.log_softmax(mixture[..., 0], axis=-1)
    log_sx, log_sy, a = mixture[..., 3], mixture[..., 4], mixture[..., 5]
    zx = (x - mixture[..., 1]) * ops.exp(-log_sx)
    zy = (y - mixture[..., 2]) * ops.exp(-log_sy)
    # With rho = tanh(a), 1 / (1 -+ rho) = (1 + exp(+-2a)) / 2. So the quadratic form
    # (zx^2 - 2 rho zx zy + zy^2) / (1 - rho^2) is a sum of two squares with no division
    # by a difference that vanishes as |rho| nears 1.
    quadratic = 0.25 * (
        ops.square(zx - zy) * (1.0 + ops.exp(2.0 * a))
        + ops.square(zx + zy) * (1.0 + ops.exp(-2.0 * a))
    )
    return log_weight - LOG_2PI - log_sx - log_sy - _log_sech(a) - 0.5 * quadratic


def mixture_log_prob(mixture, points):
    """Log density of points under a mixture of bivariate Gaussians.

    Args:
        mixture: Tensor (..., C, 6): logit, mean x, mean y, log sigma x, log sigma y, atanh rho.
        points: Tensor (..., A, 2), x and y in units of the frame's width and height, with the
            same leading axes as `mixture`.

    Returns:
        Tensor (..., A), natural logarithm of the density with respect to the unit square.

    Raises:
        ValueError: The tensors have other shapes.

    Example:

    ```python
    mixture = np.zeros((1, 6), "float32")       # one component at the top left corner, sigma 1
    zoo.layers.mixture_log_prob(mixture, np.zeros((1, 2), "float32"))  # [-log(2 pi)]
    ```

    Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
    Spatiotemporal Visual Attention, ICLR 2017, section 3.
    """
    mixture, points = to_float(mixture), to_float(points)
    check_tensor(mixture, "mixture", 6)
    check_tensor(points, "points", 2)
    log_prob = _component_log_prob(
        ops.expand_dims(mixture, -3),  # (..., 1, C, 6)
        ops.expand_dims(points[..., 0], -1),  # (..., A, 1)
        ops.expand_dims(points[..., 1], -1),
    )
    return ops.logsumexp(log_prob, axis=-1)


def mixture_map(mixture, height: int, width: int):
    """The mixture's density at each pixel centre, normalised to sum to 1 over the map.

    Args:
        mixture: Tensor (..., C, 6), see `mixture_log_prob`.
        height, width: Size of the map in pixels.

    Returns:
        Tensor (..., height, width), float32; each map sums to 1.

    Raises:
        ValueError: `mixture` has another shape, or a side is below 1.

    Example: `zoo.layers.mixture_map(model(clip)["mixture"], 112, 112)`

    Reference: Bazzani et al., ICLR 2017, section 4 (prediction).
    """
    if height < 1 or width < 1:
        raise ValueError(
            f"`height` and `width` must be at least 1. Received: height={height}, width={width}"
        )
    mixture = to_float(mixture)
    check_tensor(mixture, "mixture", 6)
    mixture = ops.expand_dims(ops.expand_dims(mixture, -3), -3)  # (..., 1, 1, C, 6)
    x = (ops.arange(width, dtype="float32") + 0.5) / width
    y = (ops.arange(height, dtype="float32") + 0.5) / height
    log_prob = ops.logsumexp(
        _component_log_prob(mixture, ops.reshape(x, (1, width, 1)), ops.reshape(y, (height, 1, 1))),
        axis=-1,
    )
    # Scale the largest pixel to 1 before summing, so that a component narrower than a pixel does
    # not vanish.
    density = ops.exp(log_prob - ops.max(log_prob, axis=(-2, -1), keepdims=True))
    return density / ops.sum(density, axis=(-2, -1), keepdims=True)


def check_tensor(tensor, name: str, last: int):
    """Raise an error unless a tensor has at least two axes, the last of size `last`."""
    if len(tensor.shape) < 2 or tensor.shape[-1] != last:
        raise ValueError(
            f"`{name}` must have at least two axes, the last of size {last}. "
            f"Received: {name} of shape {tuple(tensor.shape)}"
        )
