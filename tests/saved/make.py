"""Write the models that `test_saved.py` loads: `python -m tests.saved.make FOLDER`, per release.

Files of an earlier release are never rewritten: users have such files on disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

import zoo
from tests.export.models import MODELS, make

SHAPES = {"rgb": (32, 32, 3), "flow": (32, 32, 2), "features": (5, 5, 6)}
JOINT = {
    "joint_feedback": {
        "backbone": None,
        "feature_shape": (5, 5, 6),
        "dense": True,
        "feedback": True,
        "pooling": "attention",
        "uncertainty": True,
    },
    "joint_clips": {"width": 1 / 32, "image_size": 32, "attend": "clip"},
}


def inputs_of(model: keras.Model, frames: int) -> dict[str, np.ndarray]:
    """Random inputs of a model by name, with `frames` frames if it accepts any number."""
    random = np.random.default_rng(1)
    found = {}
    for tensor in model.inputs:
        shape = [size or (1 if at == 0 else frames) for at, size in enumerate(tensor.shape)]
        if tensor.name == "rgb":
            found["rgb"] = random.integers(0, 256, shape).astype("uint8")
        else:
            found[tensor.name] = random.uniform(0, 1, shape).astype("float32")
    return found


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    models = {name: make(name) for name in MODELS if name not in ("lsts", "rmdn_rnn")}
    for name, options in JOINT.items():
        keras.utils.set_random_seed(0)
        models[name] = (zoo.joint(num_classes=3, units=4, num_components=2, **options), 18)
    for name, (model, frames) in models.items():
        inputs = inputs_of(model, frames or 18)
        outputs = model.predict_on_batch(inputs)
        model.save(folder / f"{name}.keras")
        arrays = {f"in_{key}": value for key, value in inputs.items()}
        arrays |= {f"out_{key}": value for key, value in outputs.items()}
        np.savez_compressed(folder / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
