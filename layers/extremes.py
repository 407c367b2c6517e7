"""Highest and lowest values of samples, also of a batch without any."""

from __future__ import annotations

from keras import ops


def highest(x, axis, keepdims: bool = False):
    """`ops.max` over axes other than the first; no sample gives no value instead of an error."""
    return (ops.sum if x.shape[0] == 0 else ops.max)(x, axis=axis, keepdims=keepdims)


def lowest(x, axis, keepdims: bool = False):
    """`ops.min` over axes other than the first; no sample gives no value instead of an error."""
    return (ops.sum if x.shape[0] == 0 else ops.min)(x, axis=axis, keepdims=keepdims)
