"""Highest and lowest values of each sample, also in an empty batch."""

from __future__ import annotations

from keras import ops


def highest(x, axis, keepdims: bool = False):
    """`ops.max` over axes other than the first; an empty batch gives no values, not an error."""
    return (ops.sum if x.shape[0] == 0 else ops.max)(x, axis=axis, keepdims=keepdims)


def lowest(x, axis, keepdims: bool = False):
    """`ops.min` over axes other than the first; an empty batch gives no values, not an error."""
    return (ops.sum if x.shape[0] == 0 else ops.min)(x, axis=axis, keepdims=keepdims)
