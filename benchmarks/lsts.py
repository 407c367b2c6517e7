"""LSTS's small version on moving_targets, one row a stream, beside the trained central bias.

    python benchmarks/lsts.py --data-dir made --output runs/lsts_benchmark

It makes the videos (200 of 32 frames), runs `zoo.recipes.lsts --small` for RGB, flow and both with
a shared cache, and writes `benchmarks/results/lsts.json` and `lsts.md`. A finished run found in the
output folder is not repeated; its own options are shown.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from zoo.datasets import moving_targets
from zoo.models.lsts import STREAMS
from zoo.recipes.lsts import Config, main

RESULTS = Path(__file__).parent / "results"
METRICS = ("auc_judd", "nss", "cc", "kl_divergence", "similarity", "auc_shuffled")


def run() -> str:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--streams", nargs="+", choices=STREAMS, default=list(STREAMS))
    options = parser.parse_args()
    moving_targets.make(options.data_dir, num_videos=200, frames=32, size=(112, 112), seed=0)
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
                    cache=str(Path(options.output) / "cache"),
                    tensorboard=False,
                )
            )
        found[streams] = json.loads((output / "results.json").read_text())
        config = json.loads((output / "config.json").read_text())
        names = ("epochs", "rate", "halve_every", "loss", "width", "num_frames", "flow")
        found[streams]["options"] = {name: config[name] for name in names}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "lsts.json").write_text(json.dumps(found, indent=1) + "\n")
    report = _report(found)
    (RESULTS / "lsts.md").write_text(report)
    print(report)
    return report


def _report(found: dict) -> str:
    lines = [
        "# LSTS on moving_targets",
        "",
        "Held-out videos (30 of 200); frozen random I3D, an eighth of the width, cached features,",
        "the head alone trained, two CPU cores. Written by `benchmarks/lsts.py`.",
        "",
        "| | epochs | " + " | ".join(METRICS) + " |",
        "|---" * (len(METRICS) + 2) + "|",
    ]
    for streams, result in found.items():
        row = result["test"]["lsts"]
        values = " | ".join(f"{row[m]:.4f}" for m in METRICS)
        lines.append(f"| {streams} | {result['options']['epochs']} | {values} |")
    row = next(iter(found.values()))["test"]["trained_central_bias"]
    values = " | ".join(f"{row[m]:.4f}" for m in METRICS)
    lines.append(f"| trained central bias | | {values} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run()
