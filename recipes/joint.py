"""Joint network: predict where people look and which action a video shows.

    zoo train joint --dataset moving_targets --data-dir DATA
    zoo train joint --dataset ucf101 --data-dir DATA --saliency-from rmdn.keras
    zoo train joint --dataset csv --data-dir labels.csv --more csv=gaze.csv

Takes the options of `zoo.recipes.rmdn`, with the same defaults, except for `--retrain-on-all` and
`--mirror`, and the options of the action. Of `--sigmas` and `--uniforms`, the first is used.
Videos with only gaze and videos with only a label are trained together: each loss is a mean over
the videos that have the truth for it. On data without gaze, the action is trained with the saliency
of another model (`--saliency-from`; `--freeze-saliency` keeps it unchanged), or without any
(`--attend None`). With `--pseudo-gaze 0.5`, videos without gaze train the saliency too, with gaze
that is sampled from the network's own saliency.

`--saliency-epochs N` trains the saliency alone for N epochs, and then both. With `--feedback`, the
saliency of one frame weights the input of the next; in training, the true saliency replaces it with
probability `--teacher`, which falls to zero by the middle of the run.

A run that was killed resumes when the same command is given again.
`tensorboard --logdir OUTPUT/logs` shows both losses, overlays, and the confusion matrix.

Hardware, measured result: see docs/joint.md. The network was announced, but no paper has published
numbers for it.

Reference: Bazzani, Larochelle and Torresani, Recurrent Mixture Density Network for
Spatiotemporal Visual Attention, ICLR 2017, section 5.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Literal

import keras
import numpy as np

from zoo.cli.main import run_recipe
from zoo.datasets import Action, Mixture, Samples, Windows
from zoo.inference.evaluating.baselines import fit_central_bias
from zoo.losses import MixtureNLL
from zoo.models.joint import joint
from zoo.models.loading import load
from zoo.recipes import rmdn
from zoo.training import joint_scores, scores
from zoo.training.board_samples import boards
from zoo.training.engine.progress import Progress
from zoo.training.layer_weights import copy_layers
from zoo.training.named_data import hold_out, mixed_records
from zoo.training.options import refuse_changed
from zoo.training.pseudo_gaze import (
    NO_GAZE,
    draw_pseudo_gaze,
    drawing_epochs,
    pseudo_gaze_after,
)
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
from zoo.visualize.joint_board import JointBoard

SALIENCY_LAYERS = (
    "backbone",
    "c3d",
    "general_saliency",
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
        attend: where the saliency is applied as weights: to the features (feature), to the input
            frames (clip), or nowhere (None).
        attention_gradient: let the loss of the action train the saliency too.
        central_bias: number of Gaussians of the trained central bias that is mixed into the
            attention; 0 for none.
        feedback: the saliency of one step weights the input of the next.
        teacher: probability of the true saliency in the feedback at the start of the training.
        pooling: how the steps are pooled over time.
        action_units: hidden units at each step, before the pooling.
        action_dropout: dropout before the classifier.
        unimodality: weight of the log-concavity of the temporal attention.
        multi_label: videos may show several actions.
        mixture_weight: weight of the saliency loss.
        action_weight: weight of the action loss.
        uncertainty: learn the weights of the losses; `mixture_weight` and `action_weight` then only
            choose the best epoch.
        saliency_epochs: number of epochs that train the saliency alone, before both are trained.
        saliency_from: a `.keras` file whose trunk and saliency layers are copied.
        freeze_saliency: do not train the trunk and the saliency.
        pseudo_gaze: weight of videos without gaze, which are trained with gaze sampled from the
            network's own saliency, relative to videos with gaze; 0 does not use them.
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
    check(config)
    devices = begin(config)
    records, classes = records_of(config, "train")
    train_records, validation_records = hold_out(records, config.validation_share, config.seed)
    how = {"points": no_gaze(train_records), "skip_bad": config.skip_bad}
    watched = Samples(train_records, Windows(1), targets=[Mixture(1)], **how)
    bias = scores.central_bias(watched, 36, 64)
    output = claim(config)

    with devices.scope():
        whole = build(config, len(classes))
        if config.saliency_from is not None:
            copied = copy_layers(load(config.saliency_from, verbose=False), whole, SALIENCY_LAYERS)
            print(f"taken over from {config.saliency_from}: {', '.join(copied)}", flush=True)
    if config.central_bias:
        fixations = [watched.truth(video) for video in range(len(watched.records))]
        fitted = fit_central_bias(fixations, components=config.central_bias, seed=config.seed)
        whole.get_layer("central_bias").set_bias(fitted)
    store = rmdn.feature_store(config, whole, output)
    points = min(config.fixations, scores.most_points(watched))
    steps = steps_of(samples_of(config, train_records, store, classes, points), config)

    def teacher(step: int) -> float:
        """Probability of the true saliency, which falls to 0 by the middle of the run."""
        return config.teacher * max(0.0, 1.0 - 2.0 * (step // steps) / config.epochs)

    def samples_with(drawn: Mapping[str, np.ndarray], part=train_records) -> Samples:
        forced = teacher if config.teacher else None
        return samples_of(config, part, store, classes, points, drawn=drawn, teacher=forced)

    held = samples_with({}, validation_records)
    print(f"{len(train_records)} videos for training, {len(held.records)} for validation")

    def validate(model: keras.Model, epoch: int) -> dict[str, float]:
        found = judge(config, model, held, bias, classes)
        return {f"val_{name}": value for name, value in found.items()}

    labels = joint_scores.labels_of(held, action_of(config, classes))

    def counts(model: keras.Model) -> np.ndarray:
        predictions = scores.predict_samples(model, held, config.batch_size, 5)
        return joint_scores.confusion(predictions.actions, labels)

    def board(stage: str) -> list[keras.callbacks.Callback]:
        options = {"counts": counts, "classes": classes}
        return boards(config, output / "logs" / stage, held, JointBoard, **options)

    with devices.scope():
        model = trainable(config, whole, len(classes))
    results = {"classes": list(classes), "seconds": 0.0}
    weights = {"mixture": config.mixture_weight, "action": config.action_weight}
    if config.saliency_epochs:
        with devices.scope():
            compiled(config, model, {**weights, "action": 0.0}, steps)
        first = {"epochs": config.saliency_epochs, "callbacks": board("saliency")}
        # The action is not trained yet, so its loss must not choose the epoch.
        seen = any(np.isfinite(held.truth(video)).any() for video in range(len(held.records)))
        progress = train(
            config,
            model,
            samples_with({}),
            output / "saliency",
            validate=validate,
            monitor="val_loss_per_fixation" if seen else None,
            **first,
        )
        best, facts = best_of(progress, output / "saliency")
        copy_layers(best, model)
        results["seconds"] += facts["seconds"]
    with devices.scope():
        compiled(config, model, weights, steps)
    progress = train_both(config, model, samples_with, train_records, output, validate, board)
    best, facts = best_of(progress, output)
    results["best_epoch"] = facts["best_epoch"]
    results["seconds"] += facts["seconds"]
    results["parameters"] = int(whole.count_params())
    results["validation"] = judge(config, best, held, bias, classes)
    copy_layers(best, whole)
    save_model(config, whole, output, results, classes)
    if config.evaluate:
        results["test"] = test(config, whole, classes, bias)
    save_model(config, whole, output, results, classes)
    finish(output, results)
    return results


def train_both(config, model, samples_with, records, output, validate, board) -> Progress:
    """Train both tasks; with pseudo gaze in several parts, each with newly sampled gaze."""
    without = [record for record in records if record.gaze is None]
    ends = [*drawing_epochs(config.epochs)] if config.pseudo_gaze and without else []
    calls, drawn = board("both"), {}

    def draw() -> dict[str, np.ndarray]:
        unwatched = samples_with({r.name: NO_GAZE for r in without}, without)
        how = {"seed": config.seed + progress.epoch, "mirror": config.flips}
        return draw_pseudo_gaze(model, unwatched, config.batch_size, **how)

    for end, following in zip([*ends, config.epochs], [*ends[1:], config.epochs, None]):
        progress = train(
            config,
            model,
            samples_with(drawn),
            output,
            epochs=end,
            validate=validate,
            callbacks=calls,
        )
        if progress.stopped or following is None:
            break
        if progress.epoch < following:
            drawn = pseudo_gaze_after(end, progress, output, draw)
    return progress


def records_of(config: Config, split: str) -> tuple[list, tuple[str, ...]]:
    """Records with gaze or a label of all data sets, and the names of the classes."""
    parts = [(config.dataset, config.data_dir)]
    for item in config.more:
        name, equals, folder = item.partition("=")
        if not (name and equals and folder):
            raise ValueError(f'`more` must hold "name=FOLDER". Received: more={config.more}')
        parts.append((name, folder))
    records, classes = mixed_records(parts, split)
    if split == "train" and not classes:
        raise ValueError(
            "A joint model needs labels in at least one data set; use zoo.recipes.rmdn for "
            f"saliency alone. Received: {[name for name, _ in parts]} without labels"
        )
    if split == "train" and config.pseudo_gaze and not any(r.gaze for r in records):
        raise ValueError(
            "Pseudo gaze needs some videos with gaze to learn from. "
            f"Received: none among {len(records)} training videos"
        )
    return records, classes


def action_of(config: Config, classes) -> Action:
    """The action as a target."""
    return Action(len(classes), config.multi_label)


def no_gaze(records) -> dict[str, np.ndarray]:
    """Empty fixations for records that all lack gaze: the output is there, its loss is 0."""
    return {} if any(r.gaze for r in records) else {r.name: NO_GAZE for r in records}


def samples_of(config, records, store, classes, points, *, drawn=None, teacher=None):
    """Windows of videos with gaze, a label, or both; what is missing has a sample weight of 0."""
    targets = [Mixture(points, rmdn.lag_of(config), teacher)]
    if any(record.label is not None for record in records):
        targets.append(action_of(config, classes))
    options = {"points": drawn or no_gaze(records), "points_weight": config.pseudo_gaze or 1.0}
    return rmdn.samples_of(config, records, targets, store, **options)


def build(config: Config, num_classes: int, **changed) -> keras.Model:
    """The whole model, from frames to mixtures and action, without teacher forcing."""
    names = ("attend", "attention_gradient", "central_bias", "feedback", "pooling")
    names += ("action_units", "action_dropout", "unimodality", "multi_label", "uncertainty")
    head = rmdn.head_options(config) | {name: getattr(config, name) for name in names}
    if "backbone" in changed:
        return joint(num_classes=num_classes, **head, **changed)
    given = config.backbone_weights or config.saliency_from or config.weights
    if not config.trainable_backbone and given is None:
        warnings.warn(
            "C3D is frozen with random weights: give `backbone_weights` or `saliency_from`, "
            "or set `trainable_backbone`.",
            stacklevel=2,
        )
    model = joint(num_classes=num_classes, **head, **rmdn.backbone_options(config), **changed)
    rmdn.set_momentum(model, config.normalization_momentum)
    return model


def trainable(config: Config, whole: keras.Model, num_classes: int) -> keras.Model:
    """The model that is trained: the whole one, or the part after a frozen trunk."""
    changed = {"teacher_forcing": True} if config.teacher else {}
    model = whole
    if features_cached(config):
        shape = rmdn.feature_shape(config, whole)
        model = build(config, num_classes, backbone=None, feature_shape=shape, **changed)
    elif config.teacher:
        model = build(config, num_classes, **changed)
    if model is not whole:
        copy_layers(whole, model, tuple(layer.name for layer in model.layers))
    if config.freeze_saliency:
        for layer in model.layers:
            if layer.name.startswith(SALIENCY_LAYERS):
                layer.trainable = False
    return model


def compiled(config: Config, model: keras.Model, weights: dict[str, float], steps: int) -> None:
    """Compile with both losses."""
    crossentropy = (
        keras.losses.BinaryCrossentropy()
        if config.multi_label
        else keras.losses.SparseCategoricalCrossentropy()
    )
    model.compile(
        optimizer=optimizer_of(config, steps),
        loss={"mixture": MixtureNLL(config.over_fixations), "action": crossentropy},
        loss_weights=weights,  # with `uncertainty`, only a 0 has an effect
        steps_per_execution=config.steps_per_execution,
    )


def judge(config: Config, model, samples: Samples, bias, classes) -> dict[str, float]:
    """Scores of both tasks, and the weighted loss that selects the best epoch."""
    predictions = scores.predict_samples(model, samples, config.batch_size, config.score_every)
    labels = joint_scores.labels_of(samples, action_of(config, classes))
    values = joint_scores.action_scores(predictions.actions, labels, multi_label=config.multi_label)
    loss = config.action_weight * values.get("action_loss", 0.0)
    if np.isfinite(predictions.points).any():
        first = scores.TruthMap(config.sigmas[0], config.uniforms[0], config.degrees)
        values.update(scores.score(predictions, first, baseline=bias))
        loss += config.mixture_weight * values["loss_per_fixation"]
    return {**values, "loss": loss}


def test(config: Config, whole: keras.Model, classes, bias) -> dict[str, float]:
    """Measure both tasks on the frames of the test videos."""
    records, _ = records_of(config, "test")
    if not records:
        warnings.warn("There are no test videos: nothing is tested.", stacklevel=2)
        return {}
    plain = dataclasses.replace(config, cache="none", flips=False)
    samples = samples_of(plain, records, None, classes, config.fixations)
    return judge(plain, whole, samples, bias, classes)


def check(config: Config) -> None:
    rmdn.check(config)
    refuse_changed(config, ("retrain_on_all", "mirror"), "is for the recipe rmdn")
    for name in ("sigmas", "uniforms"):
        value = getattr(config, name)
        if len(value) > 1 and value != getattr(Config, name):
            raise ValueError(
                f"`{name}` must be a single value: the truth map is not chosen for a joint model. "
                f"Received: {name}={value}"
            )
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
            "`feedback` and `local` cannot be combined: `feedback` computes the mixture inside the "
            "recurrence, `local` after it. Received: local=True, feedback=True"
        )
    if config.pseudo_gaze and config.freeze_saliency:
        raise ValueError(
            "`pseudo_gaze` and `freeze_saliency` cannot be combined: pseudo gaze trains the "
            f"saliency. Received: pseudo_gaze={config.pseudo_gaze}, freeze_saliency=True"
        )


if __name__ == "__main__":
    run_recipe("joint")
