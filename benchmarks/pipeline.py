"""How much of the time the RMDN trainer waits for its input, with cached features.

    python benchmarks/pipeline.py [--output benchmarks/results]

Trains the paper's head (LSTM of 256 units, 20 Gaussians, windows of 65 frames, batches of 8) on
made features of C3D's size, read from disk the two ways the recipe reads them: from arrays that
are mapped into memory, and from shards. The wait is what `next(batches)` takes out of the whole
step; it is checked against the same steps on one batch that is held in memory. Writes
pipeline.json and pipeline.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import zoo
from zoo.datasets.record import Record
from zoo.datasets.shards.format import FEATURES
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import ShardSet
from zoo.datasets.video.writer import VideoWriter
from zoo.training.windows import Source, Windows

POINTS = 17
BAR = 0.05


class MadeFeatures:
    """A stream of random rows, one for every clip of 16 frames."""

    name, size = FEATURES, (8, 8)

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def describe(self):
        return {"dtype": "float16", "shape": list(self.shape), "hop": 1, "clip_length": 16}

    def rows(self, frames, total):
        rng = np.random.default_rng(0)
        for _ in range(total - 15):
            yield rng.random(self.shape, np.float32).astype(np.float16).tobytes()


def sources(kind: str, videos: int, frames: int, shape, folder: Path) -> list[Source]:
    """The training videos as the recipe holds them."""
    rng = np.random.default_rng(1)
    points = rng.random((videos, frames - 15, POINTS, 2)).astype(np.float32)
    path = folder / "video.mp4"
    with VideoWriter(path, fps=25, height=16, width=16) as writer:
        for _ in range(frames):
            writer.write(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    records = [Record(f"v{at}", str(path)) for at in range(videos)]
    prepare(records, folder / "shards", [MadeFeatures(shape)], workers=1)
    shards = ShardSet(folder / "shards")
    found = []
    for at in range(videos):
        rows = shards[f"v{at}"].stream(FEATURES)
        if kind == "memory map":
            np.save(folder / f"{at}.npy", rows[:])
            rows = np.load(folder / f"{at}.npy", mmap_mode="r")
        found.append(Source(f"v{at}", rows, points[at]))
    return found


def train(model, batches, steps: int) -> dict[str, float]:
    """Seconds of so many steps, and what of them went into waiting for the batch."""
    waited, began, busy = 0.0, time.perf_counter(), time.process_time()
    for _ in range(steps):
        start = time.perf_counter()
        x, y = next(batches)
        waited += time.perf_counter() - start
        model.train_on_batch(x, y)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "processor_seconds": time.process_time() - busy,
        "waited_seconds": waited,
        "share": waited / seconds,
    }


def endless(windows: Windows):
    """The epochs' batches one after the other, as the recipe's loop takes them."""
    epoch = 0
    while True:
        yield from windows.batches(epoch)
        epoch += 1


def held(batch):
    while True:
        yield batch


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=32)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    backbone = zoo.backbones.c3d(width=1 / 16)
    shape = (*backbone.output_shape[1:-1], 512)
    results = {
        "machine": {
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": keras.config.backend(),
            "load_average": round(os.getloadavg()[0], 1),
        },
        "features": list(shape),
        "steps": options.steps,
        "rows": [],
    }
    model = zoo.rmdn(backbone=None, feature_shape=shape)
    model.compile("rmsprop", loss={"mixture": zoo.losses.MixtureNLL("sum")})
    for kind in ("memory map", "shards"):
        with tempfile.TemporaryDirectory() as folder:
            windows = Windows(
                sources(kind, options.videos, options.frames, shape, Path(folder)),
                length=50,
                batch_size=8,
                key="features",
                per_video=1,
            )
            one = windows.batch(0, 0)
            train(model, held(one), 2)  # builds the graph
            piped = endless(windows)
            next(piped)
            rounds = {"with": [], "without": []}
            for _ in range(options.rounds):  # by turns: other programs disturb both alike
                rounds["with"].append(train(model, piped, options.steps))
                rounds["without"].append(train(model, held(one), options.steps))
            piped.close()
            best = {
                name: min(found, key=lambda row: row["seconds"]) for name, found in rounds.items()
            }
            row = {
                "kind": kind,
                "share_of_time_waited": best["with"]["share"],
                "median_share": float(np.median([r["share"] for r in rounds["with"]])),
                "seconds_a_step": best["with"]["seconds"] / options.steps,
                "seconds_a_step_on_a_held_batch": best["without"]["seconds"] / options.steps,
                "rounds": rounds,
            }
            results["rows"].append(row)
            print(json.dumps({k: v for k, v in row.items() if k != "rounds"}), flush=True)
    write(results, options.output)


def write(results: dict, output: Path) -> None:
    """pipeline.json and pipeline.md."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "pipeline.json").write_text(json.dumps(results, indent=1) + "\n")
    rounds = len(results["rows"][0]["rounds"]["with"])
    lines = [
        "# How long RMDN's trainer waits for its input",
        "",
        ", ".join(f"{key} {value}" for key, value in results["machine"].items()),
        "",
        f"Features {tuple(results['features'])} float16, windows of 65 frames (50 features), "
        f"batches of 8; best of {rounds} rounds of {results['steps']} steps. Bar: {BAR:.0%}.",
        "",
        "| read from | waited | median | s a step | s a step on a batch held in memory |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['kind']} | {row['share_of_time_waited']:.2%} | {row['median_share']:.2%} "
        f"| {row['seconds_a_step']:.3f} | {row['seconds_a_step_on_a_held_batch']:.3f} |"
        for row in results["rows"]
    ]
    (output / "pipeline.md").write_text("\n".join(lines) + "\n")
    print((output / "pipeline.md").read_text())


if __name__ == "__main__":
    main()
