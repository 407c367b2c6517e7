"""What the two recipes of action recognition do alike: read, train, test, write the results."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import keras

from zoo.backbones import googlenet, resnet50, small_cnn, small_video
from zoo.models.loading import load
from zoo.training.action_scores import measure
from zoo.training.action_videos import (
    Batches,
    class_count,
    load_labelled,
    read_videos,
    spread,
    with_features,
)
from zoo.training.checkpoint import write_atomically
from zoo.training.data import hold_out
from zoo.training.loop import (
    BEST,
    claim_output,
    fit,
    learning_rate,
    make_optimizer,
    prepare_run,
)
from zoo.visualize.attention_board import AttentionBoard
from zoo.visualize.tensorboard import Sample

BACKBONES = {
    "googlenet": googlenet,
    "resnet50": resnet50,
    "small": small_cnn,
    "small_video": small_video,
}


def run(config, build: Callable[..., keras.Model], loss: keras.losses.Loss, sampling: str) -> dict:
    """Train a model, test it, write and return results.

    Args:
        config: The recipe's options, see `zoo.training.action_config`.
        build: Makes the model from `num_classes`, `num_frames`, `backbone` and `feature_shape`;
            with `backbone=None` of features.
        loss: Of "action".
        sampling: "spread" or "block", see `Batches`.
    """
    config.check()
    options = {k: v for k, v in dataclasses.asdict(config).items() if k != "restart"}
    output = claim_output(config.output, options, restart=config.restart)
    prepare_run(config.seed, precision=config.precision, deterministic=config.deterministic)
    num_classes = class_count(config.dataset, config.data_dir)
    records = load_labelled(config.dataset, config.data_dir, "train")
    parts = list(hold_out(records, config.validation_share, config.seed))
    if config.evaluate:
        parts.append(load_labelled(config.dataset, config.data_dir, "test"))
    cache = Path(config.cache or output / "cache")
    reading = {"num_classes": num_classes, "multi_label": config.multi_label, "fps": config.fps}
    size = config.image_size
    videos = [
        read_videos(part, cache / "frames", size, least=config.num_frames, **reading)
        for part in parts
    ]
    print("videos:", ", ".join(str(len(part)) for part in videos), flush=True)

    pictured = videos[1]
    backbone = BACKBONES[config.backbone](image_size=size)
    count = config.num_frames
    whole = model = build(
        num_classes=num_classes, num_frames=count, backbone=backbone, feature_shape=None
    )
    if not config.trainable_backbone:
        shape = backbone.output_shape
        if len(backbone.input_shape) == 5:  # Fewer maps than frames.
            shape = backbone.compute_output_shape((1, count, *backbone.input_shape[2:]))[1:]
            count = shape[0]
        videos = [with_features(part, backbone, cache / "features") for part in videos]
        model = build(
            num_classes=num_classes, num_frames=count, backbone=None, feature_shape=shape[1:]
        )
    optimizer = make_optimizer("adam", config.rate, clip=config.clip)
    model.compile(optimizer, loss={"action": loss}, jit_compile=keras.config.backend() == "jax")
    batches = Batches(
        videos[0],
        count,
        min(config.batch_size, len(videos[0])),
        sampling=sampling,
        rounds=config.rounds,
        flips=config.flips,
        seed=config.seed,
    )

    # Blocks begin at every `test_stride` frames, also where several frames make a feature map.
    stride = max(1, getattr(config, "test_stride", 1) * count // config.num_frames)

    def judge(model, part, localise=False):
        return measure(
            model,
            part,
            count,
            sampling=sampling,
            stride=stride,
            localise=localise,
            fps=config.fps,
        )

    def rate(epoch, step):
        plan = {"steps": batches.steps, "epochs": config.epochs, "schedule": config.schedule}
        return learning_rate(config.rate, epoch, step, **plan)

    callbacks = []
    if config.tensorboard:
        samples = board_samples(pictured, videos[1], count)
        callbacks = [AttentionBoard(output / "logs", samples=samples, configuration=options)]
    progression = fit(
        model,
        batches,
        output=output,
        epochs=config.epochs,
        steps=batches.steps,
        rate=rate,
        validate=lambda model, epoch: {
            f"val_{name}": value for name, value in judge(model, videos[1]).items()
        },
        monitor="val_mean_average_precision" if config.multi_label else "val_accuracy",
        larger_is_better=True,
        patience=config.patience,
        callbacks=callbacks,
    )
    best = load(output / BEST)
    own = whole.get_weights()
    trained = best.get_weights()
    # The head's layers come last, in the same order, whether or not the backbone was trained.
    whole.set_weights(own[: len(own) - len(trained)] + trained)
    write_atomically(output / "model.keras", lambda temporary: whole.save(temporary))
    results = {
        "best_epoch": progression.best_epoch + 1,
        "seconds": round(progression.seconds, 1),
        "parameters": int(whole.count_params()),
        "validation": judge(best, videos[1]),
    }
    if config.evaluate:
        results["test"] = judge(best, videos[2], localise=True)
    text = json.dumps(results, indent=1, default=float)
    write_atomically(output / "results.json", lambda temporary: temporary.write_text(text))
    return results


def board_samples(frames, inputs, num_frames: int, count: int = 3) -> list[Sample]:
    """The first videos' frames with what the model is given of them."""
    samples = []
    for shown, given in zip(frames[:count], inputs[:count]):
        chosen = spread(len(given.inputs), num_frames)
        seen = spread(len(shown.inputs), num_frames)
        samples.append(
            Sample(
                shown.record.name,
                given.inputs[chosen][None].astype("float32"),
                shown.inputs[seen],
                range(num_frames),
            )
        )
    return samples
