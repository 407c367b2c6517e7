"""How long training waits for its input, and the overhead of the training engine.

    python benchmarks/pipeline.py [--output benchmarks/results]

Trains two models of the RMDN recipe with `zoo.training.fit` on `zoo.datasets.stream`: the head of
the paper (LSTM of 256 units, 20 Gaussians, windows of 65 frames, batches of 8) on cached features
as large as C3D's, and the small dense network of the demo, end to end on decoded frames. The wait
is the share of the training time that is spent waiting for batches, as `fit` logs it. The overhead
is the time of a step of the engine divided by that of plain `train_on_batch`, both on a batch that
is held in memory, taking turns in the same run. Writes pipeline.json and pipeline.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import zoo
from results_page import RESULTS, as_text, load_average, machine, write_results
from zoo.datasets import (
    Features,
    Frames,
    HorizontalFlip,
    Mixture,
    Samples,
    Windows,
    moving_targets,
    stream,
)
from zoo.datasets.shards.features import FeatureStore
from zoo.datasets.shards.format import FEATURES
from zoo.recipes import demo, rmdn
from zoo.training import fit

import keras
import numpy as np
import tensorflow as tf

WAIT_BAR, ENGINE_BAR = 0.05, 1.05


class MadeFeatures:
    """Random features, one row for every 16-frame clip."""

    name, size = FEATURES, (8, 8)

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def describe(self):
        about = {"dtype": "float16", "shape": list(self.shape), "hop": 1, "clip_length": 16}
        return {**about, "digest": "made"}

    def rows(self, frames, total):
        rng = np.random.default_rng(0)
        for _ in range(total - 15):
            yield rng.random(self.shape, np.float32).astype(np.float16).tobytes()


class Watch(keras.callbacks.Callback):
    """Record the timings that `fit` logs."""

    def on_epoch_end(self, epoch, logs=None):
        self.logs = dict(logs)


def cached(root: Path, records, steps_per_execution: int):
    """The head of the paper, and windows of cached features."""
    shape = (*zoo.backbones.c3d(width=1 / 16).output_shape[1:-1], 512)
    store = FeatureStore(root / "features", MadeFeatures(shape))
    store.compute(records)
    samples = Samples(
        records, Windows(50), inputs=[Features(store)], targets=[Mixture(16)], cache=root
    )
    model = zoo.rmdn(backbone=None, feature_shape=shape)
    model.compile(
        "rmsprop",
        loss={"mixture": zoo.losses.MixtureNLL("sum")},
        steps_per_execution=steps_per_execution,
    )
    return model, samples


def dense(root: Path, records, steps_per_execution: int):
    """The demo's network, and windows of frames."""
    config = rmdn.Config(**demo.SMALL, steps_per_execution=steps_per_execution)
    samples = Samples(
        records,
        Windows(config.window),
        inputs=[Frames(config.image_size)],
        targets=[Mixture(16)],
        transforms=[HorizontalFlip()],
        cache=root,
    )
    return rmdn.trainable(config, rmdn.build(config), 100), samples


def bare(model, batch, steps: int) -> float:
    """Seconds per step of `train_on_batch` on one batch."""
    began = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(*batch, return_dict=True)
    return (time.perf_counter() - began) / steps


def engine(model, data, steps: int) -> dict[str, float]:
    """The timings of `fit`, without the first execution, which compiles."""
    watch = Watch()
    steps += model.steps_per_execution
    with tempfile.TemporaryDirectory() as folder:
        options = {"epochs": 1, "steps": steps, "show_progress": False, "callbacks": [watch]}
        fit(model, data, output=folder, **options)
    return {name: watch.logs[name] for name in ("step_seconds", "input_wait")}


def measure(name: str, make, root: Path, records, options) -> dict:
    """Measure one model: its wait for input, and its steps compared with `train_on_batch`."""
    rows = {"streamed": [], "held": [], "bare": []}
    model, samples = make(root, records, options.steps_per_execution)
    given = next(iter(stream(samples, 8)))
    held = tf.data.Dataset.from_tensors(given).cache().repeat()
    plain, _ = make(root, records, 1)
    bare(plain, given, 2)
    for _ in range(options.rounds):  # taking turns, so that other programs disturb both equally
        rows["streamed"].append(
            engine(model, lambda step: stream(samples, 8, start_step=step), options.steps)
        )
        rows["held"].append(engine(model, lambda step: held, options.steps))
        rows["bare"].append(bare(plain, given, options.steps))
    seconds = {
        "streamed": min(row["step_seconds"] for row in rows["streamed"]),
        "held": min(row["step_seconds"] for row in rows["held"]),
        "bare": min(rows["bare"]),
    }
    waits = [row["input_wait"] for row in rows["streamed"]]
    return {
        "model": name,
        "seconds_a_step": seconds,
        "engine_over_bare": seconds["held"] / seconds["bare"],
        "least_wait": min(waits),
        "median_wait": float(np.median(waits)),
        "rounds": rows,
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=32)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps-per-execution", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    results = {
        "machine": {**machine("keras", "tensorflow"), "load_average": load_average()},
        "steps": options.steps,
        "steps_per_execution": options.steps_per_execution,
        "rows": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        records = moving_targets.make(root / "data", num_videos=options.videos, frames=80)
        for name, make in (("RMDN, cached features", cached), ("small dense RMDN", dense)):
            results["rows"].append(measure(name, make, root, records, options))
            row = {k: v for k, v in results["rows"][-1].items() if k != "rounds"}
            print(json.dumps(row), flush=True)
    text = page(results)
    write_results("pipeline", results, text, options.output)
    print(text)


def page(results: dict) -> str:
    """The table."""
    rounds = len(results["rows"][0]["rounds"]["bare"])
    lines = [
        "# How long training waits for its input, and what the engine costs",
        "",
        as_text(results["machine"]),
        "",
        f"Batches of 8; best of {rounds} rounds of {results['steps']} steps, "
        f"{results['steps_per_execution']} an execution. Bars: a wait below {WAIT_BAR:.0%}, a step "
        f"of `fit` on a batch held in memory at most {ENGINE_BAR} of one of `train_on_batch`.",
        "",
        "| model | least wait | median | s a step | held batch | `train_on_batch` | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['model']} | {row['least_wait']:.2%} | {row['median_wait']:.2%} "
        + "".join(f"| {row['seconds_a_step'][k]:.4f} " for k in ("streamed", "held", "bare"))
        + f"| {row['engine_over_bare']:.3f} |"
        for row in results["rows"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
