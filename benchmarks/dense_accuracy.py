"""Does the dense model lose accuracy against the model of clips? The same recipe, both forms.

    python benchmarks/dense_accuracy.py --output runs/dense_accuracy [--seeds 0 1 2]

Makes moving_targets once, trains a small RMDN end to end in both forms with each seed, and
compares them on the test videos. Runs that are finished are not made again. Prints the table and
writes benchmarks/results/dense_accuracy.{json,md}: mean and spread over the seeds, and whether the
difference is within the spread.
"""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import dataclass
from pathlib import Path

import tyro

from zoo.datasets import moving_targets
from zoo.recipes import rmdn

RESULTS = Path(__file__).resolve().parent / "results"
METRICS = ("nss", "auc_judd", "information_gain", "log_likelihood")


@dataclass(frozen=True)
class Options:
    """The comparison's size.

    Args:
        output: folder of the data and the runs.
        seeds: one pair of runs each.
        videos: videos made in all.
        epochs: of each run.
        image_size: side of the frames that the models see.
        width: of C3D.
        results: folder of the table.
    """

    output: Path = Path("runs/dense_accuracy")
    seeds: tuple[int, ...] = (0, 1, 2)
    videos: int = 60
    epochs: int = 8
    image_size: int = 48
    width: float = 0.125
    results: Path = RESULTS


def main(options: Options) -> dict:
    """Train, compare, write."""
    data = options.output / "data"
    if not data.exists():
        moving_targets.make(data, num_videos=options.videos, frames=64, seed=0)
    found: dict = {"settings": {k: str(v) for k, v in vars(options).items()}, "runs": {}}
    for seed in options.seeds:
        for form in ("clip", "dense"):
            found["runs"][f"{form} {seed}"] = one_run(options, data, form, seed)
            report(found, options.results)
    return found


def one_run(options: Options, data: Path, form: str, seed: int) -> dict:
    """The test metrics of one training run."""
    folder = options.output / f"{form}_{seed}"
    done = folder / "results.json"
    if not done.exists():
        config = rmdn.Config(
            dataset="moving_targets",
            data_dir=str(data),
            output=str(folder),
            cache=str(options.output / "cache"),
            image_size=(options.image_size, options.image_size),
            width=options.width,
            dense=form == "dense",
            normalization=True,
            normalization_momentum=0.9,
            preprocessing="rgb_unit",
            units=64,
            num_components=8,
            trainable_backbone=True,
            window=31,
            batch_size=4,
            optimizer="adam",
            rate=1e-3,
            schedule="cosine",
            clip=1.0,
            over_fixations="mean",
            epochs=options.epochs,
            patience=None,
            tensorboard=False,
            seed=seed,
        )
        rmdn.main(config)
    test = json.loads(done.read_text())["test"]
    return {name: test["rmdn"][name] for name in METRICS if name in test["rmdn"]}


def report(found: dict, folder: Path) -> None:
    """dense_accuracy.json and dense_accuracy.md, of the runs so far."""
    table = {}
    for name in METRICS:
        values = {
            form: [run[name] for key, run in found["runs"].items() if key.startswith(form)]
            for form in ("clip", "dense")
        }
        if not all(v and None not in v for v in values.values()):
            continue
        row = {form: statistics.fmean(v) for form, v in values.items()}
        row["spread"] = max(max(v) - min(v) for v in values.values())
        row["difference"] = row["dense"] - row["clip"]
        table[name] = row
    found["table"] = table
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dense_accuracy.json").write_text(json.dumps(found, indent=1) + "\n")
    runs = len(found["runs"]) // 2
    lines = [
        "# Dense against clips on moving_targets",
        "",
        f"Mean over {runs} seeds; the spread is the larger range over the seeds of the two forms.",
        f"{os.cpu_count()} processors. Settings: {found['settings']}",
        "",
        "| metric | clip | dense | difference | spread |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {r['clip']:.4f} | {r['dense']:.4f} | {r['difference']:+.4f} "
        f"| {r['spread']:.4f} |"
        for name, r in table.items()
    ]
    (folder / "dense_accuracy.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
