"""The options that the recipes of action recognition share."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class ActionConfig:
    """Options of both recipes.

    Args:
        dataset: a module of `zoo.datasets` with labels, or csv.
        data_dir: its folder; for `csv` the table.
        output: folder of the run.
        cache: folder of decoded frames and features; default `OUTPUT/cache`.
        image_size: height and width of the frames that the model sees.
        fps: frame rate at which videos are read; None keeps the video's.
        backbone: googlenet, resnet50 and small see frame by frame, small_video sees motion.
        backbone_weights: its weights.
        trainable_backbone: train it too; else its features are cached.
        multi_label: videos may have several labels (Hollywood2).
        num_frames: frames of a sample.
        batch_size: samples in a batch.
        rounds: samples drawn of a video in an epoch.
        flips: mirror half of the samples; needs `trainable_backbone`.
        rate: learning rate of Adam.
        schedule: of the learning rate.
        clip: largest global norm of the gradient.
        epochs: at most so many.
        patience: stop after so many epochs without a better validation score.
        validation_share: share of the training videos that are held out.
        precision: float32, mixed_bfloat16 or mixed_float16.
        seed: of initial weights, splits, samples and dropout.
        deterministic: ask TensorFlow for the same sums in every run.
        evaluate: test on the test split.
        tensorboard: write OUTPUT/logs.
        restart: forget an earlier run in `output`.
    """

    dataset: str = "moving_targets"
    data_dir: str = "data"
    output: str = "runs/action"
    cache: str | None = None
    image_size: tuple[int, int] = (224, 224)
    fps: float | None = None
    backbone: Literal["googlenet", "resnet50", "small", "small_video"] = "resnet50"
    backbone_weights: str | None = None
    trainable_backbone: bool = False
    multi_label: bool = False
    num_frames: int = 30
    batch_size: int = 32
    rounds: int = 1
    flips: bool = False
    rate: float = 1e-3
    schedule: Literal["constant", "decay", "cosine"] = "constant"
    clip: float | None = None
    epochs: int = 30
    patience: int | None = None
    validation_share: float = 0.2
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 0
    deterministic: bool = True
    evaluate: bool = True
    tensorboard: bool = True
    restart: bool = False

    def check(self) -> None:
        """Refuse options that do not go together."""
        if self.flips and not self.trainable_backbone:
            raise ValueError(
                "`flips` needs `trainable_backbone`: cached features cannot be mirrored. "
                "Received: flips=True, trainable_backbone=False"
            )

    def head(self, *names: str) -> dict:
        """The options of these names and those that every model takes."""
        options = {name: getattr(self, name) for name in names}
        return {
            **options,
            "multi_label": self.multi_label,
            "trainable_backbone": self.trainable_backbone,
        }
