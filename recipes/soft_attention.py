"""Soft attention over places: action recognition after Sharma et al.

    python -m zoo.recipes.soft_attention --dataset ucf11 --data-dir DATA --backbone-weights FILE
    python -m zoo.recipes.soft_attention --dataset moving_targets --data-dir DATA \
        --backbone small --trainable-backbone --image-size 56 56 --num-layers 1 --units 64

The defaults are the paper's: a frozen GoogLeNet (its features are computed once and kept on
disk), three LSTMs of 512 units (HMDB51: `--units 1024`), blocks of 30 frames, Adam, 15 epochs,
batches of 128, dropout 0.5, weight decay 1e-5. `--penalty 1` is its lambda; `--attention average`
and `max` are its baselines. A video's prediction is the mean over the steps of all its blocks.
The same command goes on with a run that was killed.

The paper's result: UCF11 84.96 (lambda 0), HMDB51 41.31, Hollywood2 mAP 43.91; not measured here,
for want of the data sets and the weights.

Reference: Sharma, Kiros and Salakhutdinov, Action recognition using visual attention, 2016.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Literal

import tyro

from zoo.losses import StepCrossEntropy
from zoo.models.soft_attention import soft_attention
from zoo.recipes.action_training import run


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the recipe; the defaults are the paper's.

    Args:
        dataset: a module of `zoo.datasets` with labels, or csv.
        data_dir: its folder; for `csv` the table.
        output: folder of the run.
        cache: folder of decoded frames and features; default `OUTPUT/cache`.
        image_size: height and width of the frames that the model sees.
        fps: frame rate of the blocks; the paper shows 6 to 30. None keeps the video's.
        backbone: network of the frames; `small` trains from scratch.
        backbone_weights: its weights.
        trainable_backbone: train it too; else its features are cached.
        attention: location (as printed), additive (as released), average or max (baselines).
        units: of the LSTMs.
        num_layers: LSTMs.
        penalty: lambda.
        dropout: on connections that are not recurrent.
        weight_decay: gamma.
        multi_label: videos may have several labels (Hollywood2).
        num_frames: frames of a block.
        batch_size: blocks in a batch.
        rounds: blocks drawn from a video in an epoch.
        flips: mirror half of the blocks; needs `trainable_backbone`.
        rate: learning rate of Adam.
        schedule: of the learning rate.
        clip: largest global norm of the gradient.
        epochs: at most so many.
        patience: stop after so many epochs without a better validation score.
        validation_share: share of the training videos that are held out.
        test_stride: frames between the blocks of a video that is tested; the paper has 1.
        precision: float32, mixed_bfloat16 or mixed_float16.
        seed: of initial weights, splits, blocks and dropout.
        deterministic: ask TensorFlow for the same sums in every run.
        evaluate: test on the test split.
        tensorboard: write OUTPUT/logs.
        restart: forget an earlier run in `output`.
    """

    dataset: str = "moving_targets"
    data_dir: str = "data"
    output: str = "runs/soft_attention"
    cache: str | None = None
    image_size: tuple[int, int] = (224, 224)
    fps: float | None = None
    backbone: Literal["googlenet", "resnet50", "small"] = "googlenet"
    backbone_weights: str | None = None
    trainable_backbone: bool = False
    attention: Literal["location", "additive", "average", "max"] = "location"
    units: int = 512
    num_layers: int = 3
    penalty: float = 0.0
    dropout: float = 0.5
    weight_decay: float = 1e-5
    multi_label: bool = False
    num_frames: int = 30
    batch_size: int = 128
    rounds: int = 1
    flips: bool = False
    rate: float = 1e-3
    schedule: Literal["constant", "decay", "cosine"] = "constant"
    clip: float | None = None
    epochs: int = 15
    patience: int | None = None
    validation_share: float = 0.2
    test_stride: int = 1
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 0
    deterministic: bool = True
    evaluate: bool = True
    tensorboard: bool = True
    restart: bool = False


def main(config: Config) -> dict:
    """Train, write `OUTPUT/model.keras`, test; return the results."""
    if config.flips and not config.trainable_backbone:
        raise ValueError(
            "`flips` needs `trainable_backbone`: cached features cannot be mirrored. "
            "Received: flips=True, trainable_backbone=False"
        )

    def build(num_classes, backbone, feature_shape):
        return soft_attention(
            num_classes=num_classes,
            num_frames=config.num_frames,
            backbone=backbone,
            feature_shape=feature_shape,
            attention=config.attention,
            units=config.units,
            num_layers=config.num_layers,
            penalty=config.penalty,
            dropout=config.dropout,
            weight_decay=config.weight_decay,
            multi_label=config.multi_label,
            trainable_backbone=config.trainable_backbone,
            backbone_weights=None if backbone is None else config.backbone_weights,
        )

    # The penalty is a sum over the batch's samples: so must the cross-entropy be.
    loss = StepCrossEntropy(config.multi_label, reduction="sum")
    return run(config, build, loss, "block")


if __name__ == "__main__":
    print(json.dumps(main(tyro.cli(Config, description=__doc__)), indent=1, default=float))
