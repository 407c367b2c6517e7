"""Where and when to look: action recognition with spatio-temporal attention after Meng et al.

    python -m zoo.recipes.spatiotemporal_attention --dataset hmdb51 --data-dir DATA
    python -m zoo.recipes.spatiotemporal_attention --dataset moving_targets --data-dir DATA \
        --backbone small --trainable-backbone --image-size 56 56 --num-frames 16 --filters 32

The defaults are the paper's: a frozen ResNet-50 (its features are computed once and kept on
disk), 50 frames spread over the video, as many steps, a ConvLSTM of 512 channels, the weights
1e-5, 1e-4 and 1 of the regularisers. Moments in Time: `--num-frames 15 --image-size 256 256`;
THUMOS14: `--fps 10`. `--no-spatial-attention`, `--no-temporal-attention`, `--tv 0`, `--contrast
0` and `--unimodality 0` are its ablations. The same command goes on with a run that was killed.
The paper prints neither optimiser nor learning rate nor batch: Adam, 1e-4 and 32 are ours.

The paper's result: HMDB51 49.93, UCF101 86.02, Moments in Time 27.55 (top-5 53.52); not measured
here, for want of the data sets and the weights.

Reference: Meng et al., Interpretable spatio-temporal attention for video action recognition, 2019.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Literal

import keras
import tyro

from zoo.models.spatiotemporal_attention import spatiotemporal_attention
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
        fps: frame rate at which videos are read. None keeps the video's.
        backbone: network of the frames; `small` trains from scratch.
        backbone_weights: its weights.
        trainable_backbone: train it too; else its features are cached.
        spatial_attention: whether a mask weights the places.
        temporal_attention: whether weights choose the frames; else step t reads frame t.
        mask_filters: channels of the mask's convolutions before the last.
        filters: channels of the recurrence.
        score: additive, sum (as printed) or dot.
        score_units: width of the score's hidden layer.
        average: divide the weighted sum by the number of frames, as printed.
        tv: weight of the mask's total variation.
        contrast: weight of the mask's contrast.
        unimodality: weight of the temporal weights' log-concavity.
        steps: of the recurrence; by default as many as frames.
        multi_label: videos may have several labels (Hollywood2).
        num_frames: frames taken of a video, spread over it.
        batch_size: videos in a batch.
        rounds: samples drawn of a video in an epoch.
        flips: mirror half of the samples; needs `trainable_backbone`.
        rate: learning rate of Adam.
        schedule: of the learning rate.
        clip: largest global norm of the gradient.
        epochs: at most so many.
        patience: stop after so many epochs without a better validation score.
        validation_share: share of the training videos that are held out.
        precision: float32, mixed_bfloat16 or mixed_float16.
        seed: of initial weights, splits and samples.
        deterministic: ask TensorFlow for the same sums in every run.
        evaluate: test on the test split.
        tensorboard: write OUTPUT/logs.
        restart: forget an earlier run in `output`.
    """

    dataset: str = "moving_targets"
    data_dir: str = "data"
    output: str = "runs/spatiotemporal_attention"
    cache: str | None = None
    image_size: tuple[int, int] = (224, 224)
    fps: float | None = None
    backbone: Literal["googlenet", "resnet50", "small"] = "resnet50"
    backbone_weights: str | None = None
    trainable_backbone: bool = False
    spatial_attention: bool = True
    temporal_attention: bool = True
    mask_filters: tuple[int, ...] = (1024, 512)
    filters: int = 512
    score: Literal["additive", "sum", "dot"] = "additive"
    score_units: int = 512
    average: bool = True
    tv: float = 1e-5
    contrast: float = 1e-4
    unimodality: float = 1.0
    steps: int | None = None
    multi_label: bool = False
    num_frames: int = 50
    batch_size: int = 32
    rounds: int = 1
    flips: bool = False
    rate: float = 1e-4
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


def main(config: Config) -> dict:
    """Train, write `OUTPUT/model.keras`, test; return the results."""
    if config.flips and not config.trainable_backbone:
        raise ValueError(
            "`flips` needs `trainable_backbone`: cached features cannot be mirrored. "
            "Received: flips=True, trainable_backbone=False"
        )

    def build(num_classes, backbone, feature_shape):
        return spatiotemporal_attention(
            num_classes=num_classes,
            num_frames=config.num_frames,
            steps=config.steps,
            backbone=backbone,
            feature_shape=feature_shape,
            spatial_attention=config.spatial_attention,
            temporal_attention=config.temporal_attention,
            mask_filters=config.mask_filters,
            filters=config.filters,
            score=config.score,
            score_units=config.score_units,
            average=config.average,
            tv=config.tv,
            contrast=config.contrast,
            unimodality=config.unimodality,
            multi_label=config.multi_label,
            trainable_backbone=config.trainable_backbone,
            backbone_weights=None if backbone is None else config.backbone_weights,
        )

    several = config.multi_label
    losses = keras.losses
    loss = losses.BinaryCrossentropy() if several else losses.SparseCategoricalCrossentropy()
    return run(config, build, loss, "spread")


if __name__ == "__main__":
    print(json.dumps(main(tyro.cli(Config, description=__doc__)), indent=1, default=float))
