"""LSTS: predict a saliency map from a long clip of frames, of optical flow, or of both.

    zoo train lsts --dataset dhf1k --data-dir DHF1K --streams both \\
        --backbone-weights rgb RGB_I3D flow FLOW_I3D --flow tvl1
    zoo train lsts --data-dir made --small --streams both --output runs/lsts

The defaults are those of the paper: I3D is frozen, and its pooled features of every 79-frame clip
are computed once and kept on disk. The head is trained by RMSprop with a rate of 1e-4 that is
halved every 50 iterations, L2 decay 5e-5, batches of 128, the squared error against maps stretched
to [0, 1], and 10, 2 or 1 epochs for RGB, flow or both. `--small` sets options that train within
minutes on two CPU cores without pretrained weights: clips of 16 frames of 128x128, an eighth of
I3D's width with calibrated statistics, Adam, dropout.

A run that was killed resumes when the same command is given again.

Hardware and measured result: `benchmarks/results/lsts.md`. The paper's, DHF1K validation: sAUC
.6415, AUC-J .8280, NSS 1.441, CC .3868 (RGB); .6983, .8616, 1.2561, .3370 (flow); .6218, .8306,
1.38033, .3715 (both). They were not reproduced here, because the data set and the weights were not
available.

Reference: Ozturk, "Long spatio-temporal saliency map prediction".
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from zoo import losses
from zoo.cli.main import run_recipe
from zoo.datasets import Features, Flow, Frames, Saliency, Samples, Windows
from zoo.datasets.record import Record
from zoo.datasets.samples.batches import check_batch
from zoo.datasets.shards.features import FeatureStore, JoinedFeatures
from zoo.datasets.video.reading import open_record
from zoo.files.interface import advised
from zoo.layers import tvl1_function
from zoo.models.lsts import STREAMS, lsts, lsts_features
from zoo.training.backbone_features import BackboneFeatures
from zoo.training.board_samples import boards
from zoo.training.devices import predict_on_batch
from zoo.training.evaluation import evaluate_on
from zoo.training.in_order import batches_in_order
from zoo.training.layer_weights import copy_layers
from zoo.training.named_data import hold_out, load_records
from zoo.training.optimizers import make_optimizer
from zoo.training.options import RunOptions, refuse_changed
from zoo.training.recipe import begin, best_of, claim, finish, save_model, train
from zoo.training.schedules import Halving

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
class Config(RunOptions):
    """Options of the recipe; the defaults are the paper's.

    Args:
        dataset: data set to train on.
        small: use the options of the small version (`SMALL`) instead of the paper's.
        streams: rgb, flow or both.
        variant: the network as released by the authors, or as printed in the paper.
        num_frames: number of frames in a clip.
        image_size: height and width of the frames that I3D sees.
        output_size: height and width of the maps.
        target: the frame of the clip that the map is for.
        width: multiplies I3D's channels.
        head_width: multiplies the head's channels.
        padding: I3D's padding; static is that of the authors' copy, None that of the weights.
        scaling: fixed, or min_max for the range of each clip (the authors' code).
        reverse_channels: feed BGR instead of RGB (the authors' code).
        backbone_weights: I3D's weights, by stream.
        flow: dis or tvl1 (the paper's).
        flow_size: height and width at which flow is computed.
        flow_dir: folder of stored flow for training, one NAME.npy per video, see
            `zoo.datasets.video.flow.store_flow`; without it, flow is computed.
        scale_vectors: scale the vectors when flow is enlarged (the authors' code did not).
        stride: number of frames from the start of one clip to the next.
        loss: mse (the paper's), kl, cc, nss, or sum (of KL, CC and NSS).
        sigma: sigma of the truth maps, in degrees of visual angle.
        degrees: width of a frame in degrees of visual angle.
        optimizer: rmsprop, adam or sgd.
        halve_every: number of steps after which the rate is halved each time; None for never.
        weight_decay: L2 decay of the head's kernels.
        dropout: share of the features' channels that are dropped in training.
        epochs: largest number of epochs; None for the paper's 10, 2 or 1.
        initial: the prediction for the frames before the first whole clip in the evaluation: copy
            the first prediction (the paper), or pad the video with its first frame.
        evaluate_stride: predict every `evaluate_stride`-th frame and interpolate between them.
    """

    dataset: str = "moving_targets"
    output: str = "runs/lsts"
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
    initial: Literal["copy", "pad"] = "copy"
    evaluate_stride: int = 1


def main(config: Config) -> dict:
    """Extract features, train the head, write `OUTPUT/model.keras`, evaluate; return results."""
    if config.streams == "rgb":
        flow = ("flow", "flow_dir", "scale_vectors")
        refuse_changed(config, flow, "needs `streams` flow or both")
    if config.small:
        usual = {field.name: field.default for field in dataclasses.fields(config)}
        changed = {k: v for k, v in SMALL.items() if getattr(config, k) == usual[k]}
        config = dataclasses.replace(config, small=False, **changed)
    config = dataclasses.replace(config, epochs=config.epochs or EPOCHS[config.streams])
    devices = begin(config)
    records = load_records(config.dataset, config.data_dir, "train")
    tested = load_records(config.dataset, config.data_dir, "test") if config.evaluate else []
    parts = hold_out(records, config.validation_share, config.seed)
    for part in parts:  # names unreadable and short videos before anything is written
        frames_of(config, part)
    output = claim(config)

    extractors = {s: extractor_of(config, s, parts[0]) for s in STREAMS[config.streams]}
    store = feature_store(config, extractors, output)
    for part in parts:
        for one in store.stores:
            one.compute(part, skip_bad=config.skip_bad)
    samples, held = (clips_of(config, part, store) for part in parts)
    print(f"{len(samples)} clips, {len(held.places)} for validation", flush=True)
    check_batch(samples, config.batch_size)
    loss = LOSSES[config.loss]()

    def validate(model: keras.Model, epoch: int) -> dict[str, float]:
        values, weights = [], []
        for features, truth, weight in batches_in_order(held, config.batch_size):
            found = predict_on_batch(model, features)["saliency"]
            kept = np.asarray(weight["saliency"]) > 0
            if kept.any():
                values.append(float(loss(np.asarray(truth["saliency"])[kept], found[kept])))
                weights.append(kept.sum())
        return {"val_loss": float(np.average(values, weights=weights))}

    with devices.scope():
        model = build_head(config, store.about["shape"])
        rate = Halving(config.rate, config.halve_every) if config.halve_every else config.rate
        model.compile(
            make_optimizer(config.optimizer, rate, clip=None, accumulate=config.accumulate),
            loss={"saliency": loss},
            steps_per_execution=config.steps_per_execution,
        )
    board = boards(config, output / "logs", output="saliency")
    progress = train(config, model, samples, output, validate=validate, callbacks=board)
    best, facts = best_of(progress, output)
    copy_layers(best, model)
    whole = build_whole(extractors, model)
    results = {
        **facts,
        "validation": {"loss": progress.history[progress.best_epoch]["val_loss"]},
    }
    save_model(config, whole, output, results)
    if config.evaluate:
        results |= test(config, whole, tested, records, output)
        save_model(config, whole, output, results)
    finish(output, results)
    return results


def flow_facts(config: Config) -> dict:
    """How the flow is computed."""
    return {
        "method": config.flow,
        "size": config.flow_size,
        "scale_vectors": config.scale_vectors,
    }


def flow_method(config: Config):
    """The function that computes flow; None is DIS."""
    return tvl1_function(config.flow_size) if config.flow == "tvl1" else None


def frames_of(config: Config, records: Sequence[Record], stream: str = "rgb") -> Samples:
    """Clips of frames or flow, one from each video."""
    inputs = Frames(config.image_size)
    if stream == "flow":
        inputs = Flow(
            config.image_size,
            computed_at=config.flow_size,
            method=flow_method(config),
            scale_vectors=config.scale_vectors,
        )
    # The flow of frame t is the motion from t - 1, so frame 0 has none and a flow clip begins at
    # frame 1, as in the paper, which drops the first RGB frame for the same reason.
    length = config.num_frames + (config.streams != "rgb")
    taken = Windows(config.num_frames if stream == "flow" else length)
    targets = [Saliency(config.output_size)]
    return Samples(
        records, taken, inputs=[inputs], targets=targets, skip_bad=config.skip_bad, seed=config.seed
    )


def clips_of(config: Config, records: Sequence[Record], store: JoinedFeatures) -> Samples:
    """The features of every clip, once per epoch, with the map of its target frame."""
    return Samples(
        records,
        Windows(1),
        inputs=[Features(store, target=config.target, single=True)],
        targets=[Saliency(config.output_size, sigma=config.sigma / config.degrees)],
        per_video=None,
        skip_bad=config.skip_bad,
        seed=config.seed,
    )


def extractor_of(config: Config, stream: str, records: Sequence[Record]) -> keras.Model:
    """Frozen I3D of one stream; random weights get the batch statistics of a few clips."""
    # Each stream has its own seed, so that its cache does not depend on the other stream.
    keras.utils.set_random_seed(config.seed + list(STREAMS).index(stream))
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
    if stream not in config.backbone_weights:
        warnings.warn(
            f"I3D of the {stream} stream has random weights: give `backbone_weights`. Its "
            "statistics are set by a few training clips.",
            stacklevel=2,
        )
        clips = frames_of(dataclasses.replace(config, streams="rgb"), records[:8], stream)
        calibrate(extractor, np.stack([clips.draw(n)[0][stream] for n in range(len(clips))]))
    extractor.trainable = False
    return extractor


def calibrate(extractor: keras.Model, clips: np.ndarray) -> None:
    """Set the batch statistics of a random backbone to those of some clips.

    Without it activations fade from layer to layer, below what float16 can hold.
    """
    extractor.trainable = False
    for layer in extractor._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable, layer.momentum = True, 0.0
    extractor(clips.astype("float32"), training=True)


def feature_store(config: Config, extractors: dict, output: Path) -> JoinedFeatures:
    """The extractors' features of all clips, computed once and kept."""
    stores = []
    for stream, extractor in extractors.items():
        facts = {k: v for k, v in flow_facts(config).items() if k != "method"}
        flow = {**facts, "method": flow_method(config)} if stream == "flow" else None
        settings = {name: getattr(config, name) for name in ("scaling", "reverse_channels")}
        settings["flow"] = flow_facts(config) if flow else None
        features = BackboneFeatures(
            extractor,
            clip_length=config.num_frames,
            hop=config.stride,
            flow=flow,
            flow_dir=config.flow_dir if flow else None,
            first=int(config.streams != "rgb"),
            settings=settings,
        )
        stores.append(FeatureStore(Path(config.cache or output / "cache"), features))
    return JoinedFeatures(stores)


def build_head(config: Config, feature_shape: Sequence[int]) -> keras.Model:
    """The part that is trained, from pooled features to a map."""
    return lsts(
        streams=config.streams,
        variant=config.variant,
        output_size=config.output_size,
        target=config.target,
        flow=flow_facts(config) if config.streams != "rgb" else None,
        backbone=None,
        feature_shape=tuple(feature_shape),
        width=config.head_width,
        weight_decay=config.weight_decay,
        dropout=config.dropout,
    )


def build_whole(extractors: dict[str, keras.Model], head: keras.Model) -> keras.Model:
    """The extractors and the trained head in one model, from frames to a map."""
    inputs = {s: keras.Input(e.input_shape[1:], name=s) for s, e in extractors.items()}
    features = [e(inputs[stream], training=False) for stream, e in extractors.items()]
    x = keras.layers.Concatenate(name="fusion")(features) if len(features) > 1 else features[0]
    given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    return keras.Model(given, {"saliency": head.get_layer("head")(x)}, name="lsts")


def test(config: Config, whole: keras.Model, tested, records, output: Path) -> dict:
    """Evaluate the model and the baselines on the test videos."""
    least = config.num_frames + (config.streams != "rgb")
    tested = long_enough(tested, least if config.initial == "copy" else 1)
    found = evaluate_on(
        tested,
        whole,
        records,
        output,
        initial="repeat" if config.initial == "copy" else "pad",
        sigma=config.sigma / config.degrees,
        stride=config.evaluate_stride,
    )
    return {} if found is None else {"test": found.table}


def long_enough(records: Sequence[Record], least: int) -> list[Record]:
    """The records with at least `least` frames; a warning counts and names the others."""
    lengths = [open_record(r).num_frames for r in records]
    short = [f"{r.name} ({n})" for r, n in zip(records, lengths) if n < least]
    if short:
        option = advised("`initial='pad'`", "--initial pad")
        warnings.warn(
            f"{len(short)} of {len(records)} test videos have fewer than {least} frames and are "
            f"left out; {option} takes them: {', '.join(short)}",
            stacklevel=3,
        )
    return [r for r, n in zip(records, lengths) if n >= least]


if __name__ == "__main__":
    run_recipe("lsts")
