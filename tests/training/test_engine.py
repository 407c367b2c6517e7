"""Unit tests of the callbacks, with artificial logs and an artificial clock."""

from __future__ import annotations

import importlib
import math
import pathlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training import interrupted
from zoo.training import (
    BestCheckpoint,
    EarlyStopping,
    FiniteLoss,
    InputWait,
    Profile,
    ProgressBar,
    State,
    Timing,
    callbacks,
)
from zoo.training.engine import build, progress_bar, state, timing
from zoo.training.engine.choice import choose

LOSSES = [1.0, 0.5, 0.6, 0.7, 0.1]


class Model:
    """A stub with the parts of a model that the callbacks use."""

    stop_training = False

    def __init__(self):
        self.saved = 0
        self.optimizer = SimpleNamespace(learning_rate=0.25)

    def save(self, path):
        self.saved += 1
        pathlib.Path(path).write_text("")


class Clock:
    """A clock that tests advance, instead of `time.monotonic` and `time.perf_counter`."""

    now = 100.0

    def __init__(self, monkeypatch, *modules):
        for module in modules:
            monkeypatch.setattr(module, "time", self)

    def monotonic(self):
        return self.now

    perf_counter = monotonic


@pytest.mark.parametrize(
    "values, options, epoch, waited",
    [
        ([3.0, 2.0, 2.0, 2.5], {}, 1, 2),  # equal is no improvement
        ([3.0, 2.0, 4.0], {"larger_is_better": True}, 2, 0),
        ([3.0, 2.5, 2.25], {"min_delta": 0.5}, 2, 0),  # an improvement exceeds `min_delta`
        ([3.0, 2.5, 2.5], {"min_delta": 0.5}, 0, 2),
        ([math.nan, 5.0, 6.0], {}, 1, 1),
        ([5.0, math.nan, 6.0], {}, 0, 2),
        ([], {}, -1, 0),
    ],
)
def test_the_best_epoch(values, options, epoch, waited):
    found = choose([{"val": value} for value in values], "val", **options)
    assert (found.epoch, found.waited) == (epoch, waited)
    assert found.value == (values[epoch] if values else None)


def test_without_a_monitor_the_last_epoch_is_the_best():
    assert choose([{}, {}, {}], None).epoch == 2
    assert choose([{}, {}, {}], None).waited == 0


def after_each_epoch(callback, losses=LOSSES) -> list[tuple[bool, bool]]:
    """Whether the model was saved, and whether training stops, after each epoch."""
    model, found = Model(), []
    callback.set_model(model)
    for epoch, loss in enumerate(losses):
        before = model.saved
        callback.on_epoch_end(epoch, {"val_loss": loss})
        found.append((model.saved > before, model.stop_training))
    return found


def test_the_checkpoint_is_that_of_the_best_epoch_so_far(tmp_path):
    for options, wanted in (
        ({}, [1, 1, 0, 0, 1]),
        ({"larger_is_better": True}, [1, 0, 0, 0, 0]),
        ({"min_delta": 0.45}, [1, 1, 0, 0, 0]),
        ({"monitor": None}, [1, 1, 1, 1, 1]),
        ({"history": [{"val_loss": 0.2}]}, [0, 0, 0, 0, 1]),  # what an earlier process trained
    ):
        found = after_each_epoch(BestCheckpoint(tmp_path / "best.keras", **options))
        assert [saved for saved, _ in found] == wanted, options


def test_patience_is_counted_from_the_best_epoch():
    for options, wanted in (
        ({}, [0, 0, 0, 1, 1]),
        ({"larger_is_better": True}, [0, 0, 1, 1, 1]),
        ({"min_delta": 0.6}, [0, 0, 1, 1, 1]),
        ({"history": [{"val_loss": 0.3}]}, [0, 1, 1, 1, 1]),
    ):
        found = after_each_epoch(EarlyStopping(2, **options))
        assert [stop for _, stop in found] == wanted, options


def test_the_order_of_the_callbacks(tmp_path):
    """`validate` runs before the callbacks that read its values, and the state is saved last."""
    calls = callbacks(
        interrupted.build(),
        tmp_path,
        epochs=2,
        steps=4,
        validate=interrupted.validate,
        monitor="val_loss",
        patience=2,
        others=[keras.callbacks.CSVLogger(tmp_path / "log.csv")],
        wait=InputWait(),
        profile=True,
    )
    assert [type(call).__name__ for call in calls] == [
        "FinishEpoch",
        "FiniteLoss",
        "Evaluate",
        "EarlyStopping",
        "BestCheckpoint",
        "Timing",
        "CSVLogger",
        "Profile",
        "ProgressBar",
        "State",
    ]
    traced = next(call for call in calls if isinstance(call, Profile))
    assert pathlib.Path(traced.folder) == tmp_path / "logs" / "profile"
    shown = next(call for call in calls if isinstance(call, ProgressBar))
    assert (shown.epochs, shown.steps, shown.first_step, shown.seconds) == (2, 4, 0, 0.0)


@pytest.mark.parametrize("process", [0, 1])
def test_only_the_first_machine_writes_the_state(tmp_path, monkeypatch, process):
    monkeypatch.setattr(build, "machine", lambda: process)
    model, other = interrupted.build(), keras.callbacks.Callback()
    calls = callbacks(
        model,
        tmp_path,
        epochs=1,
        steps=4,
        monitor="loss",
        patience=1,
        save_seconds=0,
        others=[other],
        show_progress=False,
    )
    model.fit(interrupted.data(0), epochs=1, steps_per_epoch=4, callbacks=calls, verbose=0)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == ({"state.npz", "best.keras"} if process == 0 else set())
    assert (other in calls) == (process == 0)
    assert any(isinstance(call, EarlyStopping) for call in calls)  # all of them stop together
    assert calls[-1].progress.epoch == 1


def test_a_batch_is_shared_by_the_devices_of_its_machine(tmp_path, monkeypatch):
    fit = importlib.import_module("zoo.training.fit")
    monkeypatch.setattr(fit, "device_count", lambda model: 4)
    monkeypatch.setattr(fit, "machines", lambda: 2)
    model = interrupted.build()

    def trained(size):
        def data(step):
            return interrupted.data(step).map(lambda x, y: (x[:size], y[:size]))

        folder = tmp_path / str(size)
        return fit.fit(model, data, output=folder, epochs=1, steps=1, show_progress=False)

    assert trained(6).epoch == 1
    with pytest.raises(ValueError, match="a batch of 7 for 2 devices"):
        trained(7)


def test_when_the_state_is_written(tmp_path, monkeypatch):
    clock, written = Clock(monkeypatch, state), []

    def save(path, model, progress, about, *, metrics):
        written.append((progress["epoch"], progress["step"], metrics, progress["seconds"]))

    monkeypatch.setattr(state, "save_state", save)

    def two_epochs(save_seconds, progress=None):
        written.clear()
        held = State(tmp_path / "state.npz", steps=4, save_seconds=save_seconds)
        held.progress = progress or held.progress
        held.set_model(Model())
        held.on_train_begin()
        for epoch in range(2):
            held.on_epoch_begin(epoch)
            for batch in range(held.progress.step, 4):
                clock.now += 3.0
                held.on_train_batch_end(batch - held.first_step)
            held.on_epoch_end(epoch, {"loss": 1.0, "step_seconds": 3.0})
        return held.progress

    ends = [(1, 0, False, 12.0), (2, 0, False, 24.0)]
    assert two_epochs(None).seconds == 24.0 and written == ends
    two_epochs(6.0)  # the save after an epoch counts too; none in an epoch's last step
    assert written == [(0, 2, True, 6.0), ends[0], (1, 2, True, 18.0), ends[1]]
    two_epochs(0.0)
    within = [at for at in written if at[2]]
    assert [at[:2] for at in within] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    # A resumed run continues counting, and its first epoch is the rest of an epoch.
    before = state.Progress(step=2, seconds=60.0, history=[])
    assert two_epochs(None, before).history == [{"loss": 1.0}] * 2
    assert [at[3] for at in written] == [66.0, 78.0]


def test_the_time_left_is_estimated_from_all_epochs(monkeypatch, capsys):
    clock = Clock(monkeypatch, progress_bar)
    bar = ProgressBar(4, 10, first_step=13, seconds=65.0)  # the second epoch, after its third step
    bar.on_train_begin()
    assert bar._bar.tasks[0].completed == 13 and bar._bar.tasks[0].total == 40
    bar.on_epoch_begin(1)
    clock.now += 1.0
    bar.on_train_batch_end(0, {"loss": 0.5})
    assert bar._bar.tasks[0].completed == 14
    clock.now += 0.1  # too soon to draw again
    bar.on_train_batch_end(1, {"loss": 0.4})
    assert bar._bar.tasks[0].completed == 14
    clock.now += 33.9
    bar.on_epoch_end(1, {"loss": 0.25, "step_seconds": 9.0})
    assert bar._bar.tasks[0].completed == 20
    bar.on_epoch_begin(2)
    clock.now += 1.0
    bar.on_train_batch_end(4, {"loss": 0.5})
    assert bar._bar.tasks[0].completed == 25
    bar.on_train_end()
    assert "epoch 2/4  loss 0.25  (1:40 left)" in capsys.readouterr().out


def test_a_few_steps_are_traced(monkeypatch, tmp_path):
    clock, told = [0], []
    profiler = tf.profiler.experimental
    monkeypatch.setattr(profiler, "start", lambda folder: told.append((clock[0], folder)))
    monkeypatch.setattr(profiler, "stop", lambda: told.append((clock[0], None)))
    for steps, stopped in ((20, 8), (6, 6)):  # or to the end of a shorter run
        told.clear()
        profile = Profile(tmp_path)
        for step in range(steps):
            clock[0] = step + 1
            profile.on_train_batch_end(step % 4)
        profile.on_train_end()
        assert told == [(3, str(tmp_path)), (stopped, None)]


def test_the_error_says_where_the_loss_was_not_finite():
    check = FiniteLoss()
    check.on_train_begin()
    check.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(FloatingPointError, match="loss=inf at epoch 1, step 3"):
        check.on_train_batch_end(2, {"loss": math.inf})
    check.on_epoch_begin(6)
    with pytest.raises(FloatingPointError, match="loss=nan at epoch 7, step 1"):
        check.on_train_batch_end(0, {"loss": math.nan})


def test_the_step_that_compiles_is_not_timed(monkeypatch):
    clock, wait = Clock(monkeypatch, timing), InputWait()
    timed = Timing(wait)
    timed.set_model(Model())

    def epoch(number, seconds):
        timed.on_epoch_begin(number)
        for batch, each in enumerate(seconds):
            clock.now += each
            wait.seconds += each / 4
            timed.on_train_batch_end(batch)
        clock.now += 50.0  # validation
        logs = {}
        timed.on_epoch_end(number, logs)
        return logs

    usual = {"learning_rate": 0.25, "input_wait": 0.25}
    assert epoch(0, [30.0, 2.0, 4.0]) == {**usual, "step_seconds": 3.0}
    assert epoch(1, [3.0, 5.0, 4.0]) == {**usual, "step_seconds": 4.0}
    alone = Timing(wait)
    alone.set_model(Model())
    timed = alone
    assert epoch(0, [30.0]) == {"learning_rate": 0.25}  # nothing but the step that compiles


def test_a_metric_of_several_values_is_an_error_after_the_first_step():
    check = FiniteLoss()
    check.on_train_begin()
    with pytest.raises(ValueError, match=r"one number.*'recall' with values of shape \(3,\)"):
        check.on_train_batch_end(0, {"loss": 1.0, "recall": np.ones(3)})
