"""`zoo.predict` and `zoo.evaluate` for joint models of saliency and action."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from zoo.datasets.video.reading import open_record
from zoo.files.json_file import write_json
from zoo.inference.actions.joint_prediction import JointPrediction
from zoo.inference.evaluating.evaluation import Evaluation, safe_name
from zoo.inference.saliency import predict_saliency, saliency_stream
from zoo.inference.streaming.joint import ActionPass, check_classes, saliency_part, video_action
from zoo.inference.streaming.pipeline import run_model
from zoo.inference.streaming.sources import AnyVideo
from zoo.inference.streaming.stream import Stream
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
    action_pass = ActionPass(model)
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


@dataclasses.dataclass(frozen=True)
class JointEvaluation(Evaluation):
    """An `Evaluation` that includes the actions predicted for the labelled videos.

    Attributes:
        actions: video name to {"label", "probabilities"}.
    """

    actions: dict = dataclasses.field(default_factory=dict)

    @property
    def action(self) -> dict[str, float]:
        """Accuracy (mean average precision if a video has several labels) and number of videos."""
        if not self.actions:
            return {}
        labels = [found["label"] for found in self.actions.values()]
        scores = np.array([found["probabilities"] for found in self.actions.values()])
        result = {"videos": len(labels)}
        if any(isinstance(label, list) for label in labels):
            from zoo.metrics import mean_average_precision

            hot = np.zeros(scores.shape, int)
            for row, label in zip(hot, labels):
                row[label if isinstance(label, list) else [label]] = 1
            result["mean_average_precision"] = float(mean_average_precision(hot, scores))
        else:
            result["accuracy"] = float(np.mean(scores.argmax(1) == np.array(labels)))
        return result

    def to_json(self) -> dict:
        return {**super().to_json(), "action": self.action, "actions": self.actions}


def evaluate_joint(model: keras.Model, records, *, evaluate, output=None, **options):
    """`zoo.evaluate` for a joint model; `evaluate` is `zoo.evaluate` itself."""
    records = list(records)
    watched = [record for record in records if record.gaze is not None]
    labelled = [record for record in records if record.label is not None]
    if not watched and not labelled:
        raise ValueError(
            f"Records must have gaze or a label. Received: {len(records)} records with neither"
        )
    part = saliency_part(model)
    if watched:
        found = evaluate({model.name: part}, watched, output=output, **options)
    else:
        found = Evaluation([], {"models": [model.name]}, ["No video has gaze."], None)
    action_pass, stream = ActionPass(model), Stream(part)
    folder = None if found.output is None else Path(found.output) / "actions"
    actions = {}
    for record in labelled:
        label = list(record.label) if isinstance(record.label, tuple) else int(record.label)
        actions[record.name] = {
            "label": label,
            "probabilities": _action(record, action_pass, stream),
        }
        if folder is not None:
            folder.mkdir(exist_ok=True)
            write_json(folder / f"{safe_name(record.name)}.json", actions[record.name])
    fields = {f.name: getattr(found, f.name) for f in dataclasses.fields(Evaluation)}
    evaluation = JointEvaluation(**fields, actions=actions)
    if found.output is not None:
        write_json(Path(found.output) / "evaluation.json", evaluation.to_json())
    if options.get("progress", True) and actions:
        print("action:", json.dumps({k: round(v, 4) for k, v in evaluation.action.items()}))
    return evaluation


def _action(record, action_pass: ActionPass, stream: Stream) -> list[float]:
    video = open_record(record)
    pieces = run_model(stream, video, initial="omit")
    parts = [piece.outputs["mixture"] for piece in pieces if piece.outputs is not None]
    action, _ = video_action(action_pass, video, np.concatenate(parts))
    return [round(float(value), 6) for value in action]
