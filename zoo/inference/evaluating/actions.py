"""The actions that a joint model predicts for labelled videos."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.video.reading import open_record
from zoo.inference.streaming.joint import ActionPass, video_action
from zoo.inference.streaming.pipeline import run_model
from zoo.inference.streaming.stream import Stream


def video_actions(
    model: keras.Model,
    stream: Stream,
    records: Sequence[Record],
    *,
    precision: str | None,
    initial: str,
    chunk: int | None,
) -> dict[str, dict]:
    """The label and the predicted probabilities of each video, by its name.

    Args:
        model: a joint model.
        stream: the model's saliency.
        records: videos with a label.
        precision, initial, chunk: see `zoo.evaluate`; only with "pad" does the action see copies
            of the first frame.
    """
    action_pass, found = ActionPass(model, precision=precision), {}
    padded = action_pass.missing if initial == "pad" else 0
    for record in records:
        video = open_record(record)
        check_length(record, video.num_frames, action_pass.missing + 1, initial)
        how = {"initial": "pad" if padded else "omit", "chunk": chunk}
        pieces = [piece.outputs for piece in run_model(stream, video, **how)]
        steps = np.concatenate([outputs["mixture"] for outputs in pieces if outputs is not None])
        action, _ = video_action(action_pass, video, steps, padded)
        label = list(record.label) if isinstance(record.label, tuple) else int(record.label)
        probabilities = [round(float(value), 6) for value in action]
        found[record.name] = {"label": label, "probabilities": probabilities}
    return found


def check_length(record: Record, frames: int, least: int, initial: str) -> None:
    """Raise an error if a video is too short for a model."""
    if frames < least and initial != "pad":
        raise ValueError(
            f"A video must have at least {least} frames for this model, or "
            f'initial="pad". Received: {record.name!r}, {frames} frames'
        )
