"""Ablations of Sharma's and Meng's Table 1 on moving_targets, in equal steps, over several seeds.

    python benchmarks/attention_tables.py --folder tables
    python benchmarks/attention_tables.py --folder tables --seeds 1 --only soft

Every run is a recipe's own run in FOLDER/runs: it goes on where it was killed, and what is
finished is only read. The table is printed after each run and kept in FOLDER/table.md: mean and
spread over the seeds of the test accuracy, of the log-concavity violation of the mean temporal
weights (0 is unimodal) and of their share in the action's segment (1 is chance).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from pathlib import Path

import numpy as np

SOFT = {
    "softmax attention, lambda 0": {},
    "softmax attention, lambda 1": {"penalty": 1.0},
    "softmax attention, lambda 10": {"penalty": 10.0},
    "additive attention, lambda 0": {"attention": "additive"},
    "average-pooled LSTM": {"attention": "average"},
    "max-pooled LSTM": {"attention": "max"},
}
SPATIOTEMPORAL = {
    "full": {},
    "without spatial attention": {"spatial_attention": False},
    "without temporal attention": {"temporal_attention": False},
    "without attention": {"spatial_attention": False, "temporal_attention": False},
    "without total variation": {"tv": 0.0},
    "without contrast": {"contrast": 0.0},
    "without unimodality": {"unimodality": 0.0},
    "score as printed": {"score": "sum"},
}
COLUMNS = ("accuracy", "log_concavity", "weight_in_segments")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", default="runs/attention_tables")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["soft", "spatiotemporal"])
    parser.add_argument("--rows", type=int, help="the first so many rows of each table")
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--size", type=int, default=56)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from zoo.datasets import moving_targets
    from zoo.recipes import soft_attention, spatiotemporal_attention

    folder = Path(arguments.folder)
    # As large as the frames that the models see, but for what the data set asks at least.
    size = (max(48, arguments.size),) * 2
    moving_targets.make(
        folder / "data",
        num_videos=arguments.videos,
        frames=arguments.frames,
        size=size,
        viewers=1,
        progress=True,
    )
    shared = {
        "data_dir": str(folder / "data"),
        "cache": str(folder / "cache"),
        "backbone": "small",
        "trainable_backbone": True,
        "image_size": (arguments.size, arguments.size),
        "num_frames": arguments.frames,
        "batch_size": 16,
        "rate": 1e-3,
        "schedule": "cosine",
        "clip": 5.0,
        "flips": False,
        "epochs": arguments.epochs,
        "tensorboard": False,
        "deterministic": False,
    }
    own = {
        soft_attention: {"num_layers": 1, "units": 64, "dropout": 0.2},
        spatiotemporal_attention: {
            "filters": 32,
            "mask_filters": (32, 16),
            "score_units": 32,
            "average": False,
        },
    }
    plan = []
    if arguments.only != "spatiotemporal":
        plan += [(soft_attention, row, SOFT[row]) for row in list(SOFT)[: arguments.rows]]
    if arguments.only != "soft":
        rows = list(SPATIOTEMPORAL)[: arguments.rows]
        plan += [(spatiotemporal_attention, row, SPATIOTEMPORAL[row]) for row in rows]
    table: dict[tuple[str, str], list[dict]] = {}
    for seed in range(arguments.seeds):
        for recipe, row, changes in plan:
            name = recipe.__name__.rsplit(".", 1)[-1]
            output = folder / "runs" / f"{name}_{row.replace(' ', '_').replace(',', '')}_{seed}"
            config = recipe.Config(**{**shared, **own[recipe], **changes}, output=str(output))
            config = dataclasses.replace(config, seed=seed)
            finished = output / "results.json"
            if finished.is_file():
                results = json.loads(finished.read_text())
            else:
                results = recipe.main(config)
            table.setdefault((name, row), []).append(results["test"])
            text = render(table)
            (folder / "table.md").write_text(text)
            print(text, flush=True)


def render(table: dict) -> str:
    lines = [
        "| model | variant | seeds | " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * (3 + len(COLUMNS)),
    ]
    for (name, row), runs in table.items():
        cells = []
        for column in COLUMNS:
            values = [run[column] for run in runs if column in run]
            cells.append(f"{np.mean(values):.4f} ± {np.std(values):.4f}" if values else "")
        lines.append(f"| {name} | {row} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
