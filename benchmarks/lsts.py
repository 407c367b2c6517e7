"""The small version of LSTS on moving_targets, one row per stream, with the baselines.

    python benchmarks/lsts.py --data-dir made --output runs/lsts_benchmark

Makes 600 videos of 32 frames and runs `zoo.recipes.lsts --small` for RGB, flow and both, with the
same options and three seeds (for the backbone's random weights, the validation videos, the head and
the order). Writes `benchmarks/results/lsts.json` and `lsts.md`. The epoch of each run is selected
by the loss on the validation videos; the table shows the test videos. A finished run in the output
folder is not repeated; its own options are shown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import zoo
from results_page import machine, write_results
from zoo.datasets import moving_targets
from zoo.models.lsts import STREAMS
from zoo.recipes.lsts import SMALL, Config, main

import keras
import numpy as np

METRICS = ("auc_judd", "nss", "cc", "kl_divergence", "similarity", "auc_shuffled")
BASELINES = ("uniform", "central_bias", "trained_central_bias", "motion", "viewers", "true_density")
# An epoch has 51 iterations here: halving every 50, as printed, would stop training at once.
# The rate and the epochs were chosen by the validation loss.
OPTIONS = {"epochs": 12, "halve_every": 250}
SHOWN = (
    "epochs",
    "rate",
    "halve_every",
    "dropout",
    "loss",
    "width",
    "num_frames",
    "flow",
    "stride",
)


def run() -> str:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--cache", help="default OUTPUT/cache")
    parser.add_argument("--videos", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--streams", nargs="+", choices=STREAMS, default=list(STREAMS))
    options = parser.parse_args()
    records = moving_targets.make(
        options.data_dir, num_videos=options.videos, frames=32, size=(112, 112), seed=0
    )
    SMALL.update(OPTIONS)
    found: dict[str, list[dict]] = {streams: [] for streams in options.streams}
    for seed in options.seeds:
        for streams in options.streams:
            output = Path(options.output) / f"{streams}_{seed}"
            if not (output / "results.json").exists():
                main(
                    Config(
                        small=True,
                        data_dir=options.data_dir,
                        streams=streams,
                        output=str(output),
                        cache=options.cache or str(Path(options.output) / "cache"),
                        seed=seed,
                        tensorboard=False,
                    )
                )
            result = json.loads((output / "results.json").read_text())
            config = json.loads((output / "config.json").read_text())
            history = json.loads((output / "history.json").read_text())
            result["seed"] = seed
            result["options"] = {name: config[name] for name in SHOWN}
            result["validation_loss"] = [epoch["val_loss"] for epoch in history]
            found[streams].append(result)
    counts = {
        split: sum(record.split == split for record in records)
        for split in ("train", "validation", "test")
    }
    facts = {"zoo": zoo.__version__, "backend": keras.config.backend(), **machine("keras")}
    report = _report(found, counts, facts)
    write_results("lsts", {"facts": facts, "videos": counts, "runs": found}, report)
    print(report)
    return report


def _report(found: dict[str, list[dict]], counts: dict, facts: dict) -> str:
    learn = counts["train"] + counts["validation"]
    seeds = len(next(iter(found.values())))
    lines = [
        "# LSTS on moving_targets",
        "",
        f"{counts['test']} held-out videos, {learn} for training (a fifth of them selects the",
        "epoch); frozen random I3D of an eighth of the width, cached features, only the head is",
        f"trained. Mean over {seeds} seeds (lowest to highest). Written by `benchmarks/lsts.py`.",
        "",
        "| | epochs | best by validation | " + " | ".join(METRICS) + " |",
        "|---" * (len(METRICS) + 3) + "|",
    ]
    for streams, runs in found.items():
        best = ", ".join(str(run["best_epoch"]) for run in runs)
        head = f"| {streams} | {runs[0]['options']['epochs']} | {best} | "
        lines.append(head + _cells([run["test"]["lsts"] for run in runs]))
    runs = next(iter(found.values()))
    for name in BASELINES:
        if name in runs[0]["test"]:
            lines.append(f"| {name} | | | " + _cells([run["test"][name] for run in runs]))
    lines += ["", "; ".join(f"{name} {value}" for name, value in facts.items()) + "."]
    return "\n".join(lines) + "\n"


def _cells(rows: list[dict]) -> str:
    cells = []
    for metric in METRICS:
        values = [row[metric] for row in rows if metric in row]
        if not values:
            cells.append("-")
        elif max(values) - min(values) < 5e-5:  # a baseline without a seed
            cells.append(f"{values[0]:.3f}")
        else:
            cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
    return " | ".join(cells) + " |"


if __name__ == "__main__":
    run()
