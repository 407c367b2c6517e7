"""Is a dense model less accurate than a model on sliding clips? The same recipe in both forms.

    python benchmarks/dense_accuracy.py --output runs/dense_accuracy [--gaze-dir GAZE]

Trains a small RMDN in both forms, with each seed, on moving_targets of two sizes and, if GAZE holds
the real recordings of `benchmarks/real_gaze.py`, on the first split of its films. Both forms are
trained from scratch for the same number of steps, and the dense form also for three times as many,
which still takes less time than clips. The dense form is also trained with the C3D of the clip
model, once frozen and once trained further. All are compared on the same frames of the test videos,
those that the clip model predicts. Finished runs are not repeated. Prints the table and writes
benchmarks/results/dense_accuracy.{json,md}: mean and spread over the seeds.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

import zoo
from results_page import RESULTS, as_text, machine, write_results
from zoo.datasets import moving_targets
from zoo.inference.evaluating.evaluation import safe_name
from zoo.models.loading import load
from zoo.recipes import rmdn
from zoo.training.layer_weights import backbone_of
from zoo.training.named_data import load_records
from zoo.weights.provenance import save_with_provenance

import keras
import tyro

METRICS = ("nss", "cc", "auc_judd", "log_likelihood")


@dataclass(frozen=True)
class Run:
    """One column of the table.

    Args:
        dense: dense instead of sliding clips.
        times: multiplies the number of epochs.
        start: run that C3D's weights are taken from, None for random weights.
        frozen: do not train C3D.
    """

    dense: bool = True
    times: int = 1
    start: str | None = None
    frozen: bool = False


RUNS = {
    "clip": Run(dense=False),
    "dense": Run(),
    "dense, longer": Run(times=3),
    "dense head": Run(start="clip", frozen=True),
    "dense, tuned": Run(start="clip"),
}
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
C3D_OPTIONS = ("width", "endpoint", "normalization", "preprocessing")


@dataclass(frozen=True)
class Options:
    """The comparison's size.

    Args:
        output: folder of the data and the runs.
        gaze_dir: folder of real recordings; None leaves them out.
        seeds: random seeds; each column is trained once per seed.
        videos: sizes of the synthetic data sets, in videos.
        epochs: number of epochs with 120 synthetic videos or with the films, except for the longer
            run; other sizes are trained for the same number of steps.
        results: folder of the table.
    """

    output: Path = Path("runs/dense_accuracy")
    gaze_dir: Path | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    videos: tuple[int, ...] = (120, 360)
    epochs: int = 40
    results: Path = RESULTS


def main(options: Options) -> dict:
    """Train, compare and write the results."""
    sets = {}
    for videos in options.videos:
        made = options.output / f"made_{videos}"
        moving_targets.make(made, num_videos=videos, frames=48, size=(96, 96), seed=0)
        sets[f"moving_targets, {videos} videos"] = {
            "dataset": "moving_targets",
            "data_dir": str(made),
            "epochs": math.ceil(options.epochs * 120 / videos),
        }
    if options.gaze_dir is not None:
        from real_gaze import experiments, write_table

        films = experiments(options.gaze_dir)["physics_0"]
        table = write_table(options.output / "films", films["rows"])
        sets["films of balls"] = {
            "dataset": "csv",
            "data_dir": str(table),
            "epochs": options.epochs,
            "validation_share": films["validation_share"],
            "windows_per_video": 5,
        }
    found: dict[str, dict] = {}
    for name, given in sets.items():
        found[name] = {run: [] for run in RUNS}
        for seed in options.seeds:
            folder = options.output / safe_name(f"{name} {seed}")
            seconds = {run: train(options, given, run, seed, folder) for run in RUNS}
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


def train(options: Options, given: dict, name: str, seed: int, folder: Path) -> float:
    """Train once; return the seconds that it took."""
    done = folder / name / "results.json"
    if not done.exists():
        run = RUNS[name]
        config = {**SMALL, **given, "epochs": run.times * given["epochs"]}
        if run.start is not None:
            config["backbone_weights"] = str(c3d_of(folder / run.start))
        if run.frozen:
            config.update(trainable_backbone=False, flips=False)
        rmdn.main(
            rmdn.Config(
                output=str(folder / name),
                cache=str(options.output / "cache"),
                dense=run.dense,
                seed=seed,
                evaluate=False,
                **config,
            )
        )
    return json.loads(done.read_text())["seconds"]


def c3d_of(run: Path) -> Path:
    """File with the C3D that a run trained."""
    path = run / "c3d.weights.h5"
    if not path.exists():
        options = {key: SMALL[key] for key in C3D_OPTIONS}
        save_with_provenance(
            backbone_of(load(run / "model.keras")),
            path,
            {"source": str(run), "architecture": "c3d", "options": options},
        )
    return path


def report(found: dict, options: Options) -> None:
    """Write dense_accuracy.json and dense_accuracy.md from the runs that are finished."""
    lines = [
        "# Dense against clips",
        "",
        "The same small RMDN (C3D of an eighth of the width, 48x48) in both forms, trained by",
        f"`benchmarks/dense_accuracy.py`. From scratch, end to end: `clip` for {options.epochs}",
        "epochs (the same number of steps if there are not 120 made videos); `dense` for the same",
        "number; `dense, longer` for three times as many. With the C3D of the clip model: `dense",
        "head` keeps it frozen, `dense, tuned` trains it further. Measured on the frames of the",
        "test videos that all of them predict; mean over the seeds (lowest to highest).",
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
    about = machine("tensorflow", "keras", "numpy", "opencv-python")
    about["backend"] = keras.config.backend()
    lines += ["", as_text(about) + "."]
    held = {"about": about, "settings": {**SMALL, "epochs": options.epochs}, "runs": found}
    write_results("dense_accuracy", held, "\n".join(lines), options.results)
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
