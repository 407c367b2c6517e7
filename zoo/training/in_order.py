"""Batches of whole videos, and the errors of videos that cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from zoo.datasets import Samples, validation


@contextlib.contextmanager
def own_errors(samples: Samples) -> Iterator[None]:
    """Raise a sample's own error, of which TensorFlow's error carries only the text."""
    samples.fault = None
    try:
        yield
    except Exception as error:
        if samples.fault is not None:
            raise samples.fault from error
        raise


def batches_in_order(samples: Samples, batch_size: int) -> Iterator[tuple]:
    """Yield the batches of `zoo.datasets.validation`, with `own_errors`."""
    with own_errors(samples):
        yield from validation(samples, batch_size)
