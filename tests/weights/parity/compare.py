"""Shared by the comparisons with PyTorch reference models."""

from __future__ import annotations

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, which runs the reference, is not installed")


def randomise(model, seed: int = 0):
    """Random weights, and batch normalisation statistics like those of a trained network."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith("num_batches_tracked"):
                value.fill_(100)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 2.0, generator=generator)
            elif name.endswith("running_mean"):
                value.normal_(0, 0.5, generator=generator)
            elif value.ndim > 1:
                fan_in = value[0].numel()
                value.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            elif ".bn" in name or "bn" in name.split(".")[0] or "batch3d" in name:
                scale = name.endswith("weight")
                value.uniform_(0.5 if scale else -0.3, 1.5 if scale else 0.3, generator=generator)
            else:
                value.normal_(0, 0.1, generator=generator)
    return model.eval()


def save(model, folder, form: str, name: str = "weights.pth"):
    """`torch.save` of the state in the zip form, the legacy form, or nested with a prefix."""
    state, path = model.state_dict(), folder / name
    if form == "nested":
        state = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}
    torch.save(state, path, _use_new_zipfile_serialization=form != "legacy")
    return path


def reference_points(model, x: np.ndarray) -> dict[str, np.ndarray]:
    """The reference's end points, channels last."""
    with torch.no_grad():
        points = model.points(torch.from_numpy(np.moveaxis(x, -1, 1).astype("float32")))
    return {name: np.moveaxis(value.numpy(), 1, -1) for name, value in points.items()}


def check(model: keras.Model, pixels: np.ndarray, expected: dict[str, np.ndarray], limit=1e-4):
    """Every named end point within `limit` of the largest reference value."""
    layers = [model.get_layer(name).output for name in expected]
    found = keras.Model(model.input, layers).predict(pixels, verbose=0)
    errors = {}
    for (name, value), array in zip(expected.items(), found):
        assert array.shape == value.shape, (name, array.shape, value.shape)
        spread = np.abs(value).max()
        assert spread > 1e-3, f"{name} says nothing: all values are near zero"
        errors[name] = float(np.abs(array - value).max() / spread)
    worst = max(errors, key=errors.get)
    assert errors[worst] < limit, (worst, errors[worst])
    return errors[worst]
