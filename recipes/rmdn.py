"""RMDN: where people look in a video, trained on fixations.

    python -m zoo.recipes.rmdn --dataset ucf_sports --data-dir DATA --backbone-weights C3D
    python -m zoo.recipes.rmdn --dataset csv --data-dir my_videos.csv --output runs/mine

The defaults are the paper's: C3D frozen (its features are computed once and kept on disk), an
LSTM of 256 units, 20 Gaussians, windows of 65 frames, RMSprop 3e-4 falling by 0.95 an epoch after
8 epochs, gradients clipped at 20, at most 40 epochs, a fifth of the training videos for
validation. `--trainable-backbone` trains everything end to end.

A run that is killed goes on where it was when the same command is given again, and ends with the
same weights. `tensorboard --logdir OUTPUT/logs` shows it while it runs.

Hardware, measured result: the small dense form of `zoo.recipes.demo` on two CPU cores, see there.
The paper's result, Hollywood2, C3D of Sports-1M: AUC 0.9037, NSS 2.6455, CC 0.6129, Sim 0.5349
(trained central bias 0.8725, 1.7646, 0.5297, 0.4812); not measured here, for want of the data set
and the weights.

Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
Spatiotemporal Visual Attention, ICLR 2017.
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

from zoo.backbones.c3d import CLIP_LENGTH
from zoo.inference.evaluate import evaluate
from zoo.losses import MixtureNLL
from zoo.models.loading import load
from zoo.models.rmdn import rmdn
from zoo.training import scores
from zoo.training.checkpoint import write_atomically
from zoo.training.data import frame_sources, hold_out, load_records
from zoo.training.frozen_backbone import backbone_of, cached_features, joined_weights
from zoo.training.loop import (
    BEST,
    claim_output,
    fit,
    learning_rate,
    make_optimizer,
    prepare_run,
)
from zoo.training.windows import Source, Windows
from zoo.visualize.tensorboard import Sample, TensorBoard


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the recipe; the defaults are the paper's.

    Args:
        dataset: data set to train on.
        data_dir: its folder; for `csv` the table; for `shards` what `zoo prepare` wrote.
        output: folder of the run.
        cache: folder of decoded frames and features; default `OUTPUT/cache`.
        image_size: height and width of the frames that the model sees.
        width: multiplies C3D's filters.
        endpoint: C3D's activation that is used.
        dense: one prediction a frame from one pass, instead of one for every clip of 16 frames;
            give weights that clips have trained a `trainable_backbone`, see docs/speed.md.
        causal: with `dense`, no frame looks ahead.
        normalization: batch normalisation in C3D, for training from scratch.
        normalization_momentum: of its running means; short runs need less than Keras's 0.99.
        preprocessing: C3D's input normalisation; None for that of the weights.
        cell: recurrence.
        units: hidden units.
        num_layers: recurrent layers.
        num_components: Gaussians of the recurrent state.
        min_sigma: smallest standard deviation, as a share of the frame's side.
        local: also a Gaussian around each place of the feature map, see `zoo.rmdn`.
        dropout: on the recurrence's output.
        backbone_weights: weights of C3D.
        trainable_backbone: train C3D too; else it is frozen and its features are cached.
        window: frames in a training window.
        fixations: at most so many a frame; the paper has 80 and 150.
        flips: mirror half of the windows; needs `trainable_backbone`.
        vertical_flips: turn half of the windows upside down, for films that have no up and down;
            needs `trainable_backbone`.
        zoom: cut windows to random parts of the frame with sides of at least this share; 1 does
            not; needs `trainable_backbone`.
        jitter: change contrast and brightness of windows by at most this share; needs
            `trainable_backbone`.
        batch_size: windows in a batch.
        windows_per_video: windows drawn from a video in an epoch.
        validation_share: share of the training videos that are held out.
        optimizer: rmsprop, adam or sgd.
        rate: learning rate.
        schedule: decay (the paper's), cosine or constant.
        clip: largest global norm of the gradient.
        weight_decay: decoupled weight decay.
        over_fixations: the loss is the sum (the paper's) or the mean over a frame's fixations.
        epochs: at most so many.
        patience: stop after so many epochs without a better validation loss.
        min_delta: how much better counts.
        precision: float32, mixed_bfloat16 or mixed_float16.
        seed: of initial weights, splits, windows and dropout.
        deterministic: ask TensorFlow for the same sums in every run.
        save_seconds: save the state about that often.
        sigmas, uniforms: truth maps among which the held-out videos choose: Gaussian's sigma in
            degrees of visual angle, share of the uniform distribution.
        degrees: width of a frame in degrees of visual angle.
        score_every: validation metrics are computed at every so many frames.
        retrain_on_all: train once more on all videos, for as many epochs as the best run took.
        evaluate: compare the model with the baselines on the test videos.
        mirror: there, average the model's predictions for a video and for its mirror image.
        tensorboard: write OUTPUT/logs.
        restart: forget an earlier run in `output`.
    """

    dataset: str = "moving_targets"
    data_dir: str = "data"
    output: str = "runs/rmdn"
    cache: str | None = None
    image_size: tuple[int, int] = (112, 112)
    width: float = 1.0
    endpoint: Literal["conv5b", "pool5", "fc6", "fc7"] = "pool5"
    dense: bool = False
    causal: bool = False
    normalization: bool = False
    normalization_momentum: float = 0.99
    preprocessing: str | None = None
    cell: Literal["lstm", "rnn"] | None = "lstm"
    units: int = 256
    num_layers: int = 1
    num_components: int = 20
    min_sigma: float = 0.01
    local: bool = False
    dropout: float = 0.5
    backbone_weights: str | None = None
    trainable_backbone: bool = False
    window: int = 65
    fixations: int = 150
    flips: bool = False
    vertical_flips: bool = False
    zoom: float = 1.0
    jitter: float = 0.0
    batch_size: int = 8
    windows_per_video: int = 1
    validation_share: float = 0.2
    optimizer: Literal["rmsprop", "adam", "sgd"] = "rmsprop"
    rate: float = 3e-4
    schedule: Literal["decay", "cosine", "constant"] = "decay"
    clip: float = 20.0
    weight_decay: float | None = None
    over_fixations: Literal["sum", "mean"] = "sum"
    epochs: int = 40
    patience: int | None = 6
    min_delta: float = 1e-3
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 0
    deterministic: bool = True
    save_seconds: float = 60.0
    sigmas: tuple[float, ...] = (1.5, 3.0)
    uniforms: tuple[float, ...] = (0.25, 0.5)
    degrees: float = 43.2
    score_every: int = 5
    retrain_on_all: bool = False
    evaluate: bool = True
    mirror: bool = False
    tensorboard: bool = True
    restart: bool = False

    @property
    def lag(self) -> int:
        """Frames of a window before its first prediction."""
        return 0 if self.dense else CLIP_LENGTH - 1


def main(config: Config) -> dict:
    """Train, choose the truth map, write `OUTPUT/model.keras`, evaluate; return the results."""
    check(config)
    options = {k: v for k, v in dataclasses.asdict(config).items() if k != "restart"}
    output = claim_output(config.output, options, restart=config.restart)
    prepare_run(config.seed, precision=config.precision, deterministic=config.deterministic)

    records = load_records(config.dataset, config.data_dir, "train")
    train, validation = hold_out(records, config.validation_share, config.seed)
    cache = Path(config.cache or output / "cache")
    reading = {"least": config.lag + 1, "seed": config.seed}
    frames = [
        frame_sources(part, cache / "frames", config.image_size, **reading)
        for part in (train, validation)
    ]
    print(f"{len(frames[0])} videos for training, {len(frames[1])} for validation", flush=True)
    whole = build(config)
    sources = frames
    if not config.trainable_backbone:
        sources = cached_features(config, whole, frames, cache, records)

    windows = [windows_of(config, part) for part in sources]
    bias = scores.central_bias(frames[0], 36, 64)
    first_map = scores.TruthMap(config.sigmas[0], config.uniforms[0], config.degrees)

    def validate(model: keras.Model, epoch: int) -> dict[str, float]:
        predictions = scores.predict_windows(model, windows[1], config.score_every)
        values = scores.score(predictions, first_map, baseline=bias)
        values["loss"] = values.pop("loss_per_fixation")
        return {f"val_{name}": value for name, value in values.items()}

    callbacks = []
    if config.tensorboard:
        samples = tensorboard_samples(config, frames[1], sources[1])
        callbacks = [TensorBoard(output / "logs", samples=samples, configuration=options)]
    model = trainable(config, whole)
    run = train_on(config, model, windows[0], output, config.epochs, validate, callbacks)
    best = load(output / BEST)
    predictions = scores.predict_windows(best, windows[1], config.score_every)
    truth_map, table = scores.choose_truth_map(
        predictions, sigmas=config.sigmas, uniforms=config.uniforms, degrees=config.degrees
    )
    results = {
        "best_epoch": run.best_epoch + 1,
        "seconds": round(run.seconds, 1),
        "validation": scores.score(predictions, truth_map, baseline=bias),
        "truth_map": dataclasses.asdict(truth_map),
        "truth_maps_tried": table,
    }
    if config.retrain_on_all:
        prepare_run(config.seed, precision=config.precision, deterministic=config.deterministic)
        model = trainable(config, build(config))
        everything = windows_of(config, sources[0] + sources[1])
        train_on(config, model, everything, output / "all", run.best_epoch + 1)
        best = load(output / "all" / BEST)
    whole.set_weights(joined_weights(whole, best))
    write_atomically(output / "model.keras", lambda temporary: whole.save(temporary))
    if config.evaluate:
        test = load_records(config.dataset, config.data_dir, "test")
        if test:
            found = evaluate(
                whole,
                test,
                train_records=records,
                output=output / "evaluation",
                mirror=config.mirror,
                overwrite=True,
            )
            results["test"] = found.table
            results["explained_information"] = found.explained_information
        else:
            warnings.warn("There are no test videos: nothing is evaluated.", stacklevel=2)
    text = json.dumps(results, indent=1, default=float)
    write_atomically(output / "results.json", lambda temporary: temporary.write_text(text))
    return results


def check(config: Config) -> None:
    """Options that do not go together are an error."""
    changed = config.flips or config.vertical_flips or config.zoom != 1 or config.jitter
    if changed and not config.trainable_backbone:
        raise ValueError(
            "`flips`, `vertical_flips`, `zoom` and `jitter` need `trainable_backbone`: cached "
            f"features cannot be changed. Received: flips={config.flips}, "
            f"vertical_flips={config.vertical_flips}, zoom={config.zoom}, "
            f"jitter={config.jitter}, trainable_backbone=False"
        )
    if config.window <= config.lag:
        raise ValueError(
            f"`window` must be above {config.lag}, the frames before the first prediction. "
            f"Received: window={config.window}"
        )


def build(config: Config) -> keras.Model:
    """The whole model, frames to mixtures."""
    if not config.trainable_backbone and config.backbone_weights is None:
        warnings.warn(
            "C3D is frozen with random weights: give `backbone_weights`, or set "
            "`trainable_backbone`.",
            stacklevel=2,
        )
    model = rmdn(
        **_head(config),
        trainable_backbone=config.trainable_backbone,
        backbone_weights=config.backbone_weights,
        causal=config.causal,
        normalization=config.normalization,
        preprocessing=config.preprocessing,
    )
    set_momentum(model, config.normalization_momentum)
    return model


def set_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of the backbone's batch normalisation."""
    for layer in backbone_of(model).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def _head(config: Config) -> dict:
    model = ("image_size", "width", "endpoint", "dense", "cell", "units", "num_layers")
    head = ("num_components", "min_sigma", "local", "dropout")
    return {name: getattr(config, name) for name in model + head}


def trainable(config: Config, whole: keras.Model) -> keras.Model:
    """What is trained - the whole model, or the part behind the frozen backbone - compiled."""
    model = whole
    if not config.trainable_backbone:
        shape = backbone_of(whole).output_shape[2 if config.dense else 1 :]
        model = rmdn(**_head(config), backbone=None, feature_shape=shape)
    model.compile(
        optimizer=make_optimizer(
            config.optimizer, config.rate, clip=config.clip, weight_decay=config.weight_decay
        ),
        loss={"mixture": MixtureNLL(config.over_fixations)},
        # XLA slows 3D convolutions down on CPUs.
        jit_compile=keras.config.backend() == "jax",
    )
    return model


def windows_of(config: Config, sources: list[Source]) -> Windows:
    """Training windows: `window` frames, or the features of as many."""
    return Windows(sources, **window_options(config))


def window_options(config: Config) -> dict:
    """The arguments of `Windows` but the sources."""
    frames = config.trainable_backbone
    return {
        "length": config.window if frames else config.window - config.lag,
        "lag": config.lag if frames else 0,
        "batch_size": config.batch_size,
        "per_video": config.windows_per_video,
        "max_points": config.fixations,
        "flips": config.flips,
        "vertical_flips": config.vertical_flips,
        "zoom": config.zoom,
        "jitter": config.jitter,
        "seed": config.seed,
        "key": "rgb" if frames else "features",
    }


def train_on(config, model, windows, output, epochs, validate=None, callbacks=(), batches=None):
    """One run of the recipe's schedule, or the rest of it; `batches` stand for the windows' own."""
    steps = windows.steps

    def rate(epoch: int, step: int) -> float:
        return learning_rate(
            config.rate, epoch, step, steps=steps, epochs=epochs, schedule=config.schedule
        )

    return fit(
        model,
        batches or windows.batches,
        output=output,
        epochs=epochs,
        steps=steps,
        rate=rate,
        validate=validate,
        patience=config.patience,
        min_delta=config.min_delta,
        save_seconds=config.save_seconds,
        callbacks=callbacks,
    )


def tensorboard_samples(config, frames, sources, videos: int = 3, shown: int = 4) -> list[Sample]:
    """Frames of the first validation videos, spread over a window each."""
    samples = []
    for frame, source in list(zip(frames, sources))[:videos]:
        stop = min(config.window, len(frame.inputs))
        places = np.linspace(config.lag, stop - 1, shown).astype(int)
        length = stop if config.trainable_backbone else stop - config.lag
        samples.append(
            Sample(
                name=frame.name,
                inputs=np.asarray(source.inputs[:length])[None],
                frames=np.asarray(frame.inputs)[places],
                steps=places - config.lag,
                fixations=np.asarray(frame.points)[places],
            )
        )
    return samples


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
