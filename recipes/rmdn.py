"""RMDN: predict where people look in a video, trained on fixations.

    zoo train rmdn --dataset ucf_sports --data-dir DATA --backbone-weights C3D
    zoo train rmdn --dataset csv --data-dir my_videos.csv --output runs/mine
    zoo train rmdn --weights general --image-size 192 256 --data-dir my_videos.csv ...

The defaults are those of the paper: C3D is frozen (its features are computed once and kept on
disk), an LSTM of 256 units, 20 Gaussians, windows of 65 frames, RMSprop with a rate of 3e-4 that is
multiplied by 0.95 after every epoch from the eighth on, gradients clipped at 20, at most 40 epochs,
and a fifth of the training videos for validation. `--trainable-backbone` trains everything end to
end. `--weights general` starts from the general model instead of C3D: from its features, and from
its density.

A run that was killed resumes when the same command is given again, and ends with the same weights;
docs/training.md names one exception.
`tensorboard --logdir OUTPUT/logs` shows it while it runs.

Hardware, measured result: the small dense network of `zoo.recipes.demo` on two CPU cores, see
there. The paper's result, Hollywood2, C3D of Sports-1M: AUC 0.9037, NSS 2.6455, CC 0.6129, Sim
0.5349 (trained central bias 0.8725, 1.7646, 0.5297, 0.4812). It was not reproduced here, because
the data set and the weights were not available.

Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
Spatiotemporal Visual Attention, ICLR 2017.
"""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from zoo.backbones.c3d import CLIP_LENGTH
from zoo.cli.main import run_recipe
from zoo.datasets import (
    Colour,
    Crop,
    Features,
    Frames,
    HorizontalFlip,
    Mixture,
    Samples,
    VerticalFlip,
    Windows,
)
from zoo.datasets.samples.batches import check_batch
from zoo.datasets.shards.features import FeatureStore
from zoo.losses import MixtureNLL
from zoo.models.general_features import STRIDE
from zoo.models.rmdn import rmdn
from zoo.training import scores
from zoo.training.backbone_features import BackboneFeatures
from zoo.training.board_samples import boards
from zoo.training.evaluation import evaluate_on
from zoo.training.layer_weights import backbone_of, copy_layers
from zoo.training.named_data import hold_out, load_records
from zoo.training.options import RunOptions
from zoo.training.recipe import (
    begin,
    best_of,
    claim,
    features_cached,
    finish,
    optimizer_of,
    save_model,
    steps_of,
    train,
)
from zoo.training.run import prepare_run


@dataclasses.dataclass(frozen=True)
class Config(RunOptions):
    """Options of the recipe; the defaults are the paper's.

    Args:
        dataset: data set to train on.
        image_size: height and width of the frames that the model sees.
        width: multiplies C3D's filters.
        endpoint: the activation of C3D that is used.
        dense: predict every frame in one pass over the video, instead of one frame per 16-frame
            clip; C3D weights that were trained on clips need `trainable_backbone`, see
            docs/speed.md.
        causal: with `dense`, no prediction depends on later frames.
        normalization: batch normalisation in C3D, for training from scratch.
        normalization_momentum: momentum of its running means; short runs need less than Keras's
            0.99.
        preprocessing: C3D's input normalisation; None for that of the weights.
        cell: type of the recurrent layers.
        units: hidden units of each recurrent layer.
        num_layers: number of recurrent layers.
        num_components: number of Gaussians that depend on the recurrent state.
        min_sigma: smallest standard deviation, as a share of the frame's side.
        local: add one Gaussian around each place of the feature map, see `zoo.rmdn`.
        dropout: dropout on the output of the recurrence.
        backbone_weights: weights of C3D.
        weights: "general" starts from the general model that the zoo ships: from its features and
            its density of each frame. The model then predicts every frame (`dense`), with one
            Gaussian around each place (`local`) and no others (`num_components`); the options of
            C3D have no effect, and `image_size` must be multiples of 16.
        trainable_backbone: train C3D too; otherwise it is frozen and its features are cached.
        window: number of frames in a training window.
        fixations: largest number of fixations per frame; the paper has 80 and 150.
        flips: mirror half of the windows. This and the next three options need frames, that is
            `trainable_backbone` or `cache=none`.
        vertical_flips: turn half of the windows upside down, for films without an up and down.
        zoom: crop windows to a random part of the frame, whose sides are at least this share of
            the frame's; 1 does not crop.
        jitter: change the contrast and brightness of windows by up to this share.
        windows_per_video: number of windows drawn from each video in an epoch.
        optimizer: rmsprop, adam or sgd.
        schedule: decay (the paper's), cosine or constant.
        clip: largest global norm of the gradient.
        weight_decay: decoupled weight decay.
        over_fixations: the loss is the sum (the paper's) or the mean over a frame's fixations.
        sigmas: candidate truth maps, of which one is chosen on the held-out videos: sigmas of the
            Gaussian, in degrees of visual angle.
        uniforms: likewise, shares of the uniform distribution.
        degrees: width of a frame in degrees of visual angle.
        score_every: validation metrics are computed on every `score_every`-th frame.
        retrain_on_all: train again on all videos, for as many epochs as the best run took.
        mirror: in the test, average the predictions for a video and for its mirror image.
    """

    dataset: str = "moving_targets"
    output: str = "runs/rmdn"
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
    weights: Literal["general"] | None = None
    trainable_backbone: bool = False
    window: int = 65
    fixations: int = 150
    flips: bool = False
    vertical_flips: bool = False
    zoom: float = 1.0
    jitter: float = 0.0
    windows_per_video: int = 1
    optimizer: Literal["rmsprop", "adam", "sgd"] = "rmsprop"
    schedule: Literal["decay", "cosine", "constant"] = "decay"
    clip: float = 20.0
    weight_decay: float | None = None
    over_fixations: Literal["sum", "mean"] = "sum"
    patience: int | None = 6
    min_delta: float = 1e-3
    sigmas: tuple[float, ...] = (1.5, 3.0)
    uniforms: tuple[float, ...] = (0.25, 0.5)
    degrees: float = 43.2
    score_every: int = 5
    retrain_on_all: bool = False
    mirror: bool = False

    @property
    def lag(self) -> int:
        """Frames of a window before its first prediction."""
        return 0 if self.dense or self.weights else CLIP_LENGTH - 1


def main(config: Config) -> dict:
    """Train, choose the truth map, write `OUTPUT/model.keras`, evaluate; return the results."""
    check(config)
    devices = begin(config)
    records = load_records(config.dataset, config.data_dir, "train")
    train_records, validation_records = hold_out(records, config.validation_share, config.seed)
    options = {"per_video": config.windows_per_video, "skip_bad": config.skip_bad}
    watched, _ = (  # both, so that a video that cannot be read leaves no folder behind
        Samples(part, Windows(1), targets=[Mixture(1)], **options)
        for part in (train_records, validation_records)
    )
    check_batch(watched, config.batch_size)
    bias = scores.central_bias(watched, 36, 64)
    first_map = scores.TruthMap(config.sigmas[0], config.uniforms[0], config.degrees)
    output = claim(config)

    with devices.scope():
        whole = build(config)
    store = feature_store(config, whole, output)
    points = min(config.fixations, scores.most_points(watched))
    samples, held = (
        samples_of(config, part, [Mixture(points, lag_of(config))], store)
        for part in (train_records, validation_records)
    )
    print(f"{len(samples.records)} videos for training, {len(held.records)} for validation")

    def validate(model: keras.Model, epoch: int) -> dict[str, float]:
        predictions = scores.predict_samples(model, held, config.batch_size, config.score_every)
        values = scores.score(predictions, first_map, baseline=bias)
        values["loss"] = values.pop("loss_per_fixation")
        return {f"val_{name}": value for name, value in values.items()}

    board = boards(config, output / "logs", held)
    with devices.scope():
        model = trainable(config, whole, steps_of(samples, config))
    progress = train(config, model, samples, output, validate=validate, callbacks=board)
    best, facts = best_of(progress, output)
    predictions = scores.predict_samples(best, held, config.batch_size, config.score_every)
    truth_map, table = scores.choose_truth_map(
        predictions, sigmas=config.sigmas, uniforms=config.uniforms, degrees=config.degrees
    )
    results = {
        **facts,
        "validation": scores.score(predictions, truth_map, baseline=bias),
        "truth_map": dataclasses.asdict(truth_map),
        "truth_maps_tried": table,
    }
    if config.retrain_on_all:
        prepare_run(config.seed, precision=config.precision, deterministic=config.deterministic)
        everything = samples_of(config, records, [Mixture(points, lag_of(config))], store)
        with devices.scope():
            model = trainable(config, build(config), steps_of(everything, config))
        progress = train(config, model, everything, output / "all", epochs=facts["best_epoch"])
        best, _ = best_of(progress, output / "all")
    copy_layers(best, whole)
    save_model(config, whole, output, results)
    if config.evaluate:
        results.update(test(config, whole, records, output))
    save_model(config, whole, output, results)
    finish(output, results)
    return results


def check(config: Config) -> None:
    """Raise an error for options that exclude each other."""
    if config.weights and config.backbone_weights:
        raise ValueError(
            "`weights` brings a backbone with it: give it or `backbone_weights`. Received: "
            f"weights={config.weights!r}, backbone_weights={config.backbone_weights!r}"
        )
    if config.weights and any(side % STRIDE for side in config.image_size):
        raise ValueError(
            f"`image_size` must be multiples of {STRIDE} with `weights`. "
            f"Received: image_size={config.image_size}"
        )
    changed = config.flips or config.vertical_flips or config.zoom != 1 or config.jitter
    if changed and features_cached(config):
        raise ValueError(
            "`flips`, `vertical_flips`, `zoom` and `jitter` need `trainable_backbone` or "
            f"`cache=none`: cached features cannot be changed. Received: flips={config.flips}, "
            f"vertical_flips={config.vertical_flips}, zoom={config.zoom}, "
            f"jitter={config.jitter}, trainable_backbone=False"
        )
    if not (0 < config.zoom <= 1 and 0 <= config.jitter < 1):
        raise ValueError(
            "`zoom` must be in (0, 1] and `jitter` in [0, 1). "
            f"Received: zoom={config.zoom}, jitter={config.jitter}"
        )
    if config.score_every < 1:
        raise ValueError(
            f"`score_every` must be at least 1. Received: score_every={config.score_every}"
        )
    if not (config.sigmas and config.uniforms and min(*config.sigmas, config.degrees) > 0):
        raise ValueError(
            "`sigmas` and `uniforms` must not be empty, and `sigmas` and `degrees` must be above "
            f"0. Received: sigmas={config.sigmas}, uniforms={config.uniforms}, "
            f"degrees={config.degrees}"
        )
    if config.window <= config.lag:
        raise ValueError(
            f"`window` must be above {config.lag}, the frames before the first prediction. "
            f"Received: window={config.window}"
        )


def build(config: Config) -> keras.Model:
    """The whole model, frames to mixtures."""
    if not (config.trainable_backbone or config.backbone_weights or config.weights):
        warnings.warn(
            "C3D is frozen with random weights: give `backbone_weights`, or set "
            "`trainable_backbone`.",
            stacklevel=2,
        )
    model = rmdn(**head_options(config), **backbone_options(config))
    set_momentum(model, config.normalization_momentum)
    return model


def set_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of the backbone's batch normalisation."""
    for layer in backbone_of(model).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def backbone_options(config: Config) -> dict:
    """The options of the model that concern the backbone alone."""
    names = ("trainable_backbone", "causal", "normalization", "preprocessing", "backbone_weights")
    options = {name: getattr(config, name) for name in names}
    if config.weights:
        options |= {"backbone": "general_saliency", "backbone_weights": config.weights}
    return options


def head_options(config: Config) -> dict:
    """The options of the model, without those of the backbone alone."""
    model = ("image_size", "width", "endpoint", "dense", "cell", "units", "num_layers")
    head = ("num_components", "min_sigma", "local", "dropout")
    options = {name: getattr(config, name) for name in model + head}
    if config.weights:
        options |= {"dense": True, "local": True, "prior": True, "num_components": 0}
    return options


def feature_shape(config: Config, whole: keras.Model) -> tuple[int, ...]:
    """Shape of the backbone's features of one step."""
    return backbone_of(whole).output_shape[2 if of_whole_videos(config) else 1 :]


def trainable(config: Config, whole: keras.Model, steps: int) -> keras.Model:
    """The compiled model that is trained: the whole one, or the part after a frozen backbone."""
    model = whole
    if features_cached(config):
        shape = feature_shape(config, whole)
        model = rmdn(**head_options(config), backbone=None, feature_shape=shape)
    model.compile(
        optimizer=optimizer_of(config, steps),
        loss={"mixture": MixtureNLL(config.over_fixations)},
        steps_per_execution=config.steps_per_execution,
    )
    return model


def feature_store(config: Config, whole: keras.Model, output: Path) -> FeatureStore | None:
    """The store of the frozen backbone's features; None if the model is trained on frames."""
    if not features_cached(config):
        return None
    dense = of_whole_videos(config)
    clip = CLIP_LENGTH if config.lag else 1
    features = BackboneFeatures(backbone_of(whole), clip_length=clip, dense=dense)
    return FeatureStore(Path(config.cache or output / "cache"), features)


def of_whole_videos(config: Config) -> bool:
    """Whether the backbone maps a whole video to one feature a frame."""
    return config.dense and not config.weights


def lag_of(config: Config) -> int:
    """Steps of a sample before its first prediction; 0 for features, which have one per step."""
    return 0 if features_cached(config) else config.lag


def samples_of(config, records, targets, store: FeatureStore | None, **options) -> Samples:
    """Windows of frames, or of cached features; features that are missing are computed."""
    inputs = [Frames(config.image_size)]
    if store is not None:
        store.compute(records, skip_bad=config.skip_bad)
        inputs = [Features(store)]
    changes = [HorizontalFlip()] if config.flips else []
    changes += [VerticalFlip()] if config.vertical_flips else []
    if config.zoom < 1:
        changes.append(Crop(tuple(np.linspace(config.zoom, 1.0, 9).tolist())))
    if config.jitter:
        changes.append(Colour(brightness=config.jitter / 2, contrast=config.jitter))
    return Samples(
        records,
        Windows(config.window - (0 if store is None else config.lag), pad=True),
        inputs=inputs,
        targets=targets,
        per_video=config.windows_per_video,
        transforms=changes,
        skip_bad=config.skip_bad,
        seed=config.seed,
        **options,
    )


def test(config: Config, whole: keras.Model, records, output: Path) -> dict:
    """Evaluate the model and the baselines on the test videos."""
    tested = load_records(config.dataset, config.data_dir, "test")
    found = evaluate_on(tested, whole, records, output, mirror=config.mirror)
    if found is None:
        return {}
    return {"test": found.table, "explained_information": found.explained_information}


if __name__ == "__main__":
    run_recipe("rmdn")
