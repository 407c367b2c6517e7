"""The common part of the action recognition recipes: read, train, test and write results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras

from zoo.backbones import googlenet, resnet50, small_cnn, small_video
from zoo.datasets import Action, Features, Frames, HorizontalFlip, Samples, Segments, Windows
from zoo.datasets.record import Record
from zoo.datasets.samples.batches import check_batch
from zoo.datasets.shards.features import FeatureStore
from zoo.training.actions.options import ActionOptions
from zoo.training.actions.scores import measure
from zoo.training.backbone_features import BackboneFeatures
from zoo.training.board_samples import boards
from zoo.training.layer_weights import copy_layers
from zoo.training.named_data import class_names, hold_out, load_records
from zoo.training.optimizers import make_optimizer
from zoo.training.recipe import (
    begin,
    best_of,
    claim,
    features_cached,
    finish,
    save_model,
    steps_of,
    train,
)
from zoo.training.schedules import schedule
from zoo.visualize.attention_board import AttentionBoard

BACKBONES = {
    "googlenet": googlenet,
    "resnet50": resnet50,
    "small": small_cnn,
    "small_video": small_video,
}


def run(
    config: ActionOptions,
    build: Callable[..., keras.Model],
    loss: keras.losses.Loss,
    sampling: str,
    test_stride: int = 1,
) -> dict:
    """Train and test an action model; write the results and return them.

    Args:
        config: the recipe's options.
        build: builds the model from `num_classes`, `num_frames`, `backbone` and `feature_shape`;
            with `backbone=None` the model takes features.
        loss: loss of the output "action".
        sampling: "spread" takes frames spread over the whole video, "block" consecutive ones.
        test_stride: frames between the starts of successive test blocks.
    """
    if config.flips and features_cached(config):
        raise ValueError(
            "`flips` needs `trainable_backbone` or `cache=none`: cached features cannot be "
            "mirrored. Received: flips=True, trainable_backbone=False"
        )
    devices = begin(config)
    classes = class_names(config.dataset, config.data_dir)
    parts = _parts(config)
    # Reports unreadable and too short videos, and too few, before any output is written.
    found = [
        samples_of(config, part, classes, None, config.num_frames, sampling, test_stride)
        for part in parts
    ]
    check_batch(found[0], config.batch_size)
    output = claim(config)

    build = partial(build, num_classes=len(classes))
    model, whole, store, count = _networks(config, build, devices, parts, output)
    # `test_stride` counts frames; a row of features may represent several of them.
    test_stride = max(1, test_stride * count // config.num_frames)
    samples, held, *tested = (
        samples_of(config, part, classes, store, count, sampling, test_stride) for part in parts
    )
    print("videos:", ", ".join(str(len(part)) for part in parts), flush=True)

    def judge(model: keras.Model, part: Samples, localise: bool = False) -> dict[str, float]:
        return measure(model, part, config.batch_size, localise=localise)

    rate = schedule(
        config.schedule, config.rate, steps=steps_of(samples, config), epochs=config.epochs
    )
    with devices.scope():
        optimizer = make_optimizer("adam", rate, clip=config.clip, accumulate=config.accumulate)
        model.compile(
            optimizer, loss={"action": loss}, steps_per_execution=config.steps_per_execution
        )
    progress = train(
        config,
        model,
        samples,
        output,
        validate=lambda model, epoch: {f"val_{k}": v for k, v in judge(model, held).items()},
        monitor="val_mean_average_precision" if config.multi_label else "val_accuracy",
        larger_is_better=True,
        callbacks=boards(config, output / "logs", held, AttentionBoard, shown=None),
    )
    best, facts = best_of(progress, output)
    copy_layers(best, whole)
    results = {
        **facts,
        "parameters": int(whole.count_params()),
        "validation": judge(best, held),
    }
    if config.evaluate:
        results["test"] = judge(best, tested[0], localise=True)
    save_model(config, whole, output, results, classes)
    finish(output, results)
    return results


def _parts(config: ActionOptions) -> list[list[Record]]:
    """The videos for training and validation, and with `evaluate` those for testing."""
    records = load_records(config.dataset, config.data_dir, "train", "label")
    parts = list(hold_out(records, config.validation_share, config.seed))
    if config.evaluate:
        parts.append(load_records(config.dataset, config.data_dir, "test", "label"))
    return parts


def _networks(config: ActionOptions, build, devices, parts, output: Path) -> tuple:
    """The trained model, the model of frames, and with cached features their store.

    The last value is the number of frames, or of rows of features, that a sample has.
    """
    with devices.scope():
        backbone = BACKBONES[config.backbone](image_size=config.image_size)
        whole = build(num_frames=config.num_frames, backbone=backbone, feature_shape=None)
    if not features_cached(config):
        return whole, whole, None, config.num_frames
    store, count, shape = feature_store(config, backbone, output)
    for part in parts:
        store.compute(part, skip_bad=config.skip_bad)
    with devices.scope():
        model = build(num_frames=count, backbone=None, feature_shape=shape)
    return model, whole, store, count


def feature_store(
    config: ActionOptions, backbone: keras.Model, output: Path
) -> tuple[FeatureStore, int, tuple[int, ...]]:
    """The frozen backbone's feature store, the feature rows per sample, and a row's shape."""
    count, hop = config.num_frames, 1
    shape = tuple(backbone.output_shape)
    takes_videos = len(backbone.input_shape) == 5
    if takes_videos:  # fewer maps than frames
        frames = (1, count, *backbone.input_shape[2:])
        shape = tuple(backbone.compute_output_shape(frames))[1:]
        count = shape[0]
        hop = config.num_frames // count
    features = BackboneFeatures(backbone, whole=takes_videos, hop=hop)
    root = Path(config.cache or output / "cache")
    return FeatureStore(root, features, fps=config.fps), count, shape[1:]


def samples_of(
    config: ActionOptions,
    records,
    classes,
    store: FeatureStore | None,
    count: int,
    sampling: str,
    test_stride: int,
) -> Samples:
    """Samples of `count` frames or feature rows, with the videos' labels."""
    inputs = [Frames(config.image_size)] if store is None else [Features(store)]
    fps = config.fps if store is None else None  # stored features already have this rate
    taken = Segments(count, fps=fps)
    if sampling == "block":
        taken = Windows(count, hop=test_stride, fps=fps)
    return Samples(
        records,
        taken,
        inputs=inputs,
        targets=[Action(len(classes), config.multi_label)],
        per_video=config.rounds,
        transforms=[HorizontalFlip()] if config.flips else [],
        skip_bad=config.skip_bad,
        seed=config.seed,
    )
