"""Training that survives a kill at any moment, shared by all recipes.

`fit` drives a compiled `keras.Model` step by step. Everything that a step depends on - weights,
optimizer, dropout seeds, the place in the epoch, early stopping - lies in one state file that is
replaced atomically, and the data of a step is a function of (epoch, step) alone. So a run that
was killed and started again ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.training.checkpoint import load_state, remove_partial, save_state, write_atomically

STATE = "state.npz"
BEST = "best.keras"


@dataclasses.dataclass
class Progression:
    """How far a run is: the next step, the epoch's sums so far, the best epoch, the history."""

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    best: float | None = None
    best_epoch: int = -1
    waited: int = 0
    finished: bool = False
    seconds: float = 0.0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)


def learning_rate(
    base: float,
    epoch: int,
    step: int = 0,
    *,
    steps: int = 1,
    epochs: int = 1,
    schedule: str = "decay",
    hold: int = 8,
    decay: float = 0.95,
    warmup: float = 0.05,
) -> float:
    """The rate of a step: `decay` (the paper's), `cosine` (with a linear start), or `constant`."""
    if schedule == "constant":
        return base
    if schedule == "decay":
        return base * decay ** max(0, epoch - hold + 1)
    if schedule == "cosine":
        done = (epoch * steps + step + 1) / (epochs * steps)
        if done < warmup:
            return base * done / warmup
        return base * 0.5 * (1.0 + math.cos(math.pi * min(1.0, (done - warmup) / (1.0 - warmup))))
    raise ValueError(
        f"`schedule` must be one of 'decay', 'cosine', 'constant'. Received: schedule={schedule!r}"
    )


def make_optimizer(
    name: str,
    rate: float,
    *,
    clip: float | None = 20.0,
    weight_decay: float | None = None,
) -> keras.optimizers.Optimizer:
    """RMSprop, Adam, AdamW or SGD with momentum, the gradient's global norm clipped at `clip`."""
    arguments = {"learning_rate": rate, "global_clipnorm": clip, "weight_decay": weight_decay}
    if name == "rmsprop":
        return keras.optimizers.RMSprop(**arguments)
    if name == "adam":
        return keras.optimizers.Adam(**arguments)
    if name == "sgd":
        return keras.optimizers.SGD(momentum=0.9, **arguments)
    raise ValueError(
        f"`optimizer` must be one of 'rmsprop', 'adam', 'sgd'. Received: optimizer={name!r}"
    )


def prepare_run(seed: int, *, precision: str = "float32", deterministic: bool = True) -> None:
    """Seed everything, set the precision policy, and ask for the same sums in every run."""
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    if deterministic and keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def claim_output(output: str | Path, configuration: dict, *, restart: bool = False) -> Path:
    """Make the run's folder, or enter it again when it belongs to the same configuration."""
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`output` must be a folder. Received: output={str(output)!r} (a file)")
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    path = folder / "config.json"
    text = json.dumps(configuration, indent=2, default=str)
    if restart:
        for name in (STATE, BEST, "history.json"):
            (folder / name).unlink(missing_ok=True)
    elif path.exists():
        before, now = json.loads(path.read_text()), json.loads(text)
        changed = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
        if changed:
            shown = ", ".join(f"{k}={now.get(k)!r} (was {before.get(k)!r})" for k in changed)
            raise ValueError(
                "`output` holds a run of another configuration: give another folder, the same "
                f"options, or restart=True. Received: {shown} in {str(folder)!r}"
            )
    write_atomically(path, lambda temporary: temporary.write_text(text))
    return folder


def fit(
    model: keras.Model,
    batches: Callable[[int, int], Iterable],
    *,
    output: str | Path,
    epochs: int,
    steps: int,
    rate: Callable[[int, int], float],
    validate: Callable[[keras.Model, int], dict[str, float]] | None = None,
    monitor: str = "val_loss",
    larger_is_better: bool = False,
    patience: int | None = None,
    min_delta: float = 0.0,
    save_seconds: float = 60.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    show_progress: bool = True,
) -> Progression:
    """Train a compiled model, going on from the state in `output` where there is one.

    Args:
        model: a compiled model.
        batches: `batches(epoch, step)` gives the epoch's batches `(x, y)` or `(x, y, weights)`
            from that step on; what it gives may depend on these two numbers only.
        output: folder of `state.npz` (everything needed to go on), `best.keras`, `history.json`.
        epochs: how many epochs at most.
        steps: batches an epoch.
        rate: learning rate of (epoch, step).
        validate: `validate(model, epoch)` returns values to log, the monitored one among them.
        monitor: which value chooses the best epoch; without `validate`, every epoch is the best.
        larger_is_better: whether the monitored value grows as the model gets better.
        patience: stop after so many epochs without a better value by `min_delta`.
        min_delta: how much better counts.
        save_seconds: save the state about that often within an epoch; 0 saves at every step.
        callbacks: Keras callbacks; they see the calls that `model.fit` would make.
        show_progress: print a bar with the time left, and a line an epoch.

    Returns:
        The run's `Progression`.
    """
    output = Path(output)
    state_path = output / STATE
    run = Progression()
    if state_path.exists():
        run = Progression(**load_state(state_path, model))
    calls = keras.callbacks.CallbackList(list(callbacks), model=model)
    calls.on_train_begin()
    console = Console(quiet=not show_progress, highlight=False)
    began, before = time.monotonic(), run.seconds
    saved = began

    def save() -> None:
        nonlocal saved
        run.seconds = before + time.monotonic() - began
        save_state(state_path, model, dataclasses.asdict(run))
        saved = time.monotonic()

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not show_progress, transient=True) as bar:
        task = bar.add_task("training", total=epochs * steps, completed=_done(run, steps))
        while run.epoch < epochs and not run.finished:
            calls.on_epoch_begin(run.epoch)
            if run.step < steps:
                for batch in batches(run.epoch, run.step):
                    calls.on_train_batch_begin(run.step)
                    model.optimizer.learning_rate = rate(run.epoch, run.step)
                    logs = model.train_on_batch(*batch, return_dict=True)
                    _check_finite(logs, run)
                    for name, value in logs.items():
                        run.sums[name] = run.sums.get(name, 0.0) + float(value)
                    run.step += 1
                    bar.update(task, completed=_done(run, steps))
                    if time.monotonic() - saved >= save_seconds:
                        save()
                    calls.on_train_batch_end(run.step - 1, logs)
                    if run.step == steps:
                        break
                if run.step < steps:
                    raise ValueError(
                        "`batches` must give `steps` batches an epoch. "
                        f"Received: steps={steps}, batches={run.step}"
                    )
                save()  # A kill during validation then repeats the validation alone.
            logs = {name: value / steps for name, value in run.sums.items()}
            logs["learning_rate"] = float(rate(run.epoch, steps - 1))
            if validate is not None:
                logs.update({name: float(v) for name, v in validate(model, run.epoch).items()})
            _judge(
                run,
                logs,
                model,
                output,
                monitor,
                larger_is_better,
                patience,
                min_delta,
                compared=validate is not None,
            )
            run.history.append(logs)
            calls.on_epoch_end(run.epoch, logs)
            run.finished = run.finished or bool(model.stop_training)
            run.epoch, run.step, run.sums = run.epoch + 1, 0, {}
            save()
            left = (run.seconds / run.epoch) * (epochs - run.epoch)
            shown = "  ".join(f"{name} {value:.4g}" for name, value in logs.items())
            line = f"epoch {run.epoch}/{epochs}  {shown}  ({_clock(left)} left)"
            console.print(line, soft_wrap=True)
    calls.on_train_end(run.history[-1] if run.history else None)
    text = json.dumps(run.history, indent=1)
    write_atomically(output / "history.json", lambda temporary: temporary.write_text(text))
    return run


def _judge(run, logs, model, output, monitor, larger, patience, min_delta, *, compared) -> None:
    """Keep the best epoch's model, and stop when there was none for too long."""
    value = logs.get(monitor) if compared else None
    if compared and value is None:
        raise ValueError(f"`monitor` must be one of {sorted(logs)}. Received: monitor={monitor!r}")
    better = not compared or run.best is None or math.isnan(run.best)
    if not better:
        better = ((value - run.best) if larger else (run.best - value)) > min_delta
    if better:
        run.best, run.best_epoch, run.waited = value, run.epoch, 0
        write_atomically(output / BEST, lambda temporary: model.save(temporary))
        return
    run.waited += 1
    if patience is not None and run.waited >= patience:
        run.finished = True


def _check_finite(logs: dict, run: Progression) -> None:
    if not np.isfinite(logs["loss"]):
        raise FloatingPointError(
            "The loss must stay finite; try a smaller learning rate. "
            f"Received: loss={logs['loss']} at epoch {run.epoch + 1}, step {run.step + 1}"
        )


def _done(run: Progression, steps: int) -> int:
    return run.epoch * steps + run.step


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
