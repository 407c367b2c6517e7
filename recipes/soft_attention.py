"""Soft attention over the places of the frame: action recognition after Sharma et al.

    zoo train soft_attention --dataset ucf11 --data-dir DATA --backbone-weights FILE
    zoo train soft_attention --dataset moving_targets --data-dir DATA \
        --backbone small_video --backbone-weights runs/small_video/backbone.keras \
        --image-size 56 56 --num-frames 48 --num-layers 1 --units 64 --attention additive

The defaults are those of the paper: a frozen GoogLeNet (its features are computed once and kept on
disk), three LSTMs of 512 units (HMDB51: `--units 1024`), blocks of 30 frames, Adam, 15 epochs,
batches of 128, dropout 0.5, weight decay 1e-5. `--penalty 1` sets the paper's lambda to 1;
`--attention average` and `max` are its baselines. A video's prediction is the mean over the steps
of all its blocks. The same command resumes a run that was killed.

The paper's result: UCF11 84.96 (lambda 0), HMDB51 41.31, Hollywood2 mAP 43.91. It was not
reproduced here, because the data sets and the weights were not available.

Reference: Sharma, Kiros and Salakhutdinov, Action recognition using visual attention, 2016.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from zoo.cli.main import run_recipe
from zoo.losses import StepCrossEntropy
from zoo.models.soft_attention import soft_attention
from zoo.training.actions import run
from zoo.training.actions.options import ActionOptions


@dataclasses.dataclass(frozen=True)
class Config(ActionOptions):
    """Options of the recipe; the defaults are the paper's.

    Args:
        attention: location (as printed), additive (as released), average or max (baselines).
        units: units of each LSTM.
        num_layers: number of LSTMs.
        penalty: weight of the doubly stochastic penalty, the paper's lambda.
        dropout: dropout on connections that are not recurrent.
        weight_decay: weight decay, the paper's gamma.
        test_stride: number of frames from the start of one test block to the next; 1 in the paper.
    """

    output: str = "runs/soft_attention"
    backbone: Literal["googlenet", "resnet50", "small", "small_video"] = "googlenet"
    batch_size: int = 128
    epochs: int = 15
    attention: Literal["location", "additive", "average", "max"] = "location"
    units: int = 512
    num_layers: int = 3
    penalty: float = 0.0
    dropout: float = 0.5
    weight_decay: float = 1e-5
    test_stride: int = 1


HEAD = ("attention", "units", "num_layers", "penalty", "dropout", "weight_decay")


def main(config: Config) -> dict:
    """Train, write `OUTPUT/model.keras`, test; return the results."""

    def build(*, backbone, **given):
        weights = None if backbone is None else config.backbone_weights
        return soft_attention(
            backbone=backbone, backbone_weights=weights, **given, **config.head(*HEAD)
        )

    loss = StepCrossEntropy(config.multi_label)
    return run(config, build, loss, "block", config.test_stride)


if __name__ == "__main__":
    run_recipe("soft_attention")
