"""Appendix A of the RMDN paper on moving_targets: does concatenation help a linear SVM?

    python benchmarks/joint.py --output runs/joint_benchmark
    python benchmarks/saliency_svm.py --networks runs/joint_benchmark

C3D's published weights are not needed: the features are those of the network that learned the
actions alone, the saliency that of the network that learned it alone, both from the first command
and from other videos than these. Writes benchmarks/results/saliency_svm.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import keras
import numpy as np

import zoo
from zoo.datasets import moving_targets
from zoo.recipes import saliency_svm

RESULTS = Path(__file__).parent / "results"
DATA = {"frames": 24, "size": (48, 48), "fps": 12.5, "viewers": 12, "seed": 31}


def extractor(network: keras.Model) -> keras.Model:
    """The action network up to its hidden layer: CONV5 is its last map, FC6 the hidden layer."""
    outputs = {
        "conv5": network.get_layer("trunk").output,
        "fc6": network.get_layer("action_hidden").output,
    }
    return keras.Model(network.inputs, outputs, name="extractor")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", type=Path, default=Path("runs/joint_benchmark"))
    parser.add_argument("--output", type=Path, default=Path("runs/saliency_svm_benchmark"))
    parser.add_argument("--videos", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    root = options.output / "data"
    moving_targets.make(root, num_videos=options.videos, **DATA)
    found, texts = [], []
    for seed in options.seeds:
        runs = options.networks / "runs"
        network = zoo.load(runs / f"action_alone_{seed}" / "best.keras")
        folder = options.output / str(seed)
        folder.mkdir(parents=True, exist_ok=True)
        extractor(network).save(folder / "extractor.keras")
        config = saliency_svm.Config(
            data_dir=str(root),
            output=str(folder),
            cache=str(options.output / "cache"),
            saliency=str(runs / f"saliency_alone_{seed}" / "best.keras"),
            extractor=str(folder / "extractor.keras"),
            bias_components=4,
            seed=seed,
        )
        found.append(saliency_svm.main(config))
        texts.append((folder / "tables.md").read_text())
    names = sorted(found[0]["mean"])
    lines = ["| experiment | accuracy, %, mean over the seeds | each |", "|---|---|---|"]
    for name in names:
        values = [one["mean"][name] for one in found]
        each = ", ".join(f"{value:.1f}" for value in values)
        lines.append(f"| {name} | {np.mean(values):.1f} | {each} |")
    text = "\n".join(lines)
    print(text)
    facts = {
        "command": "python benchmarks/saliency_svm.py",
        "videos": options.videos,
        "data": {name: str(value) for name, value in DATA.items()},
        "keras": keras.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, 1 thread",
    }
    options.results.mkdir(parents=True, exist_ok=True)
    held = json.dumps({"facts": facts, "results": found}, indent=1)
    (options.results / "saliency_svm.json").write_text(held)
    (options.results / "saliency_svm.md").write_text(
        "# Appendix A on moving_targets\n\n" + text + "\n\nThe first seed's tables:\n\n" + texts[0]
    )


if __name__ == "__main__":
    main()
