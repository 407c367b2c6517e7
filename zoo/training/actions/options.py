"""Options shared by the action recognition recipes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from zoo.training.options import RunOptions


@dataclasses.dataclass(frozen=True)
class ActionOptions(RunOptions):
    """Options of both action recognition recipes.

    Args:
        dataset: name of a data set with labels (see `zoo list`), or csv.
        image_size: height and width of the model's input frames, in pixels.
        fps: frame rate at which videos are read; None keeps each video's own.
        backbone: googlenet, resnet50 and small process single frames; small_video sees motion.
        backbone_weights: pretrained weights of the backbone, a file or a record's name.
        trainable_backbone: train the backbone too; otherwise its features are cached.
        multi_label: videos may have several labels (Hollywood2).
        num_frames: frames per sample.
        rounds: samples drawn from each video per epoch.
        flips: mirror half of the samples; needs `trainable_backbone` or `cache=none`.
        schedule: learning rate schedule of Adam.
        clip: maximum global norm of the gradient; None does not clip.
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
        """Arguments for a model builder: the named options and those that every model takes."""
        options = {name: getattr(self, name) for name in names}
        return {
            **options,
            "multi_label": self.multi_label,
            "trainable_backbone": self.trainable_backbone,
        }
