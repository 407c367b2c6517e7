from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.training import interrupted
from tests.training.interrupted import STEPS, BreakOff, arrays, build, interrupt, train
from zoo.files.atomic import atomic_path
from zoo.files.lock import folder_lock
from zoo.training import EarlyStopping, claim_output, fit
from zoo.training.engine import timing
from zoo.training.engine.state_file import load_state, save_state

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def full_precision():
    yield
    keras.config.set_dtype_policy("float32")


def run(what: str, folder: Path, where: str, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "tests.training.interrupted", what, str(folder), where],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "where",
    [
        "step6",
        pytest.param("write2", marks=pytest.mark.slow),  # the state within an epoch
        pytest.param("write4", marks=pytest.mark.slow),  # best.keras after validation
        pytest.param("write5", marks=pytest.mark.slow),  # the state after the epoch
    ],
)
def test_a_killed_run_ends_with_identical_weights(tmp_path, where):
    unbroken, first = train(tmp_path / "unbroken")
    done = run("kill", tmp_path / "killed", where)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed, second = train(tmp_path / "killed")
    assert second.history == first.history
    for one, other in zip(arrays(unbroken), arrays(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    with np.load(tmp_path / "unbroken/state.npz") as one:
        assert len(one.files) > 10
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert {"state.npz", "best.keras", "history.json"} <= left
    text = (tmp_path / "killed/history.json").read_text()
    assert json.loads(text) == first.history


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_run_on_two_devices_resumes(tmp_path, backend):
    if backend == "jax":
        pytest.importorskip("jax")
    flags = "--xla_force_host_platform_device_count=2"
    done = run("compare", tmp_path, "2", KERAS_BACKEND=backend, XLA_FLAGS=flags)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "compiled",
    [
        {"precision": "mixed_float16"},
        {"precision": "mixed_bfloat16"},
        {"steps_per_execution": 2},
        {"accumulate": 3},
    ],
    ids=str,
)
def test_a_run_resumes_within_an_epoch(tmp_path, compiled):
    interrupted.compare(str(tmp_path), **compiled)


def test_the_step_is_traced_once(tmp_path):
    layers = [keras.layers.Input((6, 5)), keras.layers.Flatten(), keras.layers.Dense(1)]
    model, traces = keras.Sequential(layers), []
    model.compile("adam", loss="mse")  # Keras creates the variables of `metrics` in the first step
    step = model.train_step

    def counted(data):
        traces.append(data)
        return step(data)

    model.train_step = counted
    train(tmp_path, model=model)
    assert len(traces) == 1


def test_a_users_own_script_resumes_after_an_epoch(tmp_path):
    def script(folder, extra=()):
        model = build()
        calls = zoo.training.callbacks(
            model, tmp_path / folder, epochs=3, steps=STEPS, show_progress=False, others=extra
        )
        done = calls[-1].progress
        model.fit(
            interrupted.data(done.epoch * STEPS + done.step),
            epochs=3,
            steps_per_epoch=STEPS,
            initial_epoch=done.epoch,
            callbacks=calls,
            verbose=0,
        )
        return model

    whole = script("whole")
    with pytest.raises(KeyboardInterrupt):
        script("broken", [BreakOff(6, interrupt)])
    for one, other in zip(arrays(whole), arrays(script("broken")), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_run_is_not_repeated_and_can_be_extended(tmp_path):
    _, first = train(tmp_path)
    _, second = train(tmp_path, model=build())
    assert second == first
    longer, third = train(tmp_path, model=build(), epochs=4)
    assert third.history[:3] == first.history and len(third.history) == 4
    whole, fourth = train(tmp_path / "whole", epochs=4)
    assert fourth.history == third.history
    for one, other in zip(arrays(whole), arrays(longer), strict=True):
        np.testing.assert_array_equal(one, other)


LOSSES = [1.0, 0.5, 0.6, 0.7, 0.1]


def test_early_stopping_counts_across_a_restart(tmp_path):
    options = {"validate": lambda model, epoch: {"val_loss": LOSSES[epoch]}, "patience": 2}
    train(tmp_path, epochs=3, **options)
    _, run = train(tmp_path, model=build(), epochs=5, **options)
    assert run.stopped and len(run.history) == 4
    _, run = train(tmp_path, model=build(), epochs=9, **options)
    assert len(run.history) == 4


@pytest.mark.parametrize("larger, min_delta, best", [(False, 0, 4), (True, 0, 0), (False, 0.45, 1)])
def test_the_best_epoch_is_kept(tmp_path, larger, min_delta, best):
    kept = []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(self.model.get_weights())

    _, run = train(
        tmp_path,
        [Keep()],
        epochs=5,
        validate=lambda model, epoch: {"val_score": LOSSES[epoch]},
        monitor="val_score",
        larger_is_better=larger,
        min_delta=min_delta,
    )
    assert run.best_epoch == best
    saved = zoo.load(tmp_path / "best.keras").get_weights()
    same = [all(map(np.array_equal, weights, saved)) for weights in kept]
    assert same.index(True) == best


def test_the_values_of_validate_reach_keras_s_callbacks(tmp_path):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1)
    options = {"validate": lambda model, epoch: {"val_loss": LOSSES[epoch]}}
    _, run = train(tmp_path, [stop], epochs=5, **options)
    assert len(run.history) == 3 and run.stopped


def test_the_wait_for_input_is_measured(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])

    def late(number):
        clock[0] += 2.0
        return number

    data = tf.data.Dataset.range(5)
    data = data.map(lambda n: tf.numpy_function(late, [n], tf.int64))
    wait = timing.InputWait()
    for number, _ in enumerate(wait.measured(data), 1):
        assert wait.seconds == 2.0 * number
        clock[0] += 7.0  # processing a batch does not count as waiting
    assert wait.measured([1, 2]) == [1, 2]


def test_timings_are_in_the_logs_and_not_in_the_history(tmp_path):
    seen = []

    class See(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(dict(logs))

    _, run = train(tmp_path, [See()], epochs=1)
    assert seen[0]["step_seconds"] > 0 and 0 <= seen[0]["input_wait"] <= 1
    assert set(seen[0]) - set(run.history[0]) == {"step_seconds", "input_wait"}


def test_options_that_a_resumed_run_must_share(tmp_path):
    train(tmp_path, epochs=1)
    before = (tmp_path / "state.npz").read_bytes()
    with pytest.raises(ValueError, match="steps of an epoch: 4 then, 2 now"):
        fit(build(), interrupted.data, output=tmp_path, epochs=2, steps=2)
    facts = {"backend": "jax", "devices": 2, "steps of an epoch": 4}
    save_state(tmp_path / "other.npz", build(), {}, facts)
    now = {"backend": "tensorflow", "devices": 1, "steps of an epoch": 4}
    with pytest.raises(ValueError, match="backend: jax then, tensorflow now; devices: 2 then, 1"):
        load_state(tmp_path / "other.npz", build(), now)
    assert (tmp_path / "state.npz").read_bytes() == before


def test_a_state_of_another_model_and_a_damaged_one(tmp_path):
    model, _ = train(tmp_path, epochs=1)
    layers = [keras.layers.Input((6, 5)), keras.layers.Flatten(), keras.layers.Dense(1)]
    other = keras.Sequential(layers)
    other.compile(model.optimizer.from_config(model.optimizer.get_config()), "mse")
    with pytest.raises(ValueError, match=r"same variables.*first difference at variable 0"):
        train(tmp_path, model=other)
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"optimizer: RMSprop then, SGD now"):
        train(tmp_path, model=other)
    path = tmp_path / "state.npz"
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 255
    path.write_bytes(held)
    weights = model.get_weights()
    with pytest.raises(ValueError, match="delete it to start over"):
        train(tmp_path, model=model)
    assert path.read_bytes() == held
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_data_that_end_within_an_epoch_are_an_error(tmp_path):
    def short(step):
        return interrupted.data(step).take(6)

    with pytest.raises(ValueError, match="an epoch of 2 instead of 4 batches"):
        fit(build(), short, output=tmp_path, epochs=2, steps=4)
    with np.load(tmp_path / "state.npz") as held:
        assert json.loads(held["facts"].tobytes())["progress"]["epoch"] == 1


def test_a_folder_is_trained_into_by_one_command_at_a_time(tmp_path):
    claim_output(tmp_path, {"epochs": 1})
    fit(build(), interrupted.data, output=tmp_path, epochs=1, steps=4)
    with folder_lock(tmp_path):
        with pytest.raises(BlockingIOError, match=f"one command at a time.*process {os.getpid()}"):
            fit(build(), interrupted.data, output=tmp_path, epochs=2, steps=4)
        with pytest.raises(BlockingIOError, match="one command at a time"):
            claim_output(tmp_path, {"epochs": 1}, restart=True)
    assert (tmp_path / "state.npz").exists()
    assert fit(build(), interrupted.data, output=tmp_path, epochs=2, steps=4).epoch == 2
    assert not (tmp_path / ".lock").exists()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    def broken(step):
        return interrupted.data(step).map(lambda x, y: (x * np.nan, y))

    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        fit(build(), broken, output=tmp_path, epochs=1, steps=4, save_seconds=0)
    assert not (tmp_path / "state.npz").exists()


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"epochs": 0}, "epochs=0"),
        ({"patience": 2, "validate": None}, "needs `monitor`"),
        ({"monitor": "val_lost"}, r"one of .*'val_loss'.*monitor='val_lost'"),
        ({"validate": lambda model, epoch: {}}, "monitor='val_loss'"),
    ],
)
def test_invalid_options(tmp_path, changed, told):
    with pytest.raises(ValueError, match=told):
        train(tmp_path, **changed)
    with pytest.raises(ValueError, match="steps=4, steps_per_execution=3"):
        train(tmp_path, model=build(steps_per_execution=3))
    with pytest.raises(ValueError, match="patience=0"):
        EarlyStopping(0)


def test_a_run_with_other_options_is_rejected(tmp_path):
    claim_output(tmp_path / "run", {"units": 128, "epochs": 1, "restart": False})
    claim_output(tmp_path / "run", {"units": 128, "epochs": 2, "restart": True})
    (tmp_path / "run" / "state.npz").write_text("")
    with pytest.raises(ValueError, match=r"units=256 \(was 128\)"):
        claim_output(tmp_path / "run", {"units": 256, "epochs": 2})
    with pytest.raises(ValueError, match=r"epochs=1 \(was 2\)"):
        claim_output(tmp_path / "run", {"units": 128, "epochs": 1})
    with pytest.raises(ValueError, match=r"batch_size=4 \(was None\), epochs=3 \(was 2\)"):
        claim_output(tmp_path / "run", {"units": 128, "batch_size": 4, "epochs": 3})
    with pytest.raises(ValueError, match="delete it to start over"):
        claim_output(tmp_path / "run", {"units": 128, "epochs": 3})
    assert json.loads((tmp_path / "run" / "config.json").read_text())["epochs"] == 2
    (tmp_path / "run" / "logs").mkdir()
    for name in ("state.npz", "best.keras", "history.json", "notes.txt", "logs/events"):
        (tmp_path / "run" / name).write_text("of the run before")
    claim_output(tmp_path / "run", {"units": 256, "epochs": 1}, restart=True)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"config.json", "notes.txt"}
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a folder"):
        claim_output(tmp_path / "file", {})


def test_options_may_change_until_a_state_is_saved(tmp_path):
    claim_output(tmp_path, {"batch_size": 8})
    claim_output(tmp_path, {"batch_size": 2})
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "state.npz").write_text("")
    with pytest.raises(ValueError, match=r"batch_size=4 \(was 2\)"):
        claim_output(tmp_path, {"batch_size": 4})


def test_a_restart_discards_every_stage_but_no_other_run(tmp_path):
    claim_output(tmp_path, {"seed": 0})
    claim_output(tmp_path / "other", {"seed": 0})
    (tmp_path / "head").mkdir()
    for folder in ("head", "other"):
        (tmp_path / folder / "state.npz").write_text("")
    claim_output(tmp_path, {"seed": 1}, restart=True)
    assert not (tmp_path / "head" / "state.npz").exists()
    assert (tmp_path / "other" / "state.npz").exists()


def test_partial_files_are_removed(tmp_path):
    (tmp_path / ".state.123.part.npz").write_bytes(b"half")
    claim_output(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), atomic_path(path) as part:
        part.write_text("ne")
        raise OSError("disk full")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_file_is_synced_to_disk_before_it_is_renamed(tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace

    def synced(handle):
        done.append(("sync", os.fstat(handle).st_size))
        sync(handle)

    def replaced(source, target):
        done.append(("replace", os.path.getsize(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    with atomic_path(tmp_path / "state.npz") as part:
        part.write_bytes(b"12345")
    assert done == [("sync", 5), ("replace", 5)]
