"""What the two recipes of action recognition do alike: read, train, test, write the results."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from zoo.backbones import googlenet, resnet50, small_cnn
from zoo.datasets.video import open_video
from zoo.layers import log_concavity
from zoo.models.loading import load
from zoo.recipes.action_videos import (
    ActionVideo,
    Batches,
    class_count,
    load_labelled,
    predict_video,
    read_videos,
    spread,
    with_features,
)
from zoo.recipes.checkpoint import write_atomically
from zoo.recipes.data import hold_out
from zoo.recipes.training import (
    BEST,
    claim_output,
    fit,
    learning_rate,
    make_optimizer,
    prepare_run,
)
from zoo.visualize.attention_board import AttentionBoard
from zoo.visualize.tensorboard import Sample

BACKBONES = {"googlenet": googlenet, "resnet50": resnet50, "small": small_cnn}


def run(config, build: Callable[..., keras.Model], loss: keras.losses.Loss, sampling: str) -> dict:
    """Train `build(num_classes, backbone, feature_shape)`, test it, write and return results.

    Args:
        config: The recipe's options.
        build: Makes the model; with `backbone=None` of features.
        loss: Of "action".
        sampling: "spread" or "block", see `Batches`.
    """
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
    whole = model = build(num_classes, backbone=backbone, feature_shape=None)
    if not config.trainable_backbone:
        videos = [with_features(part, backbone, cache / "features") for part in videos]
        model = build(num_classes, backbone=None, feature_shape=backbone.output_shape[1:])
    optimizer = make_optimizer("adam", config.rate, clip=config.clip)
    model.compile(optimizer, loss={"action": loss}, jit_compile=keras.config.backend() == "jax")
    batches = Batches(
        videos[0],
        config.num_frames,
        min(config.batch_size, len(videos[0])),
        sampling=sampling,
        rounds=config.rounds,
        flips=config.flips,
        seed=config.seed,
    )

    def judge(model, part):
        return measure(model, part, config, sampling)

    def rate(epoch, step):
        plan = {"steps": batches.steps, "epochs": config.epochs, "schedule": config.schedule}
        return learning_rate(config.rate, epoch, step, **plan)

    callbacks = []
    if config.tensorboard:
        samples = board_samples(pictured, videos[1], config.num_frames)
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
        results["test"] = judge(best, videos[2])
    text = json.dumps(results, indent=1, default=float)
    write_atomically(output / "results.json", lambda temporary: temporary.write_text(text))
    return results


def board_samples(frames, inputs, num_frames: int, count: int = 3) -> list[Sample]:
    """The first videos' frames with what the model is given of them."""
    samples = []
    for shown, given in zip(frames[:count], inputs[:count]):
        chosen = spread(len(given.inputs), num_frames)
        samples.append(
            Sample(
                shown.record.name,
                given.inputs[chosen][None].astype("float32"),
                shown.inputs[chosen],
                range(num_frames),
            )
        )
    return samples


def measure(
    model: keras.Model, videos: list[ActionVideo], config, sampling: str
) -> dict[str, float]:
    """Accuracy (mean average precision where videos have several labels) and attention's form."""
    actions, measured = [], []
    for video in videos:
        outputs = predict_video(
            model,
            video.inputs,
            config.num_frames,
            sampling=sampling,
            stride=getattr(config, "test_stride", 1),
        )
        actions.append(outputs["action"])
        if "temporal_attention" in outputs:
            weights = outputs["temporal_attention"].mean(axis=0)
            violation = float(log_concavity((weights / weights.sum())[None])[0])
            inside = weight_in_segments(video, weights, config.fps)
            measured.append((violation, np.nan if inside is None else inside))
    actions, truth = np.stack(actions), np.stack([np.asarray(v.target) for v in videos])
    if config.multi_label:
        from sklearn.metrics import average_precision_score

        present = truth.any(axis=0)
        score = average_precision_score(truth[:, present], actions[:, present])
        values = {"mean_average_precision": float(score)}
    else:
        ranks = np.argsort(-actions, axis=1)
        values = {
            "accuracy": float(np.mean(ranks[:, 0] == truth)),
            "top5": float(np.mean(np.any(ranks[:, :5] == truth[:, None], axis=1))),
        }
    if measured:
        values["log_concavity"] = float(np.mean([m[0] for m in measured]))
        if not np.isnan([m[1] for m in measured]).all():
            values["weight_in_segments"] = float(np.nanmean([m[1] for m in measured]))
    return values


def weight_in_segments(video: ActionVideo, weights: np.ndarray, fps: float | None) -> float | None:
    """Temporal attention on the frames that show the action, as a multiple of chance.

    `fps` is the rate at which the video was read, None for its own. Returns None where the record
    has no segments, or no weighed frame lies in one.
    """
    record = video.record
    if not record.segments:
        return None
    # The weights' frames are spread evenly over the video.
    share = (np.arange(len(weights)) + 0.5) / len(weights)
    seconds = len(video.inputs) / (fps or open_video(record.video).fps)
    times = (record.start or 0.0) + share * seconds
    inside = np.zeros(len(weights), bool)
    for segment in record.segments:
        inside |= (times >= segment.start) & (times < segment.end)
    if not inside.any():
        return None
    return float(weights[inside].sum() / weights.sum() / inside.mean())
