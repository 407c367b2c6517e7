"""Scores an action model on labelled videos: its classes, and where and when it attends."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from zoo.datasets import Action, Samples
from zoo.datasets.record import Record
from zoo.datasets.shards.reading import is_shard_video, shard_video
from zoo.datasets.video.reading import open_video
from zoo.layers import log_concavity
from zoo.metrics import mean_average_precision, top_k_accuracy
from zoo.metrics.spatial_localisation import (
    VideoTube,
    attention_boxes,
    attention_tubes,
    spatial_localisation_map,
)
from zoo.metrics.temporal_localisation import (
    VideoSegment,
    attention_segments,
    temporal_localisation_map,
    true_segments,
)
from zoo.training.actions.predictions import predict_videos
from zoo.training.joint_scores import labels_of

TIME_IOU, SPACE_IOU = 0.3, 0.2


def measure(
    model: keras.Model, samples: Samples, batch_size: int, *, localise: bool = False
) -> dict[str, float]:
    """Score an action model on videos.

    Args:
        model: an action model that takes the inputs of `samples`.
        samples: the test videos, with the target `Action`.
        batch_size: samples per batch.
        localise: also score the attention against the records' segments and boxes.

    Returns:
        "accuracy" and "top5", or "mean_average_precision" if labels are multi-hot. A model with
        temporal attention adds "log_concavity", measured on the mean attention weights, and
        `localise` adds the scores of `localisation`.
    """
    outputs = predict_videos(model, samples, batch_size)
    actions = np.stack([found["action"] for found in outputs])
    target = next(target for target in samples.targets if isinstance(target, Action))
    truth = np.stack(list(labels_of(samples, target).values()))
    if truth.ndim == 2:
        values = {"mean_average_precision": float(mean_average_precision(truth, actions))}
    else:
        values = {
            "accuracy": float(top_k_accuracy(truth, actions)),
            "top5": float(top_k_accuracy(truth, actions, k=min(5, actions.shape[1]))),
        }
    if "temporal_attention" in outputs[0]:
        means = np.stack([found["temporal_attention"].mean(axis=0) for found in outputs])
        means = means / means.sum(axis=1, keepdims=True)
        violations = keras.ops.convert_to_numpy(log_concavity(means))
        values["log_concavity"] = float(np.mean(violations))
    if localise:
        values.update(localisation(samples.records, outputs))
    return values


def localisation(records: Sequence[Record], outputs: Sequence[dict]) -> dict[str, float]:
    """Mean average precision of segments and boxes derived from attention, and of baselines.

    Segments are scored at an IoU threshold of 0.3; the baseline predicts the whole video. Boxes
    are scored per frame at an IoU threshold of 0.2, in the frames of the predicted segments (in
    all frames without temporal attention); the baseline is a centred box of the true boxes' mean
    size in the same frames.

    Args:
        records: the videos; those without segments and boxes are left out.
        outputs: the model's outputs for each video, as `predict_videos` returns them.

    Returns:
        The scores that apply: "temporal_map", its baseline "whole_video_map" and
        "weight_in_segments" (a multiple of chance); "spatial_map", "spatial_map_scaled" (each
        mask divided by its maximum) and their baseline "centre_box_map".
    """
    values: dict[str, float] = {}
    segments = {"temporal_map": [], "whole_video_map": []}
    tubes = {"spatial_map": [], "spatial_map_scaled": [], "centre_box_map": []}
    true_time, true_space, inside = [], [], []
    for record, found in zip(records, outputs):
        if not record.segments and not record.boxes:
            continue
        source = open_video(record.video, folder_fps=record.fps)
        offset = record.start or 0.0
        seconds = (record.end or source.num_frames / source.fps) - offset
        label, score = int(np.argmax(found["action"])), float(np.max(found["action"]))
        about = (record.name, label)
        whole = [VideoSegment(*about, offset, offset + seconds, score)]
        predicted = whole
        if "temporal_attention" in found:
            predicted = [
                VideoSegment(*about, offset + s.start, offset + s.end, s.score)
                for s in attention_segments(
                    *about, found["temporal_attention"], seconds, score=score
                )
            ]
            if record.segments:
                true_time += true_segments([record])
                segments["temporal_map"] += predicted
                segments["whole_video_map"] += whole
                weights = found["temporal_attention"].mean(axis=0)
                share = weight_in_segments(record, weights, offset, seconds)
                inside += [] if share is None else [share]
        if "spatial_attention" in found and record.boxes:
            truth = action_tubes(record, source.fps)
            true_space += truth
            size = np.mean(np.concatenate([t.boxes[:, 2:] for t in truth]), axis=0)
            frames = range(round(offset * source.fps), round((offset + seconds) * source.fps))
            shape = _shape(record, source)
            shown = _boxes(found["spatial_attention"], shape, len(frames), size)
            for name, boxes in shown.items():
                tubes[name] += _cut(record.name, label, boxes, predicted, source.fps, frames[0])
    if true_time:
        for name, guesses in segments.items():
            scores = temporal_localisation_map(true_time, guesses, thresholds=(TIME_IOU,))
            values[name] = scores[TIME_IOU]
        values["weight_in_segments"] = float(np.mean(inside)) if inside else float("nan")
    if true_space:
        for name, guesses in tubes.items():
            scores = spatial_localisation_map(
                true_space, guesses, thresholds=(SPACE_IOU,), level="frame"
            )
            values[name] = scores[SPACE_IOU]
    return values


def weight_in_segments(
    record: Record, weights: np.ndarray, offset: float, seconds: float
) -> float | None:
    """Share of temporal attention inside the action's segments, as a multiple of chance.

    Args:
        record: the video, with its segments.
        weights: temporal attention, (parts,).
        offset: start of the weighted parts in the video, in seconds.
        seconds: their total duration, in seconds.

    Returns:
        The multiple, or None if the centre of no part lies in a segment.
    """
    times = offset + (np.arange(len(weights)) + 0.5) / len(weights) * seconds
    inside = np.zeros(len(weights), bool)
    for segment in record.segments or ():
        inside |= (times >= segment.start) & (times < segment.end)
    if not inside.any():
        return None
    return float(weights[inside].sum() / weights.sum() / inside.mean())


def action_tubes(record: Record, fps: float) -> list[VideoTube]:
    """The boxes of a record's action; in moving_targets, the target's boxes while it acts."""
    if record.dataset != "moving_targets":
        return [VideoTube(record.name, t.label, t.start, t.boxes) for t in record.boxes or ()]
    boxes = record.boxes[0].boxes
    return [
        VideoTube(record.name, segment.label, first, boxes[first:last])
        for segment in record.segments
        for first, last in [(round(segment.start * fps), round(segment.end * fps))]
    ]


def _shape(record: Record, source) -> tuple[int, int]:
    """Height and width in pixels of the boxes: the video's, also if shards hold smaller frames."""
    if is_shard_video(record.video):
        facts = shard_video(record.video).facts
        return facts["height"], facts["width"]
    return source.height, source.width


def _boxes(
    masks: np.ndarray, shape: tuple[int, int], count: int, size: np.ndarray
) -> dict[str, np.ndarray]:
    """Boxes for each frame, by method; each mask covers an equal share of the frames."""
    mask_of_frame = np.arange(count) * len(masks) // count
    middle = [(shape[1] - size[0]) / 2, (shape[0] - size[1]) / 2, *size]
    return {
        "spatial_map": attention_boxes(masks, *shape)[mask_of_frame],
        "spatial_map_scaled": attention_boxes(masks, *shape, normalisation="max")[mask_of_frame],
        "centre_box_map": np.tile(middle, (count, 1)),
    }


def _cut(name, label, boxes, segments, fps, first) -> list[VideoTube]:
    """Cut the boxes into one tube per segment, with the segment's score."""
    tubes = []
    for segment in segments:
        start, stop = round(segment.start * fps) - first, round(segment.end * fps) - first
        start = max(start, 0)
        tubes += attention_tubes(
            name, label, boxes[start:stop], start=first + start, score=segment.score
        )
    return tubes
