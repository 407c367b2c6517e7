"""LSTS's small version on moving_targets, one row a stream, beside the baselines.

    python benchmarks/lsts.py --data-dir made --output runs/lsts_benchmark

It makes the videos (600 of 32 frames), runs `zoo.recipes.lsts --small` for RGB, flow and both with
the same options and a shared cache, and writes `benchmarks/results/lsts.json` and `lsts.md`. The
epoch of each run is chosen by its loss on validation videos; the table is that of the test videos.
A finished run found in the output folder is not repeated; its own options are shown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from zoo.datasets import moving_targets
from zoo.models.lsts import STREAMS
from zoo.recipes.lsts import SMALL, Config, main

RESULTS = Path(__file__).parent / "results"
METRICS = ("auc_judd", "nss", "cc", "kl_divergence", "similarity", "auc_shuffled")
BASELINES = ("uniform", "central_bias", "trained_central_bias", "motion", "viewers", "true_density")
# An epoch has 51 iterations here: the printed halving every 50 would end the training at once.
OPTIONS = {"epochs": 12, "halve_every": 500}
SHOWN = ("epochs", "rate", "halve_every", "loss", "width", "num_frames", "flow", "stride")


def run() -> str:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--cache", help="default OUTPUT/cache")
    parser.add_argument("--videos", type=int, default=600)
    parser.add_argument("--streams", nargs="+", choices=STREAMS, default=list(STREAMS))
    options = parser.parse_args()
    records = moving_targets.make(
        options.data_dir, num_videos=options.videos, frames=32, size=(112, 112), seed=0
    )
    SMALL.update(OPTIONS)
    found = {}
    for streams in options.streams:
        output = Path(options.output) / streams
        if not (output / "results.json").exists():
            main(
                Config(
                    small=True,
                    data_dir=options.data_dir,
                    streams=streams,
                    output=str(output),
                    cache=options.cache or str(Path(options.output) / "cache"),
                    tensorboard=False,
                )
            )
        found[streams] = json.loads((output / "results.json").read_text())
        config = json.loads((output / "config.json").read_text())
        found[streams]["options"] = {name: config[name] for name in SHOWN}
        history = json.loads((output / "history.json").read_text())
        found[streams]["validation_loss"] = [epoch["val_loss"] for epoch in history]
    counts = {
        split: sum(record.split == split for record in records)
        for split in ("train", "validation", "test")
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"videos": counts, "runs": found}, indent=1)
    (RESULTS / "lsts.json").write_text(text + "\n")
    report = _report(found, counts)
    (RESULTS / "lsts.md").write_text(report)
    print(report)
    return report


def _report(found: dict, counts: dict) -> str:
    learn = counts["train"] + counts["validation"]
    lines = [
        "# LSTS on moving_targets",
        "",
        f"{counts['test']} held-out videos, {learn} to learn from (a fifth of them to choose the",
        "epoch); frozen random I3D, an eighth of the width, cached features, the head alone",
        "trained, two CPU cores. Written by `benchmarks/lsts.py`.",
        "",
        "| | epochs | best by validation | " + " | ".join(METRICS) + " |",
        "|---" * (len(METRICS) + 3) + "|",
    ]
    for streams, result in found.items():
        head = f"| {streams} | {result['options']['epochs']} | {result['best_epoch']} | "
        lines.append(head + _cells(result["test"]["lsts"]))
    test = next(iter(found.values()))["test"]
    for name in BASELINES:
        if name in test:
            lines.append(f"| {name} | | | " + _cells(test[name]))
    return "\n".join(lines) + "\n"


def _cells(row: dict) -> str:
    return " | ".join(f"{row[m]:.4f}" if m in row else "-" for m in METRICS) + " |"


if __name__ == "__main__":
    run()
