"""Does every recipe end with the same weights if it is killed at random moments?

    python benchmarks/resume.py [--kills 10] [--output benchmarks/results]
    python benchmarks/resume.py --kills 3 --devices 2
    KERAS_BACKEND=jax python benchmarks/resume.py --kills 3 [--devices 2]

Each recipe trains a small model on synthetic data, with dropout if the model has it, and is
repeatedly killed (`SIGKILL`) at a random moment after its first step, also in the middle of a step
or of a write; then it runs to the end. The result is compared, bit for bit, with that of an
uninterrupted run: weights, optimizer slots and dropout seeds after the last step of each stage, and
the chosen model. If a run ends before it was killed often enough, it is compared as well, and
another run starts. Adds its rows to resume.json and resume.md; rows that are already there are not
run again.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from results_page import RESULTS, as_text, machine, write_results

import cv2
import h5py
import numpy as np

SMALL = {"tensorboard": False, "evaluate": False, "save_seconds": 0.2}
C3D = {"image_size": (32, 32), "width": 0.03, "units": 8, "num_components": 3, "window": 18}
TRAINED = {**C3D, "trainable_backbone": True, "dense": True, "batch_size": 2}
ACTION = {**SMALL, "backbone": "small", "image_size": (32, 32), "num_frames": 6, "batch_size": 4}
RECIPES = {
    "rmdn, cached features": ("rmdn", {**SMALL, **C3D, "batch_size": 2, "epochs": 30}),
    "rmdn, end to end": ("rmdn", {**SMALL, **TRAINED, "flips": True, "epochs": 12}),
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
        {**ACTION, "filters": 4, "mask_filters": (4,), "score_units": 4, "epochs": 20},
    ),
    "lsts": (
        "lsts",
        {
            **SMALL,
            "num_frames": 8,
            "image_size": (32, 32),
            "output_size": (12, 16),
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
            "save_seconds": 0.2,
            "image_size": (48, 48),
            "crop": 16,
            "num_frames": 6,
            "batch_size": 4,
            "epochs": 60,
        },
    ),
    "general_saliency": (
        "general_saliency",
        {
            "save_seconds": 0.2,
            "weights": "general",
            "head_epochs": 6,
            "epochs": 4,
            "batch_size": 2,
        },
    ),
}
ONE_DEVICE = ("general_saliency",)  # recipes without the option `devices`


def train(recipe: str, options: dict, devices: int, started) -> None:
    """Run a recipe in this process, and report when its first step and the run are done."""
    from zoo.training.engine.state import State

    import keras

    if devices > 1 and keras.config.backend() == "tensorflow":
        import tensorflow as tf

        processor = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(processor, parts)
    after_step, told = State.on_train_batch_end, []

    def on_train_batch_end(self, batch, logs=None):
        after_step(self, batch, logs)
        if not told:
            told.append(True)
            started.send("first step")

    State.on_train_batch_end = on_train_batch_end
    module = importlib.import_module(f"zoo.recipes.{recipe}")
    with open(os.devnull, "w") as nowhere:
        sys.stdout = nowhere
        module.main(module.Config(**options))
    started.send("end")


def run(context, recipe: str, options: dict, devices: int, limit: float | None = None):
    """Run a recipe in a separate process, or kill it some seconds after its first step.

    Returns:
        Seconds from the first step to the end, or None if it was killed.
    """
    heard, started = context.Pipe(duplex=False)
    process = context.Process(target=train, args=(recipe, options, devices, started))
    process.start()
    started.close()
    try:
        message = heard.recv()  # a resumed run may have nothing left to train
        began = time.monotonic()
        if message == "first step":
            if limit is not None:
                process.join(limit)
                if process.is_alive():
                    process.kill()
                    process.join()
                    return None
            heard.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{recipe} ended with status {process.exitcode}") from None
    process.join()
    return time.monotonic() - began


def left_by(folder: Path) -> dict[str, np.ndarray]:
    """All arrays that a finished run leaves: those of its states and of the selected model."""
    found = {}
    for path in sorted(folder.rglob("state.npz")):
        with np.load(path) as held:
            names = [name for name in held.files if name != "facts"]
            found |= {f"{path.relative_to(folder)} {name}": held[name] for name in names}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[f"{kind} {name}"] = item[()]

    for kind in ("model.keras", "backbone.keras", "general.weights.h5"):
        path = folder / kind
        if path.suffix == ".keras" and path.is_file():
            with zipfile.ZipFile(path) as parts:
                path = io.BytesIO(parts.read("model.weights.h5"))
        elif not path.is_file():
            continue
        with h5py.File(path) as file:
            file.visititems(keep)
    return found


def same(one: Path, other: Path) -> bool:
    """Whether two runs left bit-identical arrays."""
    first, second = left_by(one), left_by(other)
    if not first:
        raise RuntimeError(f"nothing was trained in {one}")
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=True) for name in first
    )


def progress(folder: Path) -> str:
    """Progress of a run, from its latest saved state."""
    states = sorted(folder.rglob("state.npz"), key=lambda path: path.stat().st_mtime)
    if not states:
        return "the start"
    with np.load(states[-1]) as held:
        at = json.loads(held["facts"].tobytes())["progress"]
    stage = states[-1].parent.relative_to(folder)
    return f"{f'{stage} ' if stage.name else ''}{at['epoch']}.{at['step']}"


def measure(context, name: str, folder: Path, data: dict, devices: int, kills: int, rng) -> dict:
    """Measure one recipe."""
    recipe, options = RECIPES[name]
    options = {**options, "data_dir": str(data.get(recipe, data["videos"]))}
    if devices > 1:
        options["devices"] = devices
    whole, broken = folder / "whole", folder / "broken"
    seconds = run(context, recipe, {**options, "output": str(whole)}, devices)
    after, ended, equal = [], 0, True
    while True:
        limit = None
        if len(after) < kills:
            limit = float(rng.uniform(0.0, 2.0 * seconds / kills))
        if run(context, recipe, {**options, "output": str(broken)}, devices, limit) is None:
            after.append(progress(broken))
            continue
        ended += 1
        equal = equal and same(whole, broken)
        if len(after) >= kills:
            break
        shutil.rmtree(broken)
    return {
        "recipe": name,
        "devices": devices,
        "seconds": round(seconds, 1),
        "kills": len(after),
        "runs": ended,
        "resumed_from": after,
        "equal": equal,
    }


def make_data(root: Path) -> dict[str, Path]:
    """Videos with gaze, boxes and labels; still images with fixations."""
    from zoo.datasets import moving_targets

    videos, stills = root / "videos", root / "stills"
    moving_targets.make(videos, num_videos=12, frames=24, size=(48, 48), viewers=3)
    (stills / "images").mkdir(parents=True)
    rng, rows = np.random.default_rng(0), ["image,viewer,x,y"]
    for number in range(8):
        picture = rng.integers(0, 80, (48, 48, 3)).astype("uint8")
        x, y = rng.integers(8, 40, 2)
        picture[y - 5 : y + 5, x - 5 : x + 5] = 255
        cv2.imwrite(str(stills / "images" / f"{number}.png"), picture)
        rows += [f"{number}.png,{viewer},{x + viewer - 1},{y}" for viewer in range(3)]
    (stills / "fixations.csv").write_text("\n".join(rows) + "\n")
    return {"videos": videos, "general_saliency": stills}


def page(held: dict) -> str:
    """The table."""
    lines = [
        "# Runs that were killed",
        "",
        as_text(held["machine"]),
        "",
        "Each recipe was killed at random moments of its training and started again, until it had "
        "ended. Equal: weights, optimizer, dropout seeds and chosen model are bit for bit those of "
        "an unbroken run. Resumed from: epoch and step of the state that each kill left.",
        "",
        "| recipe | backend | devices | seconds of training | kills | equal | resumed from |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['recipe']} | {row['backend']} | {row['devices']} | {row['seconds']} "
        f"| {row['kills']} | {'yes' if row['equal'] else 'no'} "
        f"| {', '.join(row['resumed_from'])} |"
        for row in held["rows"]
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    path = options.output / "resume.json"
    held = json.loads(path.read_text()) if path.is_file() else {"machine": {}, "rows": []}
    held["machine"] |= machine("keras", "tensorflow", *(["jax"] if backend == "jax" else []))
    rows = held["rows"]
    done = {(row["recipe"], row["backend"], row["devices"]) for row in rows}
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore")
    if options.devices > 1:
        count = f"--xla_force_host_platform_device_count={options.devices}"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {count}"
    # Every process is forked from one that has only imported the modules, so starting is cheap.
    context = multiprocessing.get_context("forkserver")
    used = sorted({f"zoo.recipes.{RECIPES[name][0]}" for name in options.recipes})
    context.set_forkserver_preload(["tensorflow", *used, "zoo.training.engine.state"])
    with tempfile.TemporaryDirectory() as root:
        os.environ["ZOO_CACHE"] = f"{root}/cache"
        data = make_data(Path(root))
        for name in options.recipes:
            about = (name, backend, options.devices)
            if about in done or (options.devices > 1 and RECIPES[name][0] in ONE_DEVICE):
                continue
            rng = np.random.default_rng([options.seed, *map(ord, "".join(map(str, about)))])
            folder = Path(root, "runs")
            row = measure(context, name, folder, data, options.devices, options.kills, rng)
            rows.append({**row, "backend": backend})
            print(json.dumps(rows[-1]), flush=True)
            write_results("resume", held, page(held), options.output)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
