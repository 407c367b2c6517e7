"""Batches of whole videos, with the error of a video that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.datasets import Samples, validation


def batches_in_order(samples: Samples, batch_size: int) -> Iterator[tuple]:
    """Yield the batches of `zoo.datasets.validation`.

    Raises:
        Exception: a sample's own error, of which TensorFlow's error carries only the text.
    """
    samples.fault = None
    try:
        yield from validation(samples, batch_size)
    except Exception as error:
        if samples.fault is not None:
            raise samples.fault from error
        raise
