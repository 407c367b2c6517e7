"""Pretrain the `small_video` backbone on actions cut out of moving_targets.

    python -m zoo.recipes.small_video --data-dir DATA --output runs/small_video

As networks of photographs learn from one centred thing a picture, this one learns from the action
alone: a square around the target, a dozen frames. The attention models are then given whole
videos, in which the target is one of several things and acts for a part of the time; make those
with another seed. `OUTPUT/backbone.keras` is for `--backbone-weights` of their recipes. The same
command goes on with a run that was killed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tyro

from zoo.backbones.small_video import small_video
from zoo.datasets import moving_targets
from zoo.datasets.record import Record
from zoo.datasets.video.clips import FrameCache
from zoo.datasets.video.reading import open_video
from zoo.models.loading import load
from zoo.training.checkpoint import write_atomically
from zoo.training.loop import (
    BEST,
    claim_output,
    fit,
    learning_rate,
    make_optimizer,
    prepare_run,
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the recipe.

    Args:
        data_dir: a folder that `zoo.datasets.moving_targets.make` wrote.
        output: folder of the run.
        cache: folder of decoded frames; default `OUTPUT/cache`.
        image_size: height and width of the frames that the backbone is for.
        filters: channels of its convolutions.
        crop: side of the square around the action.
        num_frames: frames cut out.
        batch_size: actions in a batch.
        rate: highest learning rate of Adam.
        schedule: of the learning rate.
        epochs: how many.
        dropout: before the classes.
        seed: of initial weights and samples.
        deterministic: ask TensorFlow for the same sums in every run.
        restart: forget an earlier run in `output`.
    """

    data_dir: str = "data"
    output: str = "runs/small_video"
    cache: str | None = None
    image_size: tuple[int, int] = (56, 56)
    filters: tuple[int, ...] = (12, 24, 24)
    crop: int = 32
    num_frames: int = 12
    batch_size: int = 32
    rate: float = 4e-3
    schedule: Literal["constant", "decay", "cosine"] = "cosine"
    epochs: int = 15
    dropout: float = 0.2
    seed: int = 0
    deterministic: bool = True
    restart: bool = False


@dataclasses.dataclass(frozen=True)
class Action:
    """A video's frames, where in them the target acts, and what it does."""

    frames: np.ndarray
    first: int
    last: int
    centre: np.ndarray  # x, y in pixels
    label: int

    def cut(self, crop: int, length: int, rng: np.random.Generator | None = None) -> np.ndarray:
        """The square around the action, (length, crop, crop, 3); with `rng` shifted, mirrored."""
        shift = np.zeros(3) if rng is None else rng.integers([-3, -3, -1], [4, 4, 2])
        height, width = self.frames.shape[1:3]
        limits = [width - crop, height - crop, len(self.frames) - length]
        corner = [*(self.centre - crop / 2), (self.first + self.last - length) // 2]
        x, y, t = np.clip(np.round(corner + shift), 0, limits).astype(int)
        found = self.frames[t : t + length, y : y + crop, x : x + crop]
        return found[:, :, ::-1] if rng is not None and rng.random() < 0.5 else found


def read_action(record: Record, cache: FrameCache, size: tuple[int, int]) -> Action:
    """The one action of a record of moving_targets."""
    video = open_video(record.video)
    segment, tube = record.segments[0], record.boxes[0]
    first, last = round(segment.start * video.fps), round(segment.end * video.fps)
    boxes = tube.boxes[first:last] * np.tile([size[1] / video.width, size[0] / video.height], 2)
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    middle = (centres.min(axis=0) + centres.max(axis=0)) / 2
    return Action(cache.get(record, size), first, last, middle, record.label)


def main(config: Config) -> dict:
    """Train, write `OUTPUT/backbone.keras`; return the results."""
    if not 8 <= config.crop <= min(config.image_size):
        raise ValueError(
            "`crop` must be at least 8 and fit into `image_size`. "
            f"Received: crop={config.crop}, image_size={config.image_size}"
        )
    options = {k: v for k, v in dataclasses.asdict(config).items() if k != "restart"}
    output = claim_output(config.output, options, restart=config.restart)
    prepare_run(config.seed, deterministic=config.deterministic)
    cache = FrameCache(Path(config.cache or output / "cache"))
    train, held_out = (
        [
            read_action(record, cache, config.image_size)
            for split in splits
            for record in moving_targets.load(config.data_dir, split=split)
        ]
        for splits in (("train", "test"), ("validation",))
    )
    shape = (config.num_frames, config.crop, config.crop, 3)
    backbone = small_video(image_size=None, filters=config.filters)
    video = keras.Input(shape, name="rgb")
    x = keras.layers.GlobalAveragePooling3D(name="mean")(backbone(video))
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    classes = len(moving_targets.CLASSES)
    action = keras.layers.Dense(classes, activation="softmax", name="action")(x)
    model = keras.Model(video, {"action": action}, name="small_video_actions")
    model.compile(
        make_optimizer("adam", config.rate, clip=None),
        loss={"action": "sparse_categorical_crossentropy"},
        jit_compile=keras.config.backend() == "jax",
    )
    size = min(config.batch_size, len(train))
    steps = len(train) // size
    given = np.stack([a.cut(config.crop, config.num_frames) for a in held_out]).astype("float32")
    truth = np.array([a.label for a in held_out])

    def batches(epoch: int, start: int = 0) -> Iterator:
        order = np.random.default_rng([config.seed, epoch]).permutation(len(train))
        for step in range(start, steps):
            rng = np.random.default_rng([config.seed, epoch, step])
            chosen = [train[index] for index in order[step * size : (step + 1) * size]]
            cut = [action.cut(config.crop, config.num_frames, rng) for action in chosen]
            labels = np.array([action.label for action in chosen])
            yield np.stack(cut).astype("float32"), {"action": labels}

    def judge(model, epoch):
        found = model.predict(given, batch_size=size, verbose=0)["action"].argmax(axis=1)
        return {"val_accuracy": float(np.mean(found == truth))}

    def rate(epoch, step):
        plan = {"steps": steps, "epochs": config.epochs, "schedule": config.schedule}
        return learning_rate(config.rate, epoch, step, **plan)

    progression = fit(
        model,
        batches,
        output=output,
        epochs=config.epochs,
        steps=steps,
        rate=rate,
        validate=judge,
        monitor="val_accuracy",
        larger_is_better=True,
    )
    best = load(output / BEST)
    whole = small_video(image_size=config.image_size, filters=config.filters)
    whole.set_weights(best.get_layer(backbone.name).get_weights())
    write_atomically(output / "backbone.keras", lambda temporary: whole.save(temporary))
    results = {
        "best_epoch": progression.best_epoch + 1,
        "seconds": round(progression.seconds, 1),
        "parameters": int(whole.count_params()),
        "validation": judge(best, 0),
    }
    text = json.dumps(results, indent=1)
    write_atomically(output / "results.json", lambda temporary: temporary.write_text(text))
    return results


if __name__ == "__main__":
    print(json.dumps(main(tyro.cli(Config, description=__doc__)), indent=1))
