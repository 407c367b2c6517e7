"""LSTS: one saliency map from a long clip of frames, optical flow, or both.

    python -m zoo.recipes.lsts --dataset dhf1k --data-dir DHF1K --streams both \\
        --backbone-weights rgb RGB_I3D flow FLOW_I3D --flow tvl1
    python -m zoo.recipes.lsts --data-dir made --small --streams both --output runs/lsts

The defaults are the paper's: I3D frozen, its pooled features of every clip of 79 frames computed
once and kept on disk, the head trained by RMSprop at 1e-4 that is halved every 50 iterations, L2
decay 5e-5, batches of 128, squared error against maps stretched to [0, 1], 10, 2 or 1 epochs for
RGB, flow or both. `--small` sets what trains within minutes on two CPU cores without pretrained
weights: clips of 16 frames at 128x128, an eighth of I3D's width with calibrated statistics, Adam,
dropout.

A run that is killed goes on where it was when the same command is given again.

Hardware and measured result: `benchmarks/results/lsts.md`. The paper's, DHF1K validation: sAUC
.6415, AUC-J .8280, NSS 1.441, CC .3868 (RGB); .6983, .8616, 1.2561, .3370 (flow); .6218, .8306,
1.38033, .3715 (both); not measured here, for want of the data set and the weights.

Reference: Ozturk, "Long spatio-temporal saliency map prediction".
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tyro

from zoo import losses
from zoo.datasets.video.reading import open_video
from zoo.files.interface import advised
from zoo.inference.evaluate import evaluate
from zoo.layers import tvl1_function
from zoo.models.loading import load
from zoo.models.lsts import STREAMS, lsts, lsts_features
from zoo.training.checkpoint import write_atomically
from zoo.training.data import frame_sources, hold_out, load_records
from zoo.training.loop import BEST, claim_output, fit, make_optimizer, prepare_run
from zoo.training.lsts_clips import ClipBatches, ClipFeatures, halved, predicted_frames
from zoo.training.scores import TruthMap
from zoo.visualize.tensorboard import TensorBoard

EPOCHS = {"rgb": 10, "flow": 2, "both": 1}
LOSSES = {
    "mse": lambda: losses.SaliencySum(mse=1.0, kl=0.0, cc=0.0, nss=0.0),
    "kl": lambda: losses.SaliencySum(kl=1.0, cc=0.0, nss=0.0),
    "cc": lambda: losses.SaliencySum(kl=0.0, cc=1.0, nss=0.0),
    "nss": lambda: losses.SaliencySum(kl=0.0, cc=0.0, nss=1.0),
    "sum": losses.SaliencySum,
}
SMALL = {
    "num_frames": 16,
    "image_size": (128, 128),
    "output_size": (72, 128),
    "width": 0.125,
    "head_width": 0.125,
    "optimizer": "adam",
    "rate": 5e-4,
    "weight_decay": 0.0,
    "dropout": 0.3,
    "halve_every": 160,
    "loss": "sum",
    "batch_size": 32,
    "epochs": 12,
    "stride": 4,
    "evaluate_stride": 4,
    "flow_size": (128, 128),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the recipe; the defaults are the paper's.

    Args:
        dataset: data set to train on.
        data_dir: its folder; for `csv` the table.
        output: folder of the run.
        cache: folder of decoded frames and features; default `OUTPUT/cache`. Runs may share one.
        small: take the options of the small version (`SMALL`) instead of the paper's.
        streams: rgb, flow or both.
        variant: released or printed.
        num_frames: frames of a clip.
        image_size: height and width of the frames that I3D sees.
        output_size: height and width of the maps.
        target: the frame of the clip that the map is for.
        width: multiplies I3D's channels.
        head_width: multiplies the head's channels.
        padding: I3D's padding, static is the authors' copy; None for that of the weights.
        scaling: fixed, or min_max for each clip's own range (the authors' code).
        reverse_channels: feed BGR (the authors' code).
        backbone_weights: I3D's weights of each stream.
        flow: dis or tvl1 (the paper's).
        flow_size: height and width at which flow is computed.
        flow_dir: folder of stored flow for training, NAME.npy a video, see
            `zoo.datasets.video.flow.store_flow`; None computes it.
        scale_vectors: enlarging the flow lengthens its vectors (the authors' code did not).
        stride: a clip every so many frames.
        loss: mse (the paper's), kl, cc, nss, or sum, of KL, CC and NSS.
        sigma: of the truth maps, in degrees of visual angle.
        degrees: width of a frame in degrees of visual angle.
        optimizer: rmsprop, adam or sgd.
        rate: learning rate.
        halve_every: halve it after every so many iterations; None never.
        weight_decay: L2 decay of the head's kernels.
        dropout: share of the features' channels that the head does without in training.
        batch_size: clips in a batch.
        epochs: None for the paper's 10, 2 or 1.
        patience: stop after so many epochs without a better validation loss.
        validation_share: share of the training videos that are held out.
        initial: what stands for the frames before the first whole clip in the evaluation: copy
            the first prediction (the paper), or pad the video with its first frame.
        evaluate_stride: a map is predicted for every so many frames, and interpolated between.
        seed: of initial weights, splits and order.
        tensorboard: write OUTPUT/logs.
        restart: forget an earlier run in `output`.
    """

    dataset: str = "moving_targets"
    data_dir: str = "data"
    output: str = "runs/lsts"
    cache: str | None = None
    small: bool = False
    streams: Literal["rgb", "flow", "both"] = "rgb"
    variant: Literal["released", "printed"] = "released"
    num_frames: int = 79
    image_size: tuple[int, int] = (224, 224)
    output_size: tuple[int, int] = (360, 640)
    target: Literal["last", "centre"] = "last"
    width: float = 1.0
    head_width: float = 1.0
    padding: Literal["same", "static", "static_same_time"] | None = None
    scaling: Literal["fixed", "min_max"] = "fixed"
    reverse_channels: bool = False
    backbone_weights: dict[str, str] = dataclasses.field(default_factory=dict)
    flow: Literal["dis", "tvl1"] = "dis"
    flow_size: tuple[int, int] = (112, 112)
    flow_dir: str | None = None
    scale_vectors: bool = True
    stride: int = 1
    loss: Literal["mse", "kl", "cc", "nss", "sum"] = "mse"
    sigma: float = 1.5
    degrees: float = 43.2
    optimizer: Literal["rmsprop", "adam", "sgd"] = "rmsprop"
    rate: float = 1e-4
    halve_every: int | None = 50
    weight_decay: float = 5e-5
    dropout: float = 0.0
    batch_size: int = 128
    epochs: int | None = None
    patience: int | None = None
    validation_share: float = 0.2
    initial: Literal["copy", "pad"] = "copy"
    evaluate_stride: int = 1
    seed: int = 0
    tensorboard: bool = True
    restart: bool = False


def main(config: Config) -> dict:
    """Extract features, train the head, write `OUTPUT/model.keras`, evaluate; return results."""
    if config.small:
        config = dataclasses.replace(config, small=False, **SMALL)
    options = {k: v for k, v in dataclasses.asdict(config).items() if k != "restart"}
    output = claim_output(config.output, options, restart=config.restart)
    prepare_run(config.seed)
    cache = Path(config.cache or output / "cache")
    truth_map = TruthMap(config.sigma, 0.0, config.degrees)

    records = load_records(config.dataset, config.data_dir, "train")
    test = load_records(config.dataset, config.data_dir, "test")
    least = config.num_frames + (config.streams != "rgb")
    sources = [
        frame_sources(part, cache / "frames", config.image_size, least=least, seed=config.seed)
        for part in hold_out(records, config.validation_share, config.seed)
    ]
    caches = [_cache(config, stream, cache, sources[0]) for stream in STREAMS[config.streams]]
    batches = []
    for part in sources:
        targets = [_whole(config, source, config.stride) for source in part]
        batches.append(
            ClipBatches(
                [_features(config, caches, s, t) for s, t in zip(part, targets)],
                [s.points[t] for s, t in zip(part, targets)],
                config.output_size,
                truth_map,
                batch_size=config.batch_size,
                seed=config.seed,
            )
        )
    training, validation = batches
    print(f"{len(training.places)} clips, {len(validation.places)} for validation", flush=True)

    loss = LOSSES[config.loss]()
    model = build_head(config, caches)
    model.compile(
        make_optimizer(config.optimizer, config.rate, clip=None),
        loss={"saliency": loss},
        jit_compile=keras.config.backend() == "jax",
    )

    def validate(model: keras.Model, epoch: int) -> dict[str, float]:
        values = [
            float(loss(truth["saliency"], model.predict_on_batch(features)["saliency"]))
            for features, truth in validation.in_order()
        ]
        return {"val_loss": float(np.mean(values))}

    run = fit(
        model,
        training.batches,
        output=output,
        epochs=config.epochs or EPOCHS[config.streams],
        steps=training.steps,
        rate=lambda e, s: halved(config.rate, e * training.steps + s, config.halve_every),
        validate=validate,
        patience=config.patience,
        callbacks=[TensorBoard(output / "logs", configuration=options, output="saliency")]
        if config.tensorboard
        else [],
    )
    model.set_weights(load(output / BEST).get_weights())
    whole = build_whole(config, caches, model)
    write_atomically(output / "model.keras", lambda temporary: whole.save(temporary))
    results = {"best_epoch": run.best_epoch + 1, "seconds": round(run.seconds, 1)}
    test = _long_enough(test, least if config.initial == "copy" else 1)
    if test:
        found = evaluate(
            whole,
            test,
            train_records=records,
            output=output / "evaluation",
            initial="repeat" if config.initial == "copy" else "pad",
            sigma=config.sigma / config.degrees,
            stride=config.evaluate_stride,
            overwrite=True,
        )
        results["test"] = found.table
    else:
        warnings.warn("There are no test videos: nothing is evaluated.", stacklevel=2)
    text = json.dumps(results, indent=1, default=float)
    write_atomically(output / "results.json", lambda temporary: temporary.write_text(text))
    return results


def build_head(config: Config, caches: list[ClipFeatures]) -> keras.Model:
    """The part that is trained: pooled features to a map."""
    shape = caches[0].extractor.output_shape[1:]
    return lsts(
        streams=config.streams,
        variant=config.variant,
        output_size=config.output_size,
        target=config.target,
        flow=_flow_facts(config) if config.streams != "rgb" else None,
        backbone=None,
        feature_shape=(*shape[:-1], shape[-1] * len(caches)),
        width=config.head_width,
        weight_decay=config.weight_decay,
        dropout=config.dropout,
    )


def build_whole(config: Config, caches: list[ClipFeatures], head: keras.Model) -> keras.Model:
    """Frames to a map: the extractors and the trained head in one model."""
    inputs = {c.stream: keras.Input(c.extractor.input_shape[1:], name=c.stream) for c in caches}
    features = [c.extractor(inputs[c.stream], training=False) for c in caches]
    x = keras.layers.Concatenate(name="fusion")(features) if len(caches) > 1 else features[0]
    inputs = inputs if len(caches) > 1 else inputs[caches[0].stream]
    return keras.Model(inputs, {"saliency": head.get_layer("head")(x)}, name="lsts")


def _cache(config: Config, stream: str, root: Path, sources) -> ClipFeatures:
    # Every stream's own seed: its weights, and so its cache, do not depend on the other stream.
    keras.utils.set_random_seed(config.seed + list(STREAMS).index(stream))
    flow = {k: v for k, v in _flow_facts(config).items() if k != "method"}
    extractor = lsts_features(
        stream=stream,
        num_frames=config.num_frames,
        image_size=config.image_size,
        width=config.width,
        padding=config.padding,
        scaling=config.scaling,
        reverse_channels=config.reverse_channels,
        backbone_weights=config.backbone_weights.get(stream),
    )
    extractor.trainable = False
    settings = {"flow": [config.flow, flow] if stream == "flow" else None}
    if stream == "flow" and config.flow_dir is not None:
        settings["flow"].append(config.flow_dir)
    settings |= {n: getattr(config, n) for n in ("scaling", "reverse_channels", "padding")}
    if config.flow == "tvl1" and stream == "flow":
        flow = {**flow, "method": tvl1_function(config.flow_size)}
    stored = {"flow_options": flow, "flow_dir": config.flow_dir}
    cache = ClipFeatures(root / "features", extractor, settings, **stored)
    if stream not in config.backbone_weights:
        warnings.warn(
            f"I3D of the {stream} stream has random weights: give `backbone_weights`. Its "
            "statistics are set by a few training clips.",
            stacklevel=2,
        )
        _calibrate(cache, sources, config)
        cache = ClipFeatures(root / "features", extractor, settings, **stored)
    return cache


def _flow_facts(config: Config) -> dict:
    return {
        "method": config.flow,
        "size": config.flow_size,
        "scale_vectors": config.scale_vectors,
    }


def _long_enough(records, least: int) -> list:
    """The records of at least so many frames; the others are counted and named in a warning."""
    lengths = [open_video(r.video, start=r.start, end=r.end).num_frames for r in records]
    short = [f"{r.name} ({n})" for r, n in zip(records, lengths) if n < least]
    if short:
        option = advised("`initial='pad'`", "--initial pad")
        warnings.warn(
            f"{len(short)} of {len(records)} test videos have fewer than {least} frames and are "
            f"left out; {option} takes them: {', '.join(short)}",
            stacklevel=3,
        )
    return [r for r, n in zip(records, lengths) if n >= least]


def _calibrate(cache: ClipFeatures, sources, config: Config, videos: int = 8) -> None:
    """Sets the batch statistics of a random backbone to those of some clips.

    Without it activations fade from layer to layer, below what float16 can hold.
    """
    clips = [
        next(cache.clips(source, _whole(config, source, 1)[::7][:1], config.target))
        for source in sources[:videos]
    ]
    for layer in cache.extractor._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable, layer.momentum = True, 0.0
    cache.extractor(np.concatenate(clips), training=True)
    cache.extractor.trainable = False


def _whole(config: Config, source, stride: int) -> np.ndarray:
    return predicted_frames(
        len(source.inputs), config.num_frames, config.target, config.streams, stride
    )


def _features(config: Config, caches, source, targets) -> np.ndarray:
    parts = [cache.get(source, targets, config.target) for cache in caches]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
