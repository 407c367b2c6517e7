"""Where and when to look: action recognition with spatio-temporal attention after Meng et al.

    zoo train spatiotemporal_attention --dataset hmdb51 --data-dir DATA
    zoo train spatiotemporal_attention --dataset moving_targets --data-dir DATA \
        --backbone small_video --backbone-weights runs/small_video/backbone.keras \
        --image-size 56 56 --num-frames 48 --steps 6 --filters 8 --mask-filters 8 --score-units 16

The defaults are those of the paper: a frozen ResNet-50 (its features are computed once and kept on
disk), 50 frames spread over the video, as many steps, a ConvLSTM of 512 channels, and the weights
1e-5, 1e-4 and 1 of the regularisers. For Moments in Time, use `--num-frames 15 --image-size 256
256`; for THUMOS14, `--fps 10`. The paper's ablations are `--no-spatial-attention`,
`--no-temporal-attention`, `--tv 0`, `--contrast 0` and `--unimodality 0`. The paper states neither
the optimiser nor the learning rate nor the batch size: Adam, 1e-4 and 32 are ours. The same command
resumes a run that was killed.

The paper's result: HMDB51 49.93, UCF101 86.02, Moments in Time 27.55 (top-5 53.52). It was not
reproduced here, because the data sets and the weights were not available.

Reference: Meng et al., Interpretable spatio-temporal attention for video action recognition, 2019.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import keras

from zoo.cli.main import run_recipe
from zoo.models.spatiotemporal_attention import spatiotemporal_attention
from zoo.training.actions import run
from zoo.training.actions.options import ActionOptions


@dataclasses.dataclass(frozen=True)
class Config(ActionOptions):
    """Options of the recipe; the defaults are the paper's.

    Args:
        spatial_attention: weight the places of each frame by a mask.
        temporal_attention: weight the frames at each step; without it, step t reads frame t.
        mask_filters: channels of the mask's convolutions, except the last.
        initial_mask: value of the mask before training.
        filters: channels of the ConvLSTM.
        score: score of a frame: additive, sum (as printed) or dot.
        score_units: width of the score's hidden layer.
        average: divide the weighted sum by the number of frames, as printed.
        tv: weight of the mask's total variation.
        contrast: weight of the mask's contrast.
        unimodality: weight of the log-concavity of the temporal weights.
        steps: number of steps of the ConvLSTM; by default one per frame.
    """

    output: str = "runs/spatiotemporal_attention"
    backbone: Literal["googlenet", "resnet50", "small", "small_video"] = "resnet50"
    num_frames: int = 50
    rate: float = 1e-4
    spatial_attention: bool = True
    temporal_attention: bool = True
    mask_filters: tuple[int, ...] = (1024, 512)
    initial_mask: float = 0.5
    filters: int = 512
    score: Literal["additive", "sum", "dot"] = "additive"
    score_units: int = 512
    average: bool = True
    tv: float = 1e-5
    contrast: float = 1e-4
    unimodality: float = 1.0
    steps: int | None = None


HEAD = (
    "spatial_attention",
    "temporal_attention",
    "mask_filters",
    "initial_mask",
    "filters",
    "score",
    "score_units",
    "average",
    "tv",
    "contrast",
    "unimodality",
    "steps",
)


def main(config: Config) -> dict:
    """Train, write `OUTPUT/model.keras`, test; return the results."""

    def build(*, backbone, **given):
        weights = None if backbone is None else config.backbone_weights
        return spatiotemporal_attention(
            backbone=backbone, backbone_weights=weights, **given, **config.head(*HEAD)
        )

    several = config.multi_label
    losses = keras.losses
    loss = losses.BinaryCrossentropy() if several else losses.SparseCategoricalCrossentropy()
    return run(config, build, loss, "spread")


if __name__ == "__main__":
    run_recipe("spatiotemporal_attention")
