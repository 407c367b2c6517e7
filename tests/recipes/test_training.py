from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.recipes import interrupted
from zoo.training.checkpoint import load_state, save_state, training_variables, write_atomically
from zoo.training.loop import claim_output, fit, learning_rate, make_optimizer

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def full_precision():
    yield
    keras.config.set_dtype_policy("float32")


def arrays(model):
    return [keras.ops.convert_to_numpy(variable) for variable in training_variables(model)]


def run_and_die(output: Path, where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.recipes.interrupted", str(output), where],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(
    "where",
    [
        "step",
        pytest.param("write2", marks=pytest.mark.slow),
        pytest.param("write6", marks=pytest.mark.slow),  # best.keras after validation
        pytest.param("write7", marks=pytest.mark.slow),  # the state after the epoch
    ],
)
def test_a_killed_run_ends_with_the_same_bits(tmp_path, where):
    unbroken, first = interrupted.train(tmp_path / "unbroken")
    run_and_die(tmp_path / "killed", where)
    resumed, second = interrupted.train(tmp_path / "killed")
    assert second.history == first.history
    assert (second.best, second.best_epoch) == (first.best, first.best_epoch)
    for one, other in zip(arrays(unbroken), arrays(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    with np.load(tmp_path / "unbroken/state.npz") as one:
        assert len(one.files) > 10
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert {"state.npz", "best.keras", "history.json"} <= left


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_an_interrupted_run_in_mixed_precision(tmp_path, precision):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 6:
                raise KeyboardInterrupt

    unbroken, first = interrupted.train(tmp_path / "unbroken", precision=precision)
    with pytest.raises(KeyboardInterrupt):
        interrupted.train(tmp_path / "broken", [Interrupt()], precision=precision)
    resumed, second = interrupted.train(tmp_path / "broken", precision=precision)
    assert second.history == first.history
    for one, other in zip(arrays(unbroken), arrays(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_run_is_not_trained_again(tmp_path):
    _, first = interrupted.train(tmp_path)
    model = interrupted.build()
    run = fit(
        model,
        lambda epoch, step: pytest.fail("no batch was to be asked for"),
        output=tmp_path,
        epochs=interrupted.EPOCHS,
        steps=interrupted.STEPS,
        rate=lambda epoch, step: 1.0,
        show_progress=False,
    )
    assert run.history == first.history
    assert json.loads((tmp_path / "history.json").read_text()) == first.history


def test_early_stopping_is_counted_over_a_restart(tmp_path):
    def validate(model, epoch):
        return {"val_loss": [1.0, 0.5, 0.6, 0.7, 0.1][epoch]}

    def train(epochs):
        model = interrupted.build()
        return fit(
            model,
            interrupted.batches,
            output=tmp_path,
            epochs=epochs,
            steps=2,
            rate=lambda epoch, step: 1e-3,
            validate=validate,
            patience=2,
            show_progress=False,
        )

    assert train(3).waited == 1
    run = train(5)
    assert run.finished
    assert len(run.history) == 4
    assert (run.best_epoch, run.best) == (1, 0.5)


def test_the_paper_s_learning_rate():
    rates = [learning_rate(3e-4, epoch) for epoch in range(10)]
    np.testing.assert_allclose(rates[:8], 3e-4)
    np.testing.assert_allclose(rates[8:], [3e-4 * 0.95, 3e-4 * 0.95**2])


def test_the_cosine_rises_and_falls_to_zero():
    rates = [
        learning_rate(1.0, e, s, steps=10, epochs=4, schedule="cosine", warmup=0.1)
        for e in range(4)
        for s in range(10)
    ]
    assert rates[0] < rates[1] < rates[2] <= rates[3] + 1e-9
    assert all(a > b for a, b in itertools.pairwise(rates[3:]))
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)


def test_the_gradient_is_clipped_as_a_whole():
    optimizer = make_optimizer("rmsprop", 1e-3, clip=20.0)
    clipped = optimizer._clip_gradients([np.full(4, 30.0), np.full(4, 40.0)])
    norm = np.sqrt(sum(float(np.sum(np.square(g))) for g in clipped))
    assert norm == pytest.approx(20.0)


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="schedule='linear'"):
        learning_rate(1.0, 0, schedule="linear")
    with pytest.raises(ValueError, match="optimizer='lion'"):
        make_optimizer("lion", 1.0)


def test_the_output_of_another_configuration_is_refused(tmp_path):
    claim_output(tmp_path / "run", {"units": 128, "seed": 1})
    claim_output(tmp_path / "run", {"units": 128, "seed": 1})
    with pytest.raises(ValueError, match=r"units=256 \(was 128\)"):
        claim_output(tmp_path / "run", {"units": 256, "seed": 1})
    claim_output(tmp_path / "run", {"units": 256, "seed": 1}, restart=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a folder"):
        claim_output(tmp_path / "file", {})


def test_half_written_files_are_cleared_away(tmp_path):
    (tmp_path / ".state-abc.partial.npz").write_bytes(b"half")
    claim_output(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_state_of_another_model_is_refused(tmp_path):
    model = interrupted.build()
    save_state(tmp_path / "s.npz", model, {"epoch": 1})
    assert load_state(tmp_path / "s.npz", model) == {"epoch": 1}
    other = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match="same variables"):
        load_state(tmp_path / "s.npz", other)
    (tmp_path / "s.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="delete it to start anew"):
        load_state(tmp_path / "s.npz", model)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    def broken(epoch, step):
        for x, y in interrupted.batches(epoch, step):
            yield x * np.nan, y

    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        fit(
            interrupted.build(),
            broken,
            output=tmp_path,
            epochs=1,
            steps=2,
            rate=lambda epoch, step: 1e-3,
            show_progress=False,
        )


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace

    def synced(handle):
        done.append(("sync", os.fstat(handle).st_size))
        sync(handle)

    def replaced(source, target):
        done.append(("replace", os.path.getsize(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_atomically(tmp_path / "state.npz", lambda part: part.write_bytes(b"12345"))
    assert done == [("sync", 5), ("replace", 5)]
