"""Joint network: where people look and what a video shows, trained as one.

    python -m zoo.recipes.joint --dataset moving_targets --data-dir DATA
    python -m zoo.recipes.joint --dataset ucf101 --data-dir DATA --saliency-from rmdn.keras
    python -m zoo.recipes.joint --dataset csv --data-dir labels.csv --more csv=gaze.csv

Takes every option of `zoo.recipes.rmdn` and its defaults, and those of the action beside them.
Videos with gaze alone and with a label alone train together: each loss is a mean over the videos
that have what it needs. A data set without any gaze trains the action behind the saliency of
another model (`--saliency-from`, kept as it is by `--freeze-saliency`), or behind none
(`--attend None`). With `--pseudo-gaze 0.5` videos without gaze train the saliency too, by gaze that
is drawn from what the network itself has learned of the others.

With `--saliency-epochs` the saliency is trained alone for so long, then both. With `--feedback`
the saliency of a frame weights the next frame's input; in training the true one stands for it
with the probability `--teacher`, which falls to zero by the middle of the run.

A run that is killed goes on where it was when the same command is given again.
`tensorboard --logdir OUTPUT/logs` shows both losses, overlays, and the confusion matrix.

Hardware, measured result: see docs/joint.md. No paper has numbers for this network; its authors
announced it.

Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
Spatiotemporal Visual Attention, ICLR 2017, section 5.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tyro

from zoo.losses import MixtureNLL
from zoo.models.joint import joint
from zoo.models.loading import load
from zoo.recipes import rmdn
from zoo.training import scores
from zoo.training.checkpoint import write_atomically
from zoo.training.data import hold_out
from zoo.training.frozen_backbone import backbone_of, cached_features, joined_weights
from zoo.training.joint_data import copy_layers, joint_records
from zoo.training.joint_scores import action_scores, confusion, predict_joint
from zoo.training.joint_windows import JointSource, JointWindows, joint_sources
from zoo.training.loop import BEST, claim_output, make_optimizer, prepare_run
from zoo.training.pseudo_gaze import PseudoGaze
from zoo.visualize.joint_board import JointBoard

SALIENCY_LAYERS = (
    "backbone",
    "c3d",
    "recurrent_",
    "feedback",
    "mixture",
)  # names, or their beginnings


@dataclasses.dataclass(frozen=True)
class Config(rmdn.Config):
    """Options of the recipe: those of the RMDN recipe, and these.

    Args:
        dataset: data set to train on.
        more: other data sets to mix in, each "name=FOLDER"; all must have the same classes.
        output: folder of the run.
        attend: what the saliency weights: feature, clip, or None.
        attention_gradient: the action's loss trains the saliency too.
        central_bias: Gaussians of the trained central bias mixed into the attention, 0 for none.
        feedback: the saliency of the last step weights the next input.
        teacher: probability of the true saliency in the feedback at the start of the training.
        pooling: of the steps.
        action_units: hidden units before the pooling.
        action_dropout: before the classes.
        unimodality: weight of the log-concavity of the temporal attention.
        multi_label: videos may show several actions.
        mixture_weight, action_weight: weights of the two losses.
        uncertainty: learn the weights of the losses.
        saliency_epochs: epochs with the saliency alone before both are trained.
        saliency_from: a `.keras` file whose trunk and saliency layers are taken over.
        freeze_saliency: keep trunk and saliency as they are.
        pseudo_gaze: videos without gaze learn from gaze that is drawn from the network's own
            saliency, and count so much beside those with gaze; 0 for not at all.
    """

    dataset: str = "moving_targets"
    more: tuple[str, ...] = ()
    output: str = "runs/joint"
    attend: Literal["feature", "clip"] | None = "feature"
    attention_gradient: bool = True
    central_bias: int = 0
    feedback: bool = False
    teacher: float = 0.0
    pooling: Literal["max", "mean", "attention"] = "max"
    action_units: int | None = None
    action_dropout: float = 0.5
    unimodality: float = 1.0
    multi_label: bool = False
    mixture_weight: float = 1.0
    action_weight: float = 1.0
    uncertainty: bool = False
    saliency_epochs: int = 0
    saliency_from: str | None = None
    freeze_saliency: bool = False
    pseudo_gaze: float = 0.0


def main(config: Config) -> dict:
    """Train, test, write `OUTPUT/model.keras`; return the results."""
    _check(config)
    options = {k: v for k, v in dataclasses.asdict(config).items() if k != "restart"}
    output = claim_output(config.output, options, restart=config.restart)
    prepare_run(config.seed, precision=config.precision, deterministic=config.deterministic)
    records, classes = joint_records(config, "train")
    train, validation = hold_out(records, config.validation_share, config.seed)
    cache = Path(config.cache or output / "cache")
    reading = {
        "num_classes": len(classes),
        "multi_label": config.multi_label,
        "least": config.lag + 1,
    }
    frames = [
        joint_sources(part, cache / "frames", config.image_size, **reading)
        for part in (train, validation)
    ]
    print(f"{len(frames[0])} videos for training, {len(frames[1])} for validation", flush=True)
    whole = build(config, len(classes))
    if config.saliency_from is not None:
        copied = copy_layers(load(config.saliency_from), whole, SALIENCY_LAYERS)
        print(f"taken over from {config.saliency_from}: {', '.join(copied)}", flush=True)
    sources = frames
    if not config.trainable_backbone:
        sources = cached_features(config, whole, frames, cache)
    bias = scores.central_bias(frames[0], 36, 64)
    windows = [windows_of(config, part, len(classes)) for part in sources]

    def validate(model: keras.Model, epoch: int) -> dict[str, float]:
        found = judge(model, windows[1], bias, config)
        return {f"val_{name}": value for name, value in found.items()}

    def callbacks(stage: str):
        if not config.tensorboard:
            return []
        samples = rmdn.tensorboard_samples(config, frames[1], sources[1])
        return [
            JointBoard(
                output / "logs" / stage,
                samples=samples,
                configuration=options,
                teacher=windows[1].teacher is not None,
                counts=lambda model: confusion(predict_joint(model, windows[1], 5)[1], windows[1]),
                classes=classes,
            )
        ]

    model = trainable(config, whole, len(classes))
    results = {"classes": list(classes), "seconds": 0.0}
    if config.saliency_epochs:
        stage = _compiled(config, model, {"mixture": config.mixture_weight, "action": 0.0})
        run = rmdn.train_on(
            config,
            stage,
            windows[0],
            output / "saliency",
            config.saliency_epochs,
            validate,
            callbacks("saliency"),
        )
        model.set_weights(load(output / "saliency" / BEST).get_weights())
        results["seconds"] += round(run.seconds, 1)
    weights = {"mixture": config.mixture_weight, "action": config.action_weight}
    model = _compiled(config, model, weights)
    batches = None
    if config.pseudo_gaze:
        pseudo = PseudoGaze(model, windows[0], output, config.epochs, config.pseudo_gaze)
        batches = pseudo.batches
    run = rmdn.train_on(
        config, model, windows[0], output, config.epochs, validate, callbacks("both"), batches
    )
    best = load(output / BEST)
    results["best_epoch"] = run.best_epoch + 1
    results["seconds"] += round(run.seconds, 1)
    results["parameters"] = int(whole.count_params())
    results["validation"] = judge(best, windows[1], bias, config)
    whole.set_weights(joined_weights(whole, best))
    write_atomically(output / "model.keras", lambda temporary: whole.save(temporary))
    if config.evaluate:
        results["test"] = _test(config, whole, cache, reading, bias)
    text = json.dumps(results, indent=1, default=float)
    write_atomically(output / "results.json", lambda temporary: temporary.write_text(text))
    return results


def build(config: Config, num_classes: int, **changed) -> keras.Model:
    """The whole model, frames to mixtures and action, without a teacher."""
    names = ("image_size", "width", "endpoint", "dense", "cell", "units", "num_layers")
    names += ("num_components", "min_sigma", "local", "dropout", "attend", "attention_gradient")
    names += ("central_bias", "feedback", "pooling", "action_units", "action_dropout")
    names += ("unimodality", "multi_label", "uncertainty")
    head = {name: getattr(config, name) for name in names}
    if "backbone" in changed:
        return joint(num_classes=num_classes, **head, **changed)
    given = config.backbone_weights or config.saliency_from
    if not config.trainable_backbone and given is None:
        warnings.warn(
            "C3D is frozen with random weights: give `backbone_weights` or `saliency_from`, "
            "or set `trainable_backbone`.",
            stacklevel=2,
        )
    model = joint(
        num_classes=num_classes,
        **head,
        trainable_backbone=config.trainable_backbone,
        backbone_weights=config.backbone_weights,
        causal=config.causal,
        normalization=config.normalization,
        preprocessing=config.preprocessing,
        **changed,
    )
    rmdn.set_momentum(model, config.normalization_momentum)
    return model


def trainable(config: Config, whole: keras.Model, num_classes: int) -> keras.Model:
    """What is trained: the whole model, or what is behind the frozen trunk; with the teacher."""
    changed = {"teacher_forcing": True} if config.teacher else {}
    model = whole
    if not config.trainable_backbone:
        shape = backbone_of(whole).output_shape[2 if config.dense else 1 :]
        model = build(config, num_classes, backbone=None, feature_shape=shape, **changed)
    elif config.teacher:
        model = build(config, num_classes, **changed)
    if model is not whole:
        own = whole.get_weights()
        model.set_weights(own[len(own) - len(model.weights) :])
    if config.freeze_saliency:
        for layer in model.layers:
            if layer.name.startswith(SALIENCY_LAYERS):
                layer.trainable = False
    return model


def _compiled(config: Config, model: keras.Model, weights: dict[str, float]) -> keras.Model:
    crossentropy = (
        keras.losses.BinaryCrossentropy()
        if config.multi_label
        else keras.losses.SparseCategoricalCrossentropy()
    )
    model.compile(
        optimizer=make_optimizer(
            config.optimizer, config.rate, clip=config.clip, weight_decay=config.weight_decay
        ),
        loss={"mixture": MixtureNLL(config.over_fixations), "action": crossentropy},
        loss_weights=None if config.uncertainty else weights,
        jit_compile=keras.config.backend() == "jax",
    )
    return model


def windows_of(config: Config, sources: list[JointSource], num_classes: int) -> JointWindows:
    """Training windows: `window` frames, or the features of as many."""
    return JointWindows(
        sources,
        num_classes=num_classes,
        multi_label=config.multi_label,
        teacher=_schedule(config) if config.teacher else None,
        **rmdn.window_options(config),
    )


def _schedule(config: Config) -> Callable[[int], float]:
    return lambda epoch: config.teacher * max(0.0, 1.0 - 2.0 * epoch / config.epochs)


def judge(model, windows: JointWindows, bias, config: Config) -> dict[str, float]:
    """Both tasks on some videos, and the weighted loss that chooses the best epoch."""
    predictions, actions = predict_joint(model, windows, config.score_every)
    values, loss = action_scores(actions, windows), 0.0
    truth = [source.label for source in windows.sources]
    labelled = [n for n, label in enumerate(truth) if label is not None]
    if labelled:
        kind = keras.losses.BinaryCrossentropy if config.multi_label else None
        kind = kind or keras.losses.SparseCategoricalCrossentropy
        wanted = np.stack([np.asarray(truth[n]) for n in labelled])
        values["action_loss"] = float(kind()(wanted, actions[labelled]))
        loss += config.action_weight * values["action_loss"]
    if np.isfinite(predictions.points).any():
        first = scores.TruthMap(config.sigmas[0], config.uniforms[0], config.degrees)
        values.update(scores.score(predictions, first, baseline=bias))
        loss += config.mixture_weight * values["loss_per_fixation"]
    values["loss"] = loss
    return values


def _test(config, whole, cache, reading, bias) -> dict[str, float]:
    records, _ = joint_records(config, "test")
    if not records:
        warnings.warn("There are no test videos: nothing is tested.", stacklevel=2)
        return {}
    sources = joint_sources(records, cache / "frames", config.image_size, **reading)
    whole_videos = dataclasses.replace(config, trainable_backbone=True, teacher=0.0)
    return judge(whole, windows_of(whole_videos, sources, reading["num_classes"]), bias, config)


def _check(config: Config) -> None:
    rmdn.check(config)
    if config.attend == "clip" and not config.trainable_backbone:
        raise ValueError(
            'attend="clip" passes weighted frames through the trunk: it needs '
            "`trainable_backbone`. Received: trainable_backbone=False"
        )
    if config.teacher and not config.feedback:
        raise ValueError(
            f"`teacher` needs `feedback`. Received: teacher={config.teacher}, feedback=False"
        )
    if not 0.0 <= config.teacher <= 1.0:
        raise ValueError(f"`teacher` must be from 0 to 1. Received: teacher={config.teacher}")
    if not 0.0 <= config.pseudo_gaze <= 1.0:
        raise ValueError(
            f"`pseudo_gaze` must be from 0 to 1. Received: pseudo_gaze={config.pseudo_gaze}"
        )
    if config.local and config.feedback:
        raise ValueError(
            "`feedback` gives its mixture inside the recurrence, `local` behind it: give one of "
            "them. Received: local=True, feedback=True"
        )
    if config.pseudo_gaze and config.freeze_saliency:
        raise ValueError(
            "`pseudo_gaze` trains the saliency, `freeze_saliency` keeps it as it is: give one of "
            f"them. Received: pseudo_gaze={config.pseudo_gaze}, freeze_saliency=True"
        )


if __name__ == "__main__":
    print(json.dumps(main(tyro.cli(Config, description=__doc__)), indent=1, default=float))
