"""Checks and normalisations that the saliency metrics share."""

from __future__ import annotations

from keras import ops

from zoo.layers.extremes import highest, lowest

EPSILON = 2.22e-16  # Matlab's eps, as in the MIT benchmark's code.


def flat_maps(**maps) -> list:
    """Check that arrays have the same shape (batch, height, width); flatten to (batch, pixels).

    A map that is not finite raises an error or, inside a traced function, where values are
    unknown, makes the metric NaN.
    """
    first = None
    flat = []
    for name, value in maps.items():
        value = ops.cast(ops.convert_to_tensor(value), "float32")
        if len(value.shape) != 3:
            raise ValueError(
                f"`{name}` must have the shape (batch, height, width). "
                f"Received: {name}.shape={tuple(value.shape)}"
            )
        if first is None:
            first = name, tuple(value.shape)
        elif not _same(first[1], tuple(value.shape)):
            raise ValueError(
                f"`{first[0]}` and `{name}` must have the same shape; resize the prediction "
                "(bicubic) to the size of the ground truth. Received: "
                f"{first[0]}.shape={first[1]}, {name}.shape={tuple(value.shape)}"
            )
        check(ops.all(ops.isfinite(value)), f"`{name}` must be finite", f"{name} with NaN or inf")
        batch, height, width = ops.shape(value)
        flat.append(ops.reshape(value, (batch, height * width)))
    return flat


def check(condition, rule: str, fact: str) -> None:
    """Raise an error if `condition` is false; do nothing while tracing."""
    try:
        satisfied = bool(ops.convert_to_numpy(condition))
    except (NotImplementedError, TypeError, AttributeError):  # a symbolic tensor has no value
        return
    if not satisfied:
        raise ValueError(f"{rule}. Received: {fact}")


def check_not_negative(**maps) -> None:
    for name, value in maps.items():
        check(ops.all(value >= 0), f"`{name}` must not be negative", f"{name} with negative values")


def density(flat):
    """Each map scaled to sum to 1; an empty map becomes the uniform density."""
    pixels = ops.cast(ops.shape(flat)[1], "float32")
    peak = highest(flat, axis=1, keepdims=True)
    scaled = flat / ops.where(peak > 0, peak, 1.0)  # avoids over- and underflow in the sum
    total = ops.sum(scaled, axis=1, keepdims=True)
    return ops.where(total == 0, 1.0 / pixels, scaled / ops.where(total == 0, 1.0, total))


def min_max(flat):
    """Each map scaled to [0, 1]; a constant map becomes zeros."""
    floor = lowest(flat, axis=1, keepdims=True)
    extent = highest(flat, axis=1, keepdims=True) - floor
    return (flat - floor) / ops.where(extent == 0, 1.0, extent)


def is_constant(flat):
    return highest(flat, axis=1) == lowest(flat, axis=1)


def weighted_mean(values, weights):
    """The weighted mean over axis 1; NaN if the weights sum to 0."""
    total = ops.sum(weights, axis=1)
    shares = weights / ops.where(total > 0, total, 1.0)[:, None]
    mean = ops.sum(ops.where(weights > 0, values * shares, 0.0), axis=1)
    return or_nan(mean, total > 0)


def or_nan(values, defined):
    return ops.where(defined, values, float("nan"))


def fixation_weights(counts, duplicates: bool):
    """The weight of each pixel: its number of fixations or, without duplicates, 1 if fixated."""
    return counts if duplicates else ops.cast(counts > 0, "float32")


def _same(one: tuple, other: tuple) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(one, other))
