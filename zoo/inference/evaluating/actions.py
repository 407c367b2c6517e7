"""The actions that a joint model predicts for labelled videos."""

from __future__ import annotations

import functools

import keras
import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.video.reading import open_record
from zoo.inference.evaluating.digest import digest
from zoo.inference.streaming.joint import ActionPass, video_action
from zoo.inference.streaming.pipeline import run_model
from zoo.inference.streaming.stream import Stream


class ActionReader:
    """Predicts the action of labelled videos.

    Args:
        model: a joint model.
        stream: the model's saliency.
        precision, initial, chunk: see `zoo.evaluate`; only with "pad" does the action see copies
            of the first frame.
    """

    def __init__(
        self,
        model: keras.Model,
        stream: Stream,
        *,
        precision: str | None,
        initial: str,
        chunk: int | None,
    ):
        self._stream = stream
        self._pass = ActionPass(model, precision=precision)
        self._initial, self._chunk = initial, chunk
        self._model = model

    @functools.cached_property
    def identity(self) -> str:
        """A hash of the model's graph and weights."""
        return digest(self._model.to_json(), *self._model.get_weights())

    def __call__(self, record: Record) -> dict:
        """The label and the predicted probabilities of a video."""
        padded = self._pass.missing if self._initial == "pad" else 0
        video = open_record(record)
        check_length(record, video.num_frames, self._pass.missing + 1, self._initial)
        how = {"initial": "pad" if padded else "omit", "chunk": self._chunk}
        pieces = [piece.outputs for piece in run_model(self._stream, video, **how)]
        steps = np.concatenate([outputs["mixture"] for outputs in pieces if outputs is not None])
        action, _ = video_action(self._pass, video, steps, padded)
        label = list(record.label) if isinstance(record.label, tuple) else int(record.label)
        return {"label": label, "probabilities": [round(float(value), 6) for value in action]}


def check_length(record: Record, frames: int, least: int, initial: str) -> None:
    """Raise an error if a video is too short for a model."""
    if frames < least and initial != "pad":
        raise ValueError(
            f"A video must have at least {least} frames for this model, or "
            f'initial="pad". Received: {record.name!r}, {frames} frames'
        )
