"""`zoo.predict` for joint models of saliency and action."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from zoo.inference.actions.joint_prediction import JointPrediction
from zoo.inference.saliency import predict_saliency, saliency_stream
from zoo.inference.streaming.joint import ActionPass, check_classes, saliency_part, video_action
from zoo.inference.streaming.sources import AnyVideo
from zoo.inference.writing.prediction import is_picture


def predict_joint(
    model: keras.Model,
    video: AnyVideo,
    *,
    output: str | os.PathLike | None,
    initial: str,
    film: bool,
    sound: bool,
    size: tuple[int, int],
    classes: Sequence[str] | None,
    mirror: bool,
    precision: str | None,
    **options,
) -> JointPrediction:
    """`zoo.predict` for one video and a joint model."""
    classes = check_classes(classes, model)
    still = is_picture(video)
    initial = "pad" if still else initial
    found = predict_saliency(
        saliency_stream(saliency_part(model), precision=precision, mirror=mirror),
        video,
        output=output,
        initial=initial,
        film=film and still,
        sound=sound,
        size=size,
        facts={"precision": precision or "as built"},
        model=model.name,
        **options,
    )
    action_pass = ActionPass(model, precision=precision)
    # Repeated copies of the first mixture do not correspond to steps of the model.
    steps = found.outputs["mixture"]
    repeated = action_pass.missing if initial == "repeat" else 0
    padded = action_pass.missing if initial == "pad" else 0
    action, temporal = video_action(action_pass, video, steps[repeated:], padded)
    temporal = np.concatenate([temporal[:1].repeat(repeated), temporal])
    prediction = JointPrediction(
        **{field.name: getattr(found, field.name) for field in dataclasses.fields(found)},
        action=action,
        temporal=temporal,
        classes=classes,
    )
    if output is not None:
        prediction.write_action(Path(output), film and not still, size, sound=sound)
    return prediction
