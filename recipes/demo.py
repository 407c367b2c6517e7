"""The whole way in minutes: made videos, a small RMDN trained on them, its test, film and page.

    python -m zoo.recipes.demo --output demo

Writes `OUTPUT/index.html` with the table, training curves' address, and a film of a video that the
model never saw; `OUTPUT/run/model.keras` is the model. The made videos are `moving_targets`: the
density that their gaze was drawn from is known, so the page says how much of what can be known
about the gaze the model explains, between the trained central bias (0) and the truth (1).

Hardware: two CPU cores. Measured: 3.8 minutes. On 30 held-out videos, model / trained central bias
/ true density: NSS 4.08 / 0.57 / 4.38, CC 0.76 / 0.12 / 0.79, AUC-Judd 0.928 / 0.691 / 0.949,
log-likelihood 1.913 / 0.214 / 2.137 nats; explained share 0.883.

A demo that is killed goes on where it was when it is started again.
"""

from __future__ import annotations

import dataclasses
import html
import os
import time
from pathlib import Path

import zoo
from zoo.cli.main import run_recipe
from zoo.datasets import moving_targets
from zoo.files.atomic import atomic_path
from zoo.inference.evaluating.evaluation import METRICS, format_value
from zoo.recipes import rmdn

# What training from scratch in minutes on two cores takes; all else is the recipe's default.
SMALL = {
    "image_size": (64, 64),
    "width": 0.125,
    "endpoint": "conv5b",
    "local": True,
    "dense": True,
    "normalization": True,
    "normalization_momentum": 0.9,
    "preprocessing": "rgb_unit",
    "units": 128,
    "num_components": 8,
    "min_sigma": 0.02,
    "dropout": 0.2,
    "trainable_backbone": True,
    "window": 40,
    "flips": True,
    "batch_size": 8,
    "windows_per_video": 2,
    "optimizer": "adam",
    "rate": 1e-3,
    "schedule": "cosine",
    "over_fixations": "mean",
    "patience": None,
    "epochs": 10,
    "save_seconds": 20.0,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the demo.

    Args:
        output: folder of everything that is made.
        num_videos: made videos; 15% of them are the test.
        frames: frames of every video.
        epochs: epochs of training.
        seed: of the videos and the training.
    """

    output: str = "demo"
    num_videos: int = 200
    frames: int = 60
    epochs: int = SMALL["epochs"]
    seed: int = 0


def main(config: Config) -> dict:
    """Make the data, train, evaluate, predict a film, write the page; return the results."""
    began = time.monotonic()
    output = Path(config.output)
    data = output / "moving_targets"
    print(f"1/4  {config.num_videos} videos in {data}", flush=True)
    records = moving_targets.make(
        data, num_videos=config.num_videos, frames=config.frames, seed=config.seed, progress=True
    )
    print(f"2/4  training; watch it with `tensorboard --logdir {output / 'run' / 'logs'}`")
    options = {**SMALL, "epochs": config.epochs, "seed": config.seed}
    results = rmdn.main(
        rmdn.Config(
            dataset="moving_targets",
            data_dir=str(data),
            output=str(output / "run"),
            evaluate=False,
            **options,
        )
    )
    print("3/4  evaluation on videos that the model never saw", flush=True)
    model = zoo.load(output / "run" / "model.keras")
    test = [record for record in records if record.split == "test"]
    evaluation = zoo.evaluate(
        model,
        test,
        train_records=[record for record in records if record.split != "test"],
        output=output / "evaluation",
        map_side=64,
        overwrite=True,
    )
    print("4/4  a film", flush=True)
    prediction = zoo.predict(
        model,
        test[0].video,
        output=output / "prediction",
        size=(336, 336),
        maps=None,
        overwrite=True,
    )
    table = evaluation.table
    results["test"] = table
    results["explained"] = evaluation.explained_information[model.name]
    results["better_than_trained_central_bias"] = better(table, model.name)
    results["seconds_in_all"] = round(time.monotonic() - began, 1)
    page = output / "index.html"
    film = os.path.relpath(prediction.files["film"], output)
    with atomic_path(page) as part:
        part.write_text(_page(results, evaluation, film), encoding="utf-8")
    above = results["better_than_trained_central_bias"]
    print(
        f"Above the trained central bias in {sum(above.values())} of {len(above)} metrics"
        + ("" if all(above.values()) else f" (not in {[k for k, v in above.items() if not v]})")
    )
    print(
        "Explained share of the information, (LL - LL_TCB) / (LL_true - LL_TCB): "
        f"{results['explained']:.3f}"
    )
    print(f"{page} after {results['seconds_in_all'] / 60:.1f} minutes", flush=True)
    return results


def better(table: dict[str, dict[str, float]], name: str) -> dict[str, bool]:
    """Metric -> whether the model beats the trained central bias; IG compares with it already."""
    bias = table["trained_central_bias"]
    return {
        metric: (table[name][metric] > bias[metric]) == METRICS[metric][1]
        for metric in table[name]
        if metric in bias
    }


def _page(results: dict, evaluation, film: str) -> str:
    columns = evaluation.columns
    head = "".join(f"<th>{html.escape(METRICS[name][0])}</th>" for name in columns)
    rows = "".join(
        f"<tr><td>{html.escape(method)}</td>"
        + "".join(f"<td>{format_value(values.get(n, float('nan')))}</td>" for n in columns)
        + "</tr>"
        for method, values in evaluation.table.items()
    )
    return f"""<!doctype html>
<meta charset="utf-8">
<title>Where people look: a demo</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
table {{ border-collapse: collapse }}
td, th {{ padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #ccc }}
td:first-child {{ text-align: left }}
video {{ max-width: 100% }}
</style>
<h1>Where people look: a demo</h1>
<p>A small RMDN, trained for {results["seconds"] / 60:.1f} minutes on made videos, predicts the gaze
of viewers on a video that it never saw. It explains <b>{results["explained"]:.1%}</b> of the
information that the true density of the gaze has over the trained central bias.</p>
<video src="{html.escape(film)}" controls autoplay loop muted playsinline></video>
<h2>{html.escape(evaluation.title)}</h2>
<table><tr><th></th>{head}</tr>{rows}</table>
<p>KL: less is better; all others: more. <a href="evaluation/index.html">Videos one by one</a></p>
"""


if __name__ == "__main__":
    run_recipe("demo")
