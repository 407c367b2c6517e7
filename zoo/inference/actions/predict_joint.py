"""`zoo.predict` and `zoo.evaluate` for models with saliency and action."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from zoo.datasets.video.reading import open_video
from zoo.inference.evaluating.evaluation import Evaluation, safe_name
from zoo.inference.streaming.joint import (
    ActionPass,
    JointPrediction,
    check_classes,
    saliency_part,
    video_action,
)
from zoo.inference.streaming.pipeline import run_model
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.output import write_json
from zoo.inference.writing.rendering import render_mixture
from zoo.visualize.joint_film import JointFilm


def predict_joint(
    model: keras.Model,
    video,
    *,
    predict,
    output: str | os.PathLike | None,
    initial: str,
    film: bool,
    size: tuple[int, int],
    classes: Sequence[str] | None,
    **options,
) -> JointPrediction:
    """`zoo.predict` of a joint model; `predict` is `zoo.predict` itself."""
    classes = check_classes(classes, model)
    found = predict(
        saliency_part(model),
        video,
        output=output,
        initial=initial,
        film=False,
        size=size,
        **options,
    )
    action_pass = ActionPass(model)
    # Repeated first mixtures are none of the model's steps.
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
        path = Path(output) / "action.json"
        write_json(path, _summary(prediction))
        prediction.files["action"] = str(path)
        if film:
            prediction.files["film"] = str(Path(output) / "film.mp4")
            _write_film(prediction, video, size, prediction.files["film"])
    return prediction


def _summary(prediction: JointPrediction) -> dict:
    order = np.argsort(-prediction.action)
    names = prediction.classes or [str(number) for number in range(len(order))]
    return {
        "label": prediction.label,
        "probabilities": {names[k]: round(float(prediction.action[k]), 6) for k in order},
        "frames": prediction.frames.tolist(),
        "temporal": [round(float(value), 6) for value in prediction.temporal],
    }


def _write_film(prediction: JointPrediction, video, size, path: str) -> None:
    place = {int(frame): index for index, frame in enumerate(prediction.frames)}
    text = f"{prediction.label} {prediction.action.max():.0%}"
    weights = np.zeros(prediction.num_frames)
    weights[prediction.frames] = prediction.temporal
    with JointFilm(
        path, fps=video.fps, height=size[0], width=size[1], text=text, weights=weights
    ) as film:
        for number, frame in enumerate(video.frames(size=size)):
            saliency = None
            if number in place:
                mixture = prediction.outputs["mixture"][place[number]]
                saliency = render_mixture(mixture, *size)
            film.write(frame, saliency)


@dataclasses.dataclass(frozen=True)
class JointEvaluation(Evaluation):
    """An `Evaluation` with the actions of the videos that have a label.

    Attributes:
        actions: video to {"label", "probabilities"}.
    """

    actions: dict = dataclasses.field(default_factory=dict)

    @property
    def action(self) -> dict[str, float]:
        """Accuracy, or mean average precision where videos have several labels; and the count."""
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
    """`zoo.evaluate` of a joint model; `evaluate` is `zoo.evaluate` itself."""
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
    video = open_video(record.video, start=record.start, end=record.end)
    pieces = run_model(stream, video, initial="omit")
    parts = [piece.outputs["mixture"] for piece in pieces if piece.outputs is not None]
    action, _ = video_action(action_pass, video, np.concatenate(parts))
    return [round(float(value), 6) for value in action]
