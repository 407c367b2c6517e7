"""TV-L1 optical flow (total variation and L1 norm) for a batch of image pairs."""

from __future__ import annotations

from keras import ops

from zoo.layers.flow.median_filter import median_filter_5x5

SMALLEST_SIDE = 16


def _forward_difference(u, axis):
    """The next value minus this one; 0 at the end."""
    n = u.shape[axis]
    if axis == 1:
        return ops.pad(u[:, 1:] - u[:, : n - 1], ((0, 0), (0, 1), (0, 0)))
    return ops.pad(u[:, :, 1:] - u[:, :, : n - 1], ((0, 0), (0, 0), (0, 1)))


def _divergence(px, py):
    """The negative adjoint of the forward difference; the dual variable is 0 outside."""
    left = ops.pad(px[:, :, :-1], ((0, 0), (0, 0), (1, 0)))
    above = ops.pad(py[:, :-1], ((0, 0), (1, 0), (0, 0)))
    return px - left + py - above


def _central_gradient(image):
    """Half the difference of the two neighbours, with repeated edges."""
    x = ops.concatenate([image[:, :, :1], image, image[:, :, -1:]], 2)
    y = ops.concatenate([image[:, :1], image, image[:, -1:]], 1)
    return (x[:, :, 2:] - x[:, :, :-2]) / 2, (y[:, 2:] - y[:, :-2]) / 2


def _cubic_weights(t):
    """Weights of Keys' cubic interpolation with a = -0.75 for the neighbours -1, 0, 1 and 2."""
    a = -0.75
    far, near = t + 1, 1 - t
    first = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    second = ((a + 2) * t - (a + 3)) * t * t + 1
    third = ((a + 2) * near - (a + 3)) * near * near + 1
    return first, second, third, 1 - first - second - third


def _warp(images, u, v):
    """Sample images (batch, height, width, channels) at each pixel's position plus (u, v).

    The interpolation is bicubic; values outside the image are zero, as in OpenCV.
    """
    height, width, channels = images.shape[1:]
    x = ops.arange(width, dtype="float32")[None, None, :] + u
    y = ops.arange(height, dtype="float32")[None, :, None] + v
    # Far outside, everything is zero anyway; the bounds keep the integers small.
    x, y = ops.clip(x, -3.0, width + 2.0), ops.clip(y, -3.0, height + 2.0)
    x0, y0 = ops.floor(x), ops.floor(y)
    wx, wy = _cubic_weights(x - x0), _cubic_weights(y - y0)
    # The margin of zeros contains all neighbours of positions within these bounds. Four horizontal
    # neighbours are stored together, so that they are fetched at once.
    margin = 4
    padded = ops.pad(images, ((0, 0), (margin, margin + 1), (margin, margin + 4), (0, 0)))
    rows, columns = height + 2 * margin + 1, width + 2 * margin + 1
    four = ops.concatenate([padded[:, :, j : j + columns] for j in range(4)], axis=-1)
    flat = ops.reshape(four, (-1, 4 * channels))
    start = ops.arange(ops.shape(images)[0], dtype="int32")[:, None, None] * (rows * columns)
    corner = start + (ops.cast(y0, "int32") + margin - 1) * columns
    corner = corner + ops.cast(x0, "int32") + margin - 1
    total = 0.0
    for i in range(4):
        taken = ops.take(flat, corner + i * columns, axis=0)  # (batch, height, width, 12)
        row = 0.0
        for j in range(4):
            row = row + taken[..., j * channels : (j + 1) * channels] * wx[j][..., None]
        total = total + row * wy[i][..., None]
    return total


def _one_scale(first, second, u, v, *, tau, lambda_, theta, warps, outer, inner, median):
    gradient = _central_gradient(second)
    second = ops.stack([second, *gradient], axis=-1)
    step = tau / theta
    bound = lambda_ * theta

    def warp(_, state):
        u, v, dual = state[0], state[1], state[2:]
        warped = _warp(second, u, v)
        image, gx, gy = (warped[..., k] for k in range(3))
        square = gx * gx + gy * gy
        constant = image - gx * u - gy * v - first
        # Without a gradient the data term is flat, and the flow must not be moved.
        inverse = ops.where(square > 1e-9, 1 / ops.maximum(square, 1e-9), 0.0)

        def iterate(_, state):
            u, v, pux, puy, pvx, pvy = state
            residual = constant + gx * u + gy * v
            # The three cases of the thresholding in one expression: d in [-bound, bound].
            d = ops.clip(-residual * inverse, -bound, bound)
            u = u + d * gx + theta * _divergence(pux, puy)
            v = v + d * gy + theta * _divergence(pvx, pvy)
            ux, uy = _forward_difference(u, 2), _forward_difference(u, 1)
            vx, vy = _forward_difference(v, 2), _forward_difference(v, 1)
            nu = 1 / (1 + step * ops.sqrt(ux * ux + uy * uy))
            nv = 1 / (1 + step * ops.sqrt(vx * vx + vy * vy))
            return (
                u,
                v,
                (pux + step * ux) * nu,
                (puy + step * uy) * nu,
                (pvx + step * vx) * nv,
                (pvy + step * vy) * nv,
            )

        def round_(_, state):
            u, v = state[:2]
            if median:
                u, v = median_filter_5x5(u), median_filter_5x5(v)
            return ops.fori_loop(0, inner, iterate, (u, v, *state[2:]))

        return ops.fori_loop(0, outer, round_, (u, v, *dual))

    zero = ops.zeros_like(first)
    state = ops.fori_loop(0, warps, warp, (u, v, zero, zero, zero, zero))
    return state[0], state[1]


def _resize(image, size):
    image = ops.image.resize(
        image[..., None], size, interpolation="bilinear", data_format="channels_last"
    )
    return image[..., 0]


def tvl1_flow(
    first,
    second,
    *,
    tau: float = 0.25,
    lambda_: float = 0.15,
    theta: float = 0.3,
    scales: int = 5,
    scale_step: float = 0.8,
    warps: int = 4,
    outer: int = 1,
    inner: int = 20,
    median: bool = True,
):
    """Estimate the motion from one grey image to the next by TV-L1.

    Args:
        first: (batch, height, width) first frames, 0 to 255.
        second: (batch, height, width) next frames.
        tau: Time step of the dual iteration.
        lambda_: Weight of the data term; smaller values give smoother flow.
        theta: Tightness of the coupling between data term and smoothness.
        scales: Number of pyramid levels; fewer if a side would fall below 16 pixels.
        scale_step: Size of a level relative to the next finer one.
        warps: Number of linearisations per level.
        outer: Number of rounds per warp.
        inner: Number of iterations per round. Unlike in OpenCV it is fixed, so that a whole batch
            finishes together.
        median: Whether each round begins with a 5x5 median filter.

    Returns:
        (batch, height, width, 2) float32, motion to the right and down in pixels.

    Raises:
        ValueError: The images are not of the same shape (batch, height, width).

    Example: `tvl1_flow(grey[:-1], grey[1:])`  # grey: (time, height, width)

    Reference: Zach, Pock and Bischof, "A duality based approach for realtime TV-L1 optical
    flow", DAGM 2007; the iteration follows Sanchez Perez, Meinhardt-Llopis and Facciolo,
    "TV-L1 optical flow estimation", IPOL 2013.
    """
    first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
    if len(first.shape) != 3 or tuple(first.shape[1:]) != tuple(second.shape[1:]):
        raise ValueError(
            "`first` and `second` must have the same shape (batch, height, width). "
            f"Received: first.shape={first.shape}, second.shape={second.shape}"
        )
    sizes = [tuple(first.shape[1:])]
    while len(sizes) < scales:
        size = tuple(round(side * scale_step) for side in sizes[-1])
        if min(size) < SMALLEST_SIDE:
            break
        sizes.append(size)
    pyramid = [(first, second)]
    for size in sizes[1:]:
        pyramid.append(tuple(_resize(image, size) for image in pyramid[-1]))
    u = v = ops.zeros_like(pyramid[-1][0])
    for level in reversed(range(len(sizes))):
        u, v = _one_scale(
            *pyramid[level],
            u,
            v,
            tau=tau,
            lambda_=lambda_,
            theta=theta,
            warps=warps,
            outer=outer,
            inner=inner,
            median=median,
        )
        if level:
            u = _resize(u, sizes[level - 1]) / scale_step
            v = _resize(v, sizes[level - 1]) / scale_step
    return ops.stack([u, v], axis=-1)
