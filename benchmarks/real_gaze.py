"""RMDN on the gaze of real people: unseen videos, unseen viewers, and another data set.

    python benchmarks/real_gaze.py --data-dir GAZE --output runs/real_gaze

GAZE holds the folders `physics_clips`, `triple_jump` and `ucf_sports`. Three experiments:

- `physics`: films of colliding balls, 40 viewers; 12 films for training, with horizontal and
  vertical flips, 2 for validation, 3 unseen ones for the test; three such splits.
- `viewers`: one sports video, trained on half of its viewers, tested on the other half; with three
  seeds, because 120 steps end before or after the model begins to know the film by heart, as the
  order of the windows has it. `viewers_local`: the same with local Gaussians.
- `leave_one_out`: the sports video, a diving video and one film of balls, trained on two of them,
  tested on the third.

Prints the tables with the model and all baselines, and writes them, with curves of NSS over time,
to `benchmarks/results/real_gaze.{json,md,png}`. The same command resumes a run that was stopped;
finished experiments are not repeated. `--only physics_0` runs one experiment; the tables then have
all experiments that are finished.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Annotated

from results_page import RESULTS, machine, write_results
from zoo.datasets.video.reading import open_video
from zoo.inference.evaluating.evaluation import METRICS
from zoo.recipes import rmdn

import keras
import matplotlib
import numpy as np
import tyro

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PHYSICS_CLIPS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18, 19)
PHYSICS_TESTS = ((3, 11, 17), (1, 8, 15), (5, 12, 19))
VIEWERS_SEEDS = (0, 1, 2)
GROUPS = {
    "physics": "physics, unseen clips, means of the three splits",
    "viewers": "viewers, means of the three seeds",
    "viewers_local": "viewers, with local Gaussians, means of the three seeds",
}
# The same small model everywhere: trained end to end from scratch, one prediction per frame.
SMALL = {
    "dense": True,
    "trainable_backbone": True,
    "preprocessing": "rgb_unit",
    "width": 0.25,
    "endpoint": "pool5",
    "units": 128,
    "num_components": 8,
    "dropout": 0.3,
    "window": 48,
    "batch_size": 4,
    "flips": True,
    "mirror": True,
    "optimizer": "adam",
    "rate": 1e-3,
    "schedule": "cosine",
    "clip": 1.0,
    "over_fixations": "mean",
    "patience": None,
    "deterministic": False,
}
LOCAL = {"endpoint": "conv5b", "local": True}  # transfer what is learned in one place to others
# Animated films without a ground: flipped upside down they look alike, which doubles their number.
PHYSICS = {"vertical_flips": True, **LOCAL, "epochs": 50}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the benchmark.

    Args:
        data_dir: folder with `physics_clips`, `triple_jump` and `ucf_sports`.
        output: folder of the runs.
        only: names of the experiments to run; by default all.
        epochs: number of epochs, except for the physics films; runs that leave a video out take a
            quarter.
        windows_per_video: number of windows drawn from each video in an epoch.
        precision: Keras dtype policy; float32 is faster on processors that do not have
            instructions for bfloat16.
    """

    data_dir: str
    output: str = "runs/real_gaze"
    only: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    epochs: int = 60
    windows_per_video: int = 6
    precision: str = "mixed_bfloat16"


def experiments(data: Path) -> dict[str, dict]:
    """Name -> rows of the table of videos, and further options of the recipe."""
    physics, jump = data / "physics_clips", data / "triple_jump"
    found = {}

    def clip(number, split):
        return {
            "name": f"clip_{number}",
            "video": physics / f"clip_{number}.mov",
            "gaze": physics / f"clip_{number}_gaze.csv",
            "split": split,
        }

    for index, test in enumerate(PHYSICS_TESTS):
        rows = [clip(n, "test" if n in test else "train") for n in PHYSICS_CLIPS]
        found[f"physics_{index}"] = {"rows": rows, "validation_share": 2 / 14, "options": PHYSICS}

    viewers = sorted(jump.glob("*.csv"))
    if not viewers:
        raise FileNotFoundError(f"No csv files of viewers in {jump}.")

    def jump_row(name, split, files):
        # The csv files hold the gaze in video pixels too; lost samples have `valid` 0.
        return {
            "name": name,
            "video": jump / "triple_jump.avi",
            "gaze": "|".join(str(f) for f in files),
            "split": split,
            "format": "triple_jump",
        }

    # Validation, which chooses the epoch, uses the training viewers' own video, because there is
    # no other. The recipe holds out videos, so this one gets a second name.
    for name, seed in itertools.product(("viewers", "viewers_local"), VIEWERS_SEEDS):
        half = [jump_row("training_viewers", "train", viewers[::2])]
        half += [{**jump_row("training_viewers_again", "train", viewers[::2]), "link": True}]
        half += [jump_row("unseen_viewers", "test", viewers[1::2])]
        options = {"seed": seed, **(LOCAL if name == "viewers_local" else {})}
        found[f"{name}_{seed}"] = {"rows": half, "validation_share": 0.5, "options": options}

    diving = data / "ucf_sports" / "testing" / "Diving-Side-001"
    videos = {
        "triple_jump": jump_row("triple_jump", "", viewers),
        "diving": {
            "name": "diving",
            "video": diving / "images",
            "gaze": diving / "fixation",
            "split": "",
        },
        "clip_1": clip(1, ""),
    }
    for left_out in videos:
        rows = [
            {**row, "split": "test" if name == left_out else "train"}
            for name, row in videos.items()
        ]
        found[f"leave_out_{left_out}"] = {"rows": rows, "validation_share": 0.5, "short": True}
    return found


def write_table(folder: Path, rows: list[dict]) -> Path:
    """The recipe's table of videos; gaze in other formats is rewritten with the plain columns."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        if row.pop("format", None) == "triple_jump":
            row["gaze"] = plain_gaze(folder, row)
        if row.pop("link", False):
            link = folder / f"{row['name']}{row['video'].suffix}"
            link.unlink(missing_ok=True)
            link.symlink_to(row["video"])
            row["video"] = link
    path = folder / "videos.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", "video", "gaze", "split"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def plain_gaze(folder: Path, row: dict) -> Path:
    """Write one csv file `viewer, frame, x, y` with the valid samples of all viewers."""
    video = open_video(row["video"])
    path = folder / f"{row['name']}_gaze.csv"
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["viewer", "frame", "x", "y"])
        for viewer, source in enumerate(row["gaze"].split("|")):
            with open(source, newline="") as file:
                for sample in csv.DictReader(file):
                    frame = int(float(sample["t_s"]) * video.fps)
                    x, y = float(sample["x_video720"]), float(sample["y_video576"])
                    inside = 0 <= x < video.width and 0 <= y < video.height
                    if int(float(sample["valid"])) == 1 and inside and frame < video.num_frames:
                        writer.writerow([viewer, frame, x, y])
    return path


def run(name: str, experiment: dict, config: Config) -> dict:
    """Train and test one experiment, or read its result if it is finished."""
    folder = Path(config.output) / name
    table = write_table(folder / "table", experiment["rows"])
    short = experiment.get("short", False)
    results = folder / "run" / "results.json"
    epochs = max(1, config.epochs // 4) if short else config.epochs
    settings = {**SMALL, "epochs": epochs, **experiment.get("options", {})}
    if not results.exists():
        rmdn.main(
            rmdn.Config(
                dataset="csv",
                data_dir=str(table),
                output=str(folder / "run"),
                cache=str(Path(config.output) / "cache"),
                windows_per_video=config.windows_per_video,
                validation_share=experiment["validation_share"],
                precision=config.precision,
                **settings,
            )
        )
    found = json.loads(results.read_text())
    evaluation = json.loads((folder / "run" / "evaluation" / "evaluation.json").read_text())
    found["videos"] = evaluation["videos"]
    found["curves"] = curves(folder / "run" / "evaluation" / "videos")
    return found


def curves(folder: Path) -> dict[str, dict[str, list[float]]]:
    """Video -> method -> NSS of every frame."""
    out: dict[str, dict[str, list[float]]] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        methods = {k[: -len("/nss")] for k in rows[0] if k.endswith("/nss")} if rows else set()
        out[path.stem] = {m: [float(r[f"{m}/nss"] or "nan") for r in rows] for m in sorted(methods)}
    return out


def markdown(found: dict[str, dict], about: dict) -> str:
    """The tables as a page."""
    head = ["| method | " + " | ".join(label for label, _ in METRICS.values()) + " |"]
    head += ["|---" * (len(METRICS) + 1) + "|"]
    lines = ["# RMDN on real gaze", "", "; ".join(f"{k} {v}" for k, v in about.items()), ""]
    for group, title in GROUPS.items():
        parts = {n: r for n, r in found.items() if n.rpartition("_")[0] == group}
        if len(parts) < 3:
            continue
        nss = [r["test"]["rmdn"]["nss"] for r in parts.values()]
        lines += [f"## {title}", "", f"NSS of the RMDN from {min(nss):.3f} to {max(nss):.3f}.", ""]
        lines += [*head, *means(parts), ""]
        if group == "physics":
            lines += [*clip_by_clip(parts), ""]
    for name, result in found.items():
        minutes = result["seconds"] / 60
        lines += [f"## {name}", "", f"Trained in {minutes:.1f} minutes.", ""]
        lines += [*head, *means({name: result}), ""]
    return "\n".join(lines)


def means(found: dict[str, dict]) -> list[str]:
    """The rows of a table with the means over experiments."""
    rows = []
    for method in next(iter(found.values()))["test"]:
        values = [r["test"][method] for r in found.values()]
        cells = [f"{np.mean([v.get(m, np.nan) for v in values]):.3f}" for m in METRICS]
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    return rows


def clip_by_clip(splits: dict[str, dict]) -> list[str]:
    """Each unseen clip: the model's value, and in parentheses the better of the two baselines."""
    names = ("auc_judd", "nss", "cc", "similarity")
    lines = ["Clip by clip: the model (the better of motion and trained central bias).", ""]
    lines += ["| clip | " + " | ".join(METRICS[n][0] for n in names) + " |", "|---" * 5 + "|"]
    for video in (video for result in splits.values() for video in result["videos"]):
        cells = []
        for name in names:
            mean = {method: values[name]["mean"] for method, values in video["metrics"].items()}
            best = max(mean["motion"], mean["trained_central_bias"])
            cells.append(f"{mean['rmdn']:.3f} ({best:.3f})")
        lines.append(f"| {video['name']} | " + " | ".join(cells) + " |")
    return lines


def draw(found: dict[str, dict], path: Path) -> None:
    """Plot NSS over time, one panel per test video; of several seeds, the first."""
    shown = {n: r for n, r in found.items() if n.endswith("_0") or not n.startswith("viewers")}
    panels = [(n, v, c) for n, r in shown.items() for v, c in r["curves"].items()]
    if not panels:
        return
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(9, 2.0 * len(panels)), squeeze=False, layout="constrained"
    )
    for axis, (name, video, methods) in zip(axes[:, 0], panels):
        for method, values in methods.items():
            if method in ("uniform", "central_bias"):
                continue
            smooth = np.convolve(np.nan_to_num(values), np.ones(5) / 5, "same")
            axis.plot(smooth, label=method, lw=1)
        axis.set(title=f"{name}: {video}", ylabel="NSS")
    axes[-1, 0].set_xlabel("frame")
    axes[0, 0].legend(fontsize=7, ncols=4)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(config: Config) -> None:
    """Run the chosen experiments, then write the tables of all finished ones."""
    todo = experiments(Path(config.data_dir).resolve())
    unknown = set(config.only) - set(todo)
    if unknown:
        raise SystemExit(f"`only` must be among {sorted(todo)}. Received: {sorted(unknown)}")
    found = {}
    for name, experiment in todo.items():
        finished = (Path(config.output) / name / "run" / "results.json").exists()
        if finished or not config.only or name in config.only:
            print(f"== {name}", flush=True)
            found[name] = run(name, experiment, config)
    about = {
        **machine("keras"),
        "backend": keras.config.backend(),
        "settings": json.dumps({**SMALL, "epochs": config.epochs, "precision": config.precision}),
        "physics": json.dumps(PHYSICS),
        "viewers_local": json.dumps(LOCAL),
    }
    draw(found, RESULTS / "real_gaze.png")
    short = {n: {k: v for k, v in r.items() if k != "curves"} for n, r in found.items()}
    write_results("real_gaze", {"about": about, "experiments": short}, markdown(found, about))
    print(markdown(found, about))


if __name__ == "__main__":
    main(tyro.cli(Config))
