"""The options that the recipes of action recognition share."""

from __future__ import annotations

import dataclasses
from typing import Literal

from zoo.training.options import RunOptions


@dataclasses.dataclass(frozen=True)
class ActionOptions(RunOptions):
    """Options of both recipes.

    Args:
        dataset: a module of `zoo.datasets` with labels, or csv.
        image_size: height and width of the frames that the model sees.
        fps: frame rate at which videos are read; None keeps the video's.
        backbone: googlenet, resnet50 and small see frame by frame, small_video sees motion.
        backbone_weights: its weights.
        trainable_backbone: train it too; else its features are cached.
        multi_label: videos may have several labels (Hollywood2).
        num_frames: frames of a sample.
        rounds: samples drawn of a video in an epoch.
        flips: mirror half of the samples; needs `trainable_backbone` or `cache=none`.
        schedule: of the learning rate of Adam.
        clip: largest global norm of the gradient.
    """

    dataset: str = "moving_targets"
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

    def head(self, *names: str) -> dict:
        """The options of these names and those that every model takes."""
        options = {name: getattr(self, name) for name in names}
        return {
            **options,
            "multi_label": self.multi_label,
            "trainable_backbone": self.trainable_backbone,
        }
