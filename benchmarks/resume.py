"""Does every recipe end with the same weights if it is killed at random moments?

    python benchmarks/resume.py [--kills 10] [--output benchmarks/results]

Each recipe trains a small model on made videos, with dropout, and is repeatedly killed (`SIGKILL`)
after a random time; then it runs to its end. The weights of its final model are compared, bit for
bit, with those of an uninterrupted run. Writes resume.json and resume.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import zoo
from zoo.datasets import moving_targets

SMALL = {"tensorboard": False, "evaluate": False, "save_seconds": 0.5}
C3D = {"image_size": [32, 32], "width": 0.03, "units": 8, "num_components": 3, "window": 18}
TRAINED = {**C3D, "trainable_backbone": True, "dense": True, "batch_size": 2}
ACTION = {**SMALL, "backbone": "small", "image_size": [32, 32], "num_frames": 6, "batch_size": 4}
RECIPES = {
    "rmdn, cached features": ("rmdn", {**SMALL, **C3D, "batch_size": 2, "epochs": 60}),
    "rmdn, end to end": ("rmdn", {**SMALL, **TRAINED, "flips": True, "epochs": 20}),
    "joint, stages and teacher": (
        "joint",
        {**SMALL, **TRAINED, "feedback": True, "teacher": 0.8, "saliency_epochs": 4, "epochs": 8},
    ),
    "soft_attention": (
        "soft_attention",
        {**ACTION, "units": 5, "num_layers": 1, "trainable_backbone": True, "epochs": 20},
    ),
    "spatiotemporal_attention": (
        "spatiotemporal_attention",
        {**ACTION, "filters": 4, "mask_filters": [4], "score_units": 4, "epochs": 20},
    ),
    "lsts": (
        "lsts",
        {
            **SMALL,
            "num_frames": 8,
            "image_size": [32, 32],
            "output_size": [12, 16],
            "width": 0.03125,
            "head_width": 0.015625,
            "batch_size": 4,
            "dropout": 0.3,
            "epochs": 20,
        },
    ),
    "small_video": (
        "small_video",
        {
            "save_seconds": 0.5,
            "image_size": [48, 48],
            "crop": 16,
            "num_frames": 6,
            "batch_size": 4,
            "epochs": 60,
        },
    ),
}
CODE = (
    "import json, sys, importlib; recipe = importlib.import_module('zoo.recipes.' + sys.argv[1]);"
    "recipe.main(recipe.Config(**json.loads(sys.argv[2])))"
)


def run(recipe: str, options: dict, kill_after: float | None = None) -> bool:
    """Run a recipe in its own process, or kill it; return whether it ended by itself."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, recipe, json.dumps(options)],
        env=env,
        stdout=subprocess.DEVNULL,
    )
    try:
        code = process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return False
    if code:
        raise RuntimeError(f"{recipe} ended with status {code}")
    return True


def weights(folder: Path) -> list[np.ndarray]:
    """The weights of a run's final model."""
    files = [folder / name for name in ("model.keras", "backbone.keras")]
    return zoo.load(next(file for file in files if file.is_file()), verbose=False).get_weights()


def measure(name: str, folder: Path, data: Path, kills: int, rng) -> dict:
    """Measure one recipe."""
    recipe, options = RECIPES[name]
    options = {**options, "data_dir": str(data)}
    whole, broken = (str(folder / kind) for kind in ("whole", "broken"))
    began = time.monotonic()
    run(recipe, {**options, "output": whole})
    seconds = time.monotonic() - began
    killed, after = 0, []
    while killed < kills:
        # Starting takes a good part of a small run; what is killed then has trained nothing.
        limit = float(rng.uniform(0.35, 1.0) * seconds)
        if run(recipe, {**options, "output": broken}, limit):
            break
        killed += 1
        state = Path(broken, "state.npz")
        history = 0
        if state.is_file():
            with np.load(state) as held:
                progress = json.loads(held["facts"].tobytes())["progress"]
            history = f"epoch {progress['epoch']}, step {progress['step']}"
        after.append(history)
    run(recipe, {**options, "output": broken})
    pairs = list(zip(weights(Path(whole)), weights(Path(broken)), strict=True))
    return {
        "recipe": name,
        "seconds": round(seconds, 1),
        "kills": killed,
        "resumed_from": after,
        "equal": all(np.array_equal(one, other) for one, other in pairs),
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    rows = []
    with tempfile.TemporaryDirectory() as root:
        os.environ["ZOO_CACHE"] = f"{root}/cache"
        data = Path(root, "data")
        moving_targets.make(data, num_videos=12, frames=24, size=(48, 48), viewers=3)
        for name in options.recipes:
            rows.append(measure(name, Path(root, name), data, options.kills, rng))
            print(json.dumps(rows[-1]), flush=True)
    machine = {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.config.backend(),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    held = {"machine": machine, "rows": rows}
    (options.output / "resume.json").write_text(json.dumps(held, indent=1) + "\n")
    lines = [
        "# Runs that were killed",
        "",
        ", ".join(f"{key} {value}" for key, value in machine.items()),
        "",
        "Killed at random moments; the final model's weights beside those of an unbroken run.",
        "",
        "| recipe | seconds, unbroken | kills | gone on from | equal bit for bit |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['recipe']} | {row['seconds']} | {row['kills']} "
        f"| {'; '.join(str(at) for at in row['resumed_from'])} | {row['equal']} |"
        for row in rows
    ]
    (options.output / "resume.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
