"""Steps common to all recipes: prepare a run, train on a stream and report the results."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras

from zoo.datasets import Samples, stream
from zoo.files.atomic import write_text
from zoo.files.printable import one_line
from zoo.models.loading import load
from zoo.models.saving import save
from zoo.training.devices import Devices, join_machines, machine, shard
from zoo.training.engine.progress import Progress
from zoo.training.fit import fit
from zoo.training.in_order import own_errors
from zoo.training.loggers import make_logger
from zoo.training.optimizers import make_optimizer
from zoo.training.options import RunOptions
from zoo.training.run import BEST, CONFIG, claim_output, prepare_run, run_facts
from zoo.training.schedules import schedule as named_schedule


def begin(config: RunOptions) -> Devices:
    """Join other machines, set the random seed and the precision; return the devices."""
    join_machines()
    prepare_run(config.seed, precision=config.precision, deterministic=config.deterministic)
    return Devices(config.devices)


def claim(config: RunOptions) -> Path:
    """Create or re-enter the run's folder; call it after the data have been read.

    See `zoo.training.claim_output`.
    """
    return claim_output(config.output, dataclasses.asdict(config), restart=config.restart)


def features_cached(config: RunOptions) -> bool:
    """Whether the features of a frozen backbone are computed once and cached."""
    return not config.trainable_backbone and config.cache != "none"


def steps_of(samples: Samples, config: RunOptions) -> int:
    """Steps per epoch: enough for every sample once, rounded up to `steps_per_execution`."""
    steps = math.ceil(len(samples) / config.batch_size)
    return math.ceil(steps / config.steps_per_execution) * config.steps_per_execution


def optimizer_of(
    config: RunOptions, steps: int, epochs: int | None = None
) -> keras.optimizers.Optimizer:
    """The optimizer for the options `optimizer`, `rate`, `schedule`, `clip`, `weight_decay`."""
    rate = named_schedule(config.schedule, config.rate, steps=steps, epochs=epochs or config.epochs)
    return make_optimizer(
        config.optimizer,
        rate,
        clip=config.clip,
        weight_decay=config.weight_decay,
        accumulate=config.accumulate,
    )


def train(
    config: RunOptions,
    model: keras.Model,
    samples: Samples,
    output: Path,
    *,
    epochs: int | None = None,
    validate: Callable[[keras.Model, int], Mapping[str, float]] | None = None,
    monitor: str | None = None,
    larger_is_better: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Progress:
    """Train a compiled model on a stream of samples, or resume its training.

    Args:
        config: the recipe's options.
        model: the compiled model.
        samples: the training samples.
        output: folder for the training state and the best epoch's model.
        epochs: maximum number of epochs, instead of that in `config`.
        validate, monitor, larger_is_better, callbacks: see `zoo.training.fit`.
    """

    def data(step: int):
        return stream(samples, config.batch_size, start_step=step, shard=shard())

    others = list(callbacks)
    if config.logger is not None:
        others.append(make_logger(config.logger, output, dataclasses.asdict(config)))
    with own_errors(samples):
        return fit(
            model,
            data,
            output=output,
            epochs=epochs or config.epochs,
            steps=steps_of(samples, config),
            validate=validate,
            monitor=monitor,
            larger_is_better=larger_is_better,
            patience=config.patience if validate is not None else None,
            min_delta=config.min_delta,
            save_seconds=config.save_seconds,
            callbacks=others,
            profile=config.profile,
        )


def best_of(progress: Progress, output: Path) -> tuple[keras.Model, dict]:
    """The model of the best epoch, and the facts about its training for the results."""
    facts = {"best_epoch": progress.best_epoch + 1, "seconds": round(progress.seconds, 1)}
    return load(output / BEST, verbose=False), facts


def save_model(
    config: RunOptions,
    model: keras.Model,
    output: Path,
    results: Mapping,
    classes: Sequence[str] | None = None,
    name: str = "model.keras",
) -> None:
    """Write the model with its card, and `results.json`.

    When several machines train together, only the first one writes.

    Args:
        config: the recipe's options.
        model: the model.
        output: the run's folder, see `claim`.
        results: all results; those of "validation" and "test" are in the card too.
        classes: names of the classes.
        name: name of the model's file.
    """
    if machine() != 0:
        return
    measured = {k: v for k, v in results.items() if k in ("validation", "test")}
    given = json.loads((output / CONFIG).read_text())  # before the recipe completed its options
    save(
        model,
        output / name,
        classes=classes,
        results=measured or None,
        **run_facts(config, given),
    )
    write_text(output / "results.json", json.dumps(results, indent=1, default=float))


def finish(output: Path, results: Mapping, name: str = "model.keras", then: str = "") -> None:
    """Print the test results, where all files are, and the next command.

    Args:
        output: the run's folder.
        results: all results.
        name: name of the model's file.
        then: the next command, with `{}` in place of the model's path; default a prediction.
    """
    test = {k: v for k, v in results.get("test", {}).items() if not isinstance(v, Mapping)}
    if test:
        print("test  " + "  ".join(f"{one_line(name)} {value:.4g}" for name, value in test.items()))
    print(one_line(f"model: {output / name}, results: {output / 'results.json'}"))
    if (output / "logs").is_dir():
        print(f"curves and pictures: tensorboard --logdir {one_line(output / 'logs')}")
    then = then or "zoo predict VIDEO --model {}"
    print(one_line(f"next: {then.format(output / name)}"), flush=True)
