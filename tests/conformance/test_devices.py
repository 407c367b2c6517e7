"""Two devices train like one, for every model and every option that adds a loss."""

import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.conformance.device_cases import CASES

BACKEND = keras.backend.backend()
# Biases start at zero and stay small, but their rounding errors are as large as the weights'.
SMALLEST = 0.1

# All models are trained twice, in a new process that compiles them again.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

if BACKEND == "torch":
    pytest.skip("the zoo trains on one device with PyTorch", allow_module_level=True)


def train(folder, *arguments):
    """Start a process of `device_training`: devices must be created before the backend is used.

    Without oneDNN, whose rounding of a sample depends on its place in the batch: on one device,
    permuting a batch of the case "rmdn" then changes the weights by 8e-5, because somewhere a
    rectifier's input changes its sign. Without it, permuting changes them by 1.5e-7.
    """
    command = [sys.executable, "-m", "tests.conformance.device_training", str(folder), *arguments]
    environment = {**os.environ, "KERAS_BACKEND": BACKEND, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(*processes):
    texts = [process.communicate()[0] for process in processes]
    for process, text in zip(processes, texts):
        assert process.returncode == 0, text[-3000:]


def difference(one: dict, other: dict, name: str) -> float:
    """Largest difference of a case's weights, relative to the largest weight of the tensor."""
    keys = [key for key in one if key.startswith(f"{name}/after/")]
    assert keys
    return max(
        float(np.abs(one[key] - other[key]).max() / max(np.abs(one[key]).max(), SMALLEST))
        for key in keys
    )


def check(one: dict, other: dict, name: str) -> None:
    assert difference(one, other, name) < 1e-5
    moved = {key.replace("before", "after"): one[key] for key in one if f"{name}/before" in key}
    assert difference({**one}, {**moved}, name) > 1e-2  # training changed the weights
    for key in one:
        if key.startswith(f"{name}/history/"):
            np.testing.assert_allclose(one[key], other[key], rtol=1e-4, err_msg=key)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[dict, dict]:
    """Results of all cases on one and on two devices."""
    folder = tmp_path_factory.mktemp("trained")
    finish(train(folder, "1", "2"))
    return tuple(dict(np.load(folder / f"{devices}.npz")) for devices in ("1", "2"))


@pytest.mark.parametrize("name", CASES)
def test_two_devices_train_as_one(trained, name):
    check(*trained, name)


@pytest.mark.skipif(BACKEND != "jax", reason="several machines are offered on JAX")
def test_two_processes_train_as_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    names = ("joint", "lsts", "spatiotemporal_attention")
    paths = [tmp_path / name for name in ("both", "0", "1")]
    for path in paths:
        path.mkdir()
    finish(train(paths[0], "1", "--only", *names))
    finish(
        *(
            train(path, "2", "--process", str(process), "--port", port, "--only", *names)
            for process, path in enumerate(paths[1:])
        )
    )
    one = dict(np.load(paths[0] / "1.npz"))
    for path in paths[1:]:
        other = dict(np.load(path / "2.npz"))
        for name in names:
            check(one, other, name)
