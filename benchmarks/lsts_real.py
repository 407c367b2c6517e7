"""LSTS with frames and flow on the gaze of real people: a sports video and a diving video.

    python benchmarks/lsts_real.py --data-dir GAZE --output runs/lsts_real

GAZE holds the folders `triple_jump` (143 frames, 6 viewers) and `ucf_sports` (one video of the
redistributed UCF-Sports, 54 frames). Two experiments are trained and evaluated end to end by
`zoo.recipes.lsts`, at a small width with a random, frozen I3D:

- `jump`: trained on half of the viewers of the jump, tested on its other viewers and on the dive.
- `dive`: trained on the dive, tested on the jump.

So few frames cannot show how good the method is; they show that real files can be processed from
start to end. Prints the tables with the baselines and writes
`benchmarks/results/lsts_real.{json,md}`. Finished experiments are not repeated.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from real_gaze import write_table
from results_page import machine, write_results
from zoo.inference.evaluating.evaluation import METRICS
from zoo.recipes import lsts

import keras
import tyro

SETTINGS = {
    **lsts.SMALL,
    "streams": "both",
    "batch_size": 16,
    "stride": 2,
    "evaluate_stride": 2,
    "epochs": 40,
    "halve_every": 80,
    "initial": "copy",
    "validation_share": 0.5,
    "tensorboard": False,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the benchmark.

    Args:
        data_dir: folder with `triple_jump` and `ucf_sports`.
        output: folder of the runs.
    """

    data_dir: str
    output: str = "runs/lsts_real"


def experiments(data: Path) -> dict[str, list[dict]]:
    """Name -> rows of the table of videos. The best epoch is chosen on the training video."""
    viewers = sorted((data / "triple_jump").glob("*.csv"))
    if not viewers:
        raise FileNotFoundError(f"No csv files of viewers in {data / 'triple_jump'}.")
    dive_folder = data / "ucf_sports" / "testing" / "Diving-Side-001"

    def jump(name, split, files):
        return {
            "name": name,
            "video": data / "triple_jump" / "triple_jump.avi",
            "gaze": "|".join(str(file) for file in files),
            "split": split,
            "format": "triple_jump",
        }

    def dive(name, split):
        folders = {"video": dive_folder / "images", "gaze": dive_folder / "fixation"}
        return {"name": name, **folders, "split": split}

    return {
        "jump": [
            jump("training_viewers", "train", viewers[::2]),
            jump("training_viewers_again", "train", viewers[::2]),
            jump("unseen_viewers", "test", viewers[1::2]),
            dive("dive", "test"),
        ],
        "dive": [
            dive("dive", "train"),
            dive("dive_again", "train"),
            jump("jump", "test", viewers),
        ],
    }


def run(name: str, rows: list[dict], output: Path) -> dict:
    """Train and test one experiment, or read its result if it is finished."""
    folder = output / name
    table = write_table(folder / "table", rows)
    if not (folder / "run" / "results.json").exists():
        lsts.main(
            lsts.Config(
                dataset="csv",
                data_dir=str(table),
                output=str(folder / "run"),
                cache=str(output / "cache"),
                **SETTINGS,
            )
        )
    found = json.loads((folder / "run" / "results.json").read_text())
    evaluation = json.loads((folder / "run" / "evaluation" / "evaluation.json").read_text())
    found["videos"] = {
        video["name"]: {
            method: {metric: value["mean"] for metric, value in metrics.items()}
            for method, metrics in video["metrics"].items()
        }
        for video in evaluation["videos"]
    }
    found["frames_evaluated"] = evaluation["frames_evaluated"]
    return found


def markdown(found: dict[str, dict], about: dict) -> str:
    """A page with one table per test video."""
    lines = ["# LSTS, RGB and flow, on real gaze", ""]
    lines += ["; ".join(f"{k} {v}" for k, v in about.items() if k != "settings"), ""]
    lines += [
        "Written by `benchmarks/lsts_real.py`. These are too few frames to judge the method.",
        "",
    ]
    for name, result in found.items():
        for video, methods in result["videos"].items():
            lines += [f"## {name}: {video}", ""]
            epochs = f"best epoch {result['best_epoch']} of {SETTINGS['epochs']}"
            lines += [f"The {epochs} by the loss on the training video.", ""]
            lines += ["| method | " + " | ".join(label for label, _ in METRICS.values()) + " |"]
            lines += ["|---" * (len(METRICS) + 1) + "|"]
            for method, values in methods.items():
                cells = [f"{values[m]:.3f}" if m in values else "-" for m in METRICS]
                lines += [f"| {method} | " + " | ".join(cells) + " |"]
            lines += [""]
    return "\n".join(lines)


def main(config: Config) -> str:
    """Run both experiments; write and print the tables."""
    todo = experiments(Path(config.data_dir).resolve())
    found = {name: run(name, rows, Path(config.output)) for name, rows in todo.items()}
    about = {**machine("keras"), "backend": keras.config.backend(), "settings": SETTINGS}
    report = markdown(found, about)
    write_results("lsts_real", {"about": about, "experiments": found}, report)
    print(report)
    return report


if __name__ == "__main__":
    main(tyro.cli(Config))
