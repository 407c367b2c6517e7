"""Does the dense model lose accuracy against the model of clips? The same recipe, both forms.

    python benchmarks/dense_accuracy.py --output runs/dense_accuracy [--gaze-dir GAZE]

Trains a small RMDN end to end in both forms, with each seed, on moving_targets and, where GAZE
holds the real recordings of `benchmarks/real_gaze.py`, on the first split of its films: for as
many epochs, and the dense form also for three times as many, which still take less time than
clips. All are compared on the same frames of the test videos: those that the form of clips
predicts too. Runs that are finished are not made again. Prints the table and writes
benchmarks/results/dense_accuracy.{json,md}: mean and spread over the seeds.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path

import keras
import tyro

import zoo
from zoo.datasets import moving_targets
from zoo.recipes import rmdn
from zoo.recipes.data import load_records

RESULTS = Path(__file__).resolve().parent / "results"
METRICS = ("nss", "cc", "auc_judd", "log_likelihood")
# name: (whether dense, how many times the epochs)
RUNS = {"clip": (False, 1), "dense": (True, 1), "dense, longer": (True, 3)}
SMALL = {
    "image_size": (48, 48),
    "width": 0.125,
    "endpoint": "conv5b",
    "normalization": True,
    "normalization_momentum": 0.9,
    "preprocessing": "rgb_unit",
    "units": 64,
    "num_components": 8,
    "local": True,
    "min_sigma": 0.02,
    "dropout": 0.2,
    "trainable_backbone": True,
    "window": 31,
    "batch_size": 4,
    "flips": True,
    "optimizer": "adam",
    "rate": 1e-3,
    "schedule": "cosine",
    "clip": 1.0,
    "over_fixations": "mean",
    "patience": None,
    "tensorboard": False,
}


@dataclass(frozen=True)
class Options:
    """The comparison's size.

    Args:
        output: folder of the data and the runs.
        gaze_dir: folder of real recordings; None leaves them out.
        seeds: one run of each kind for each of them.
        videos: videos made in all.
        epochs: of each run but the longer one.
        results: folder of the table.
    """

    output: Path = Path("runs/dense_accuracy")
    gaze_dir: Path | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    videos: int = 120
    epochs: int = 40
    results: Path = RESULTS


def main(options: Options) -> dict:
    """Train, compare, write."""
    made = options.output / "moving_targets"
    moving_targets.make(made, num_videos=options.videos, frames=48, size=(96, 96), seed=0)
    sets = {"moving_targets": {"dataset": "moving_targets", "data_dir": str(made)}}
    if options.gaze_dir is not None:
        from real_gaze import experiments, write_table

        films = experiments(options.gaze_dir)["physics_0"]
        table = write_table(options.output / "films", films["rows"])
        sets["films of balls"] = {
            "dataset": "csv",
            "data_dir": str(table),
            "validation_share": films["validation_share"],
            "windows_per_video": 5,
        }
    found: dict[str, dict] = {}
    for name, given in sets.items():
        found[name] = {run: [] for run in RUNS}
        for seed in options.seeds:
            folder = options.output / f"{name}_{seed}".replace(" ", "_")
            seconds = {run: train(options, given, run, seed, folder / run) for run in RUNS}
            table = zoo.evaluate(
                {run: str(folder / run / "model.keras") for run in RUNS},
                load_records(given["dataset"], given["data_dir"], "test"),
                baselines=(),
                output=folder / "evaluation",
                overwrite=True,
            ).table
            for run in RUNS:
                values = {metric: table[run][metric] for metric in METRICS}
                found[name][run].append({**values, "seconds": seconds[run]})
            report(found, options)
    return found


def train(options: Options, given: dict, run: str, seed: int, folder: Path) -> float:
    """One training run; the seconds that it took."""
    done = folder / "results.json"
    if not done.exists():
        dense, times = RUNS[run]
        rmdn.main(
            rmdn.Config(
                output=str(folder),
                cache=str(options.output / "cache"),
                dense=dense,
                epochs=times * options.epochs,
                seed=seed,
                evaluate=False,
                **SMALL,
                **given,
            )
        )
    return json.loads(done.read_text())["seconds"]


def report(found: dict, options: Options) -> None:
    """dense_accuracy.json and dense_accuracy.md, of the runs so far."""
    longer = RUNS["dense, longer"][1]
    lines = [
        "# Dense against clips",
        "",
        "The same small RMDN (C3D of an eighth of the width, 48x48), trained end to end in both",
        f"forms by `benchmarks/dense_accuracy.py`: for {options.epochs} epochs, and dense also",
        f"for {longer * options.epochs}. On those frames of the test videos that all predict; mean",
        "over the seeds (least to largest).",
        "",
        f"| data | measured | {' | '.join(RUNS)} |",
        "|---" * (2 + len(RUNS)) + "|",
    ]
    for data, runs in found.items():
        for metric in METRICS:
            cells = []
            for run in RUNS:
                v = [values[metric] for values in runs[run]]
                cells.append(f"{statistics.fmean(v):.3f} ({min(v):.3f} to {max(v):.3f})")
            lines.append(f"| {data} | {metric} | {' | '.join(cells)} |")
        fastest = [f"{min(values['seconds'] for values in runs[run]):.0f}" for run in RUNS]
        lines.append(f"| {data} | seconds of training, fastest seed | {' | '.join(fastest)} |")
    about = {
        "keras": keras.__version__,
        "backend": keras.config.backend(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
    }
    lines += ["", ", ".join(f"{k} {v}" for k, v in about.items()) + "."]
    options.results.mkdir(parents=True, exist_ok=True)
    held = {"about": about, "settings": {**SMALL, "epochs": options.epochs}, "runs": found}
    (options.results / "dense_accuracy.json").write_text(json.dumps(held, indent=1) + "\n")
    (options.results / "dense_accuracy.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
