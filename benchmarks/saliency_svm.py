"""Appendix A of the RMDN paper on moving_targets: does concatenation help a linear SVM?

    python benchmarks/saliency_svm.py --output runs/saliency_svm_benchmark

C3D's published weights are not needed. Instead, a small network is trained, for each seed, to
recognise actions that are cut out of other videos, and an RMDN is trained on those videos for the
saliency. Finished trainings are not repeated. Writes benchmarks/results/saliency_svm.json and .md.
About ten minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import zoo
from results_page import RESULTS, machine, write_results
from zoo.datasets import moving_targets
from zoo.recipes import rmdn, saliency_svm, small_video
from zoo.recipes.demo import SMALL

import keras
import numpy as np

SIDE = 64
SCENE = {"frames": 36, "size": (SIDE, SIDE), "fps": 12.5, "viewers": 12}


def extractor(folder: Path, data: Path, seed: int) -> Path:
    """The action network: CONV5 is its last map, FC6 the mean of that map over the places."""
    backbone = folder / "actions" / "backbone.keras"
    if not backbone.exists():
        small_video.main(
            small_video.Config(
                data_dir=str(data),
                output=str(backbone.parent),
                image_size=(SIDE, SIDE),
                epochs=10,
                seed=seed,
            )
        )
    network = zoo.load(backbone)
    outputs = {"conv5": network.output, "fc6": keras.ops.mean(network.output, axis=(2, 3))}
    path = folder / "extractor.keras"
    keras.Model(network.inputs, outputs, name="extractor").save(path)
    return path


def saliency_model(folder: Path, data: Path, cache: Path) -> Path:
    """The demo's RMDN."""
    path = folder / "model.keras"
    if not path.exists():
        options = {**SMALL, "window": SCENE["frames"], "windows_per_video": 1}
        rmdn.main(
            rmdn.Config(
                dataset="moving_targets",
                data_dir=str(data),
                output=str(folder),
                cache=str(cache / "saliency"),
                tensorboard=False,
                evaluate=False,
                **options,
            )
        )
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("runs/saliency_svm_benchmark"))
    parser.add_argument("--videos", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    pre, data = options.output / "pre", options.output / "data"
    moving_targets.make(pre, num_videos=options.videos, seed=1031, **SCENE)
    moving_targets.make(data, num_videos=options.videos, seed=31, **SCENE)
    cache = options.output / "cache"
    saliency = saliency_model(options.output / "saliency", pre, cache)
    found, texts = [], []
    for seed in options.seeds:
        folder = options.output / str(seed)
        config = saliency_svm.Config(
            data_dir=str(data),
            output=str(folder),
            cache=str(cache),
            saliency=str(saliency),
            extractor=str(extractor(folder, pre, seed)),
            bias_components=4,
            seed=seed,
        )
        found.append(saliency_svm.main(config))
        texts.append((folder / "tables.md").read_text())
    lines = ["| experiment | accuracy, %, mean over the seeds | each |", "|---|---|---|"]
    for name in sorted(found[0]["mean"]):
        values = [one["mean"][name] for one in found]
        each = ", ".join(f"{value:.1f}" for value in values)
        lines.append(f"| {name} | {np.mean(values):.1f} | {each} |")
    text = "\n".join(lines)
    print(text)
    facts = {
        "command": "python benchmarks/saliency_svm.py",
        "videos": options.videos,
        "data": {name: str(value) for name, value in SCENE.items()},
        **machine("keras"),
    }
    page = f"# Appendix A on moving_targets\n\n{text}\n\nThe first seed's tables:\n\n{texts[0]}"
    write_results("saliency_svm", {"facts": facts, "results": found}, page, options.results)


if __name__ == "__main__":
    main()
