"""Pretrain the `small_video` backbone on actions that are cut out of moving_targets.

    zoo train small_video --data-dir DATA --output runs/small_video

Image networks are pretrained on photographs with one centred object. In the same way, this backbone
is trained on the action alone: a dozen frames of a square around the target. The attention models
are then trained on whole videos, in which the target is one of several objects and acts only part
of the time. Make those videos with another seed. Pass `OUTPUT/backbone.keras` to the recipes of the
attention models as `--backbone-weights`. The same command resumes a run that was killed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from zoo.backbones.small_video import small_video
from zoo.cli.main import run_recipe
from zoo.datasets import Action, Frames, HorizontalFlip, Samples, Windows, moving_targets
from zoo.datasets.record import Record
from zoo.datasets.samples.batches import check_batch
from zoo.datasets.video.reading import open_video
from zoo.training.actions.scores import measure
from zoo.training.layer_weights import copy_layers
from zoo.training.optimizers import make_optimizer
from zoo.training.options import RunOptions, refuse_changed
from zoo.training.recipe import (
    begin,
    best_of,
    claim,
    finish,
    save_model,
    steps_of,
    train,
)
from zoo.training.schedules import schedule

SHIFT = 3  # a training square is moved by up to this many pixels (and by up to one frame)
CLASSES = moving_targets.CLASSES
BACKBONE = "backbone.keras"
NEXT = "zoo train spatiotemporal_attention --backbone small_video --backbone-weights {} ..."


@dataclasses.dataclass(frozen=True)
class Config(RunOptions):
    """Options of the recipe.

    Args:
        dataset: moving_targets; no other data set has the boxes of the actions.
        image_size: height and width of the frames that the backbone will be used with.
        filters: channels of its convolutions.
        crop: side of the square around the action, in pixels.
        num_frames: number of frames that are cut out.
        schedule: schedule of Adam's learning rate.
        dropout: dropout before the classifier.
    """

    dataset: str = "moving_targets"
    output: str = "runs/small_video"
    image_size: tuple[int, int] = (56, 56)
    filters: tuple[int, ...] = (12, 24, 24)
    crop: int = 32
    num_frames: int = 12
    batch_size: int = 32
    rate: float = 4e-3
    schedule: Literal["constant", "decay", "cosine"] = "cosine"
    epochs: int = 15
    dropout: float = 0.2


@dataclasses.dataclass(frozen=True)
class ActionSquare(Frames):
    """The square around a record's action as input `rgb`, randomly shifted in training.

    Args:
        crop: side of the square, in pixels of frames of `size`.
    """

    crop: int = 32

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the input of a sample with `steps` steps."""
        return (steps, self.crop, self.crop, 3), "uint8"

    def read(
        self, video: Any, numbers: np.ndarray, record: Record, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The square in the frames with these numbers."""
        first, last = action_frames(record, video.fps)
        grow = np.tile([self.size[1] / video.width, self.size[0] / video.height], 2)
        boxes = record.boxes[0].boxes[first:last] * grow
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        corner = (centres.min(axis=0) + centres.max(axis=0)) / 2 - self.crop / 2
        if rng is not None:
            corner = corner + rng.integers(-SHIFT, SHIFT + 1, 2)
        limits = [self.size[1] - self.crop, self.size[0] - self.crop]
        x, y = np.clip(np.round(corner), 0, limits).astype(int)
        return video.read(numbers, self.size)[:, y : y + self.crop, x : x + self.crop]


def main(config: Config) -> dict:
    """Train, write `OUTPUT/backbone.keras`; return the results."""
    refuse_changed(
        config,
        ("dataset", "cache", "validation_share"),
        "must not be changed: the backbone is trained on the frames of moving_targets, and "
        "validated on those of its split for validation",
    )
    if not 8 <= config.crop <= min(config.image_size):
        raise ValueError(
            "`crop` must be at least 8 and fit into `image_size`. "
            f"Received: crop={config.crop}, image_size={config.image_size}"
        )
    devices = begin(config)
    samples = samples_of(config, moving_targets.load(config.data_dir, "train"), room=1)
    held = samples_of(config, moving_targets.load(config.data_dir, "validation"), room=0)
    check_batch(samples, config.batch_size)
    output = claim(config)

    def judge(model: keras.Model, epoch: int) -> dict[str, float]:
        return {"val_accuracy": measure(model, held, config.batch_size)["accuracy"]}

    with devices.scope():
        backbone = small_video(image_size=None, filters=config.filters)
        video = keras.Input((config.num_frames, config.crop, config.crop, 3), name="rgb")
        x = keras.layers.GlobalAveragePooling3D(name="mean")(backbone(video))
        x = keras.layers.Dropout(config.dropout, name="dropout")(x)
        action = keras.layers.Dense(len(CLASSES), activation="softmax", name="action")(x)
        model = keras.Model(video, {"action": action}, name="small_video_actions")
        steps = steps_of(samples, config)
        rate = schedule(config.schedule, config.rate, steps=steps, epochs=config.epochs)
        model.compile(
            make_optimizer("adam", rate, clip=None, accumulate=config.accumulate),
            loss={"action": "sparse_categorical_crossentropy"},
            steps_per_execution=config.steps_per_execution,
        )
    progress = train(
        config,
        model,
        samples,
        output,
        validate=judge,
        monitor="val_accuracy",
        larger_is_better=True,
    )
    best, facts = best_of(progress, output)
    whole = small_video(image_size=config.image_size, filters=config.filters)
    copy_layers(best.get_layer(backbone.name), whole)
    results = {
        **facts,
        "parameters": int(whole.count_params()),
        "validation": judge(best, 0),
    }
    save_model(config, whole, output, results, CLASSES, name=BACKBONE)
    finish(output, results, BACKBONE, NEXT)
    return results


def action_frames(record: Record, fps: float) -> tuple[int, int]:
    """First frame of a record's only action, and the frame after its last."""
    segment = record.segments[0]
    return round(segment.start * fps), round(segment.end * fps)


def samples_of(config: Config, records: Sequence[Record], room: int) -> Samples:
    """`num_frames` frames from the middle of each action, shifted by up to `room` frames."""
    parts = []
    for record in records:
        video = open_video(record.video, folder_fps=record.fps)
        first, last = action_frames(record, video.fps)
        length = min(config.num_frames + 2 * room, video.num_frames)
        start = int(np.clip((first + last - length) // 2, 0, video.num_frames - length))
        half = 0.5 / video.fps  # the cut is halfway between two frames
        begin_, end = start / video.fps - half, (start + length) / video.fps - half
        parts.append(dataclasses.replace(record, start=max(0.0, begin_), end=end))
    return Samples(
        parts,
        Windows(config.num_frames, hop=config.num_frames + 2 * room),
        inputs=[ActionSquare(config.image_size, crop=config.crop)],
        targets=[Action(len(CLASSES))],
        transforms=[HorizontalFlip()] if room else [],
        skip_bad=config.skip_bad,
        seed=config.seed,
    )


if __name__ == "__main__":
    run_recipe("small_video")
