"""The attention models, their ablations and baselines on moving_targets, over several seeds.

    python benchmarks/attention_tables.py --folder runs/attention_tables

The rows are those of Table 1 of Sharma et al. (2016) and of Meng et al. (2019). As in the papers,
the backbone is frozen: `zoo.recipes.small_video` trains it on actions that are cut out of other
videos, and its feature maps are computed once. Each seed has a backbone of its own, because the
accuracies vary more with the backbone than with the initial weights of the rows. All rows of a seed
are trained on the same maps, in the same order and for the same number of steps; they differ only
in the option that the row names. The model of the last epoch is tested. The action lasts a fifth to
a quarter of a video, so predicting the whole video as its segment does not reach an IoU of 0.3.
Operations are deterministic, so a run is repeatable on the same machine.

Every finished run is a file in FOLDER/runs, so a command that was killed resumes there. After each
run the table is printed and written to `attention_tables.md` and `.json` in the folder of results.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from results_page import RESULTS, as_text, machine, write_results

import numpy as np

SOFT = {
    "softmax regression": {"model": "frame_baseline", "features": "cube"},
    "average-pooled LSTM": {"attention": "average"},
    "max-pooled LSTM": {"attention": "max"},
    "location attention, lambda 0": {"attention": "location"},
    "location attention, lambda 1": {"attention": "location", "penalty": 1.0},
    "location attention, lambda 10": {"attention": "location", "penalty": 10.0},
    "additive attention, lambda 0": {"attention": "additive"},
    "additive attention, lambda 1": {"attention": "additive", "penalty": 1.0},
    "additive attention, lambda 10": {"attention": "additive", "penalty": 10.0},
}
SPATIOTEMPORAL = {
    "mean of the frames' scores": {"model": "frame_baseline", "features": "mean", "average": True},
    "without attention": {"spatial_attention": False, "temporal_attention": False},
    "full": {},
    "without spatial attention": {"spatial_attention": False},
    "without temporal attention": {"temporal_attention": False},
    "without total variation": {"tv": 0.0},
    "without contrast": {"contrast": 0.0},
    "without unimodality": {"unimodality": 0.0},
    "score as printed": {"score": "sum"},
}
TABLES = {"soft_attention": SOFT, "spatiotemporal_attention": SPATIOTEMPORAL}
BASELINES = {
    "soft_attention": "average-pooled LSTM",
    "spatiotemporal_attention": "without attention",
}
RATES = {"soft_attention": 5e-3, "spatiotemporal_attention": 2e-3}
BATCH = 32
# Limits of the gradient's norm; the loss is a sum over 48 steps.
CLIPS = {"soft_attention": 5.0 / BATCH, "spatiotemporal_attention": 5.0}
HEADS = {
    "soft_attention": {
        "num_layers": 1,
        "units": 64,
        "dropout": 0.2,
        "weight_decay": 1e-5 / BATCH,
    },
    "spatiotemporal_attention": {
        "filters": 8,
        "mask_filters": (8,),
        "initial_mask": 0.18,
        "score_units": 16,
        "steps": 6,
        "average": False,
        # Weights chosen on validation videos.
        "tv": 1e-5 * BATCH,
        "contrast": 4e-5 * BATCH,
        "unimodality": 0.012 * BATCH,
    },
    "frame_baseline": {},
}
COLUMNS = (
    "accuracy",
    "log_concavity",
    "weight_in_segments",
    "temporal_map",
    "whole_video_map",
    "spatial_map",
    "spatial_map_scaled",
    "centre_box_map",
)


FRAMES, FRAMES_A_MAP, BACKBONE_EPOCHS = 48, 3, 15


def prepare(seed: int, arguments):
    """Train a seed's backbone; returns the videos' records, their feature maps, its accuracy."""
    from zoo.datasets import moving_targets
    from zoo.datasets.shards.features import FeatureStore
    from zoo.models.loading import load
    from zoo.recipes import small_video
    from zoo.training.backbone_features import BackboneFeatures

    folder = Path(arguments.folder)
    scene = {
        "num_videos": arguments.videos,
        "frames": FRAMES,
        "fps": 12.5,
        "size": (56, 56),
        "viewers": 1,
        "action_share": (0.2, 0.28),
    }
    moving_targets.make(folder / "pre", seed=1000, **scene)
    moving_targets.make(folder / "data", seed=0, **scene)
    results = small_video.main(
        small_video.Config(
            data_dir=str(folder / "pre"),
            output=str(folder / f"backbone_{seed}"),
            epochs=BACKBONE_EPOCHS,
            seed=seed,
        )
    )
    backbone = load(folder / f"backbone_{seed}" / "backbone.keras")
    features = BackboneFeatures(backbone, whole=True, hop=FRAMES_A_MAP)
    store = FeatureStore(folder / "cache", features, in_memory=True)
    parts = {}
    for split in ("train", "validation", "test"):
        records = moving_targets.load(folder / "data", split=split)
        store.compute(records)
        parts[split] = records
    return parts, store, results["validation"]["val_accuracy"]


def build(table: str, row: str, shape: tuple[int, ...]):
    from zoo import models
    from zoo.datasets import moving_targets

    options = dict(TABLES[table][row])
    kind = options.pop("model", table)
    options = {**HEADS[kind], **options}
    if not options.get("temporal_attention", True):
        options["steps"] = None
    return getattr(models, kind)(
        num_classes=len(moving_targets.CLASSES),
        num_frames=shape[0],
        backbone=None,
        feature_shape=shape[1:],
        **options,
    )


def train(table: str, row: str, seed: int, parts: dict, store, arguments) -> dict:
    """One row's scores for one seed."""
    from zoo.datasets import Action, Features, Samples, Segments, moving_targets, stream
    from zoo.losses import StepCrossEntropy
    from zoo.training import WarmCosine, make_optimizer
    from zoo.training.actions.scores import measure
    from zoo.training.run import prepare_run

    began = time.process_time()
    prepare_run(seed)
    maps = FRAMES // FRAMES_A_MAP
    samples = {
        split: Samples(
            records,
            Segments(maps),
            inputs=[Features(store)],
            targets=[Action(len(moving_targets.CLASSES))],
            seed=seed,
        )
        for split, records in parts.items()
    }
    model = build(table, row, (maps, *store.about["shape"]))
    per_step = len(model.output["action"].shape) == 3
    loss = StepCrossEntropy() if per_step else "sparse_categorical_crossentropy"
    steps = len(samples["train"]) // BATCH
    rate = WarmCosine(RATES[table], steps * arguments.epochs)
    model.compile(make_optimizer("adam", rate, clip=CLIPS[table]), loss={"action": loss})
    history = model.fit(
        stream(samples["train"], BATCH),
        steps_per_epoch=steps,
        epochs=arguments.epochs,
        shuffle=False,
        verbose=0,
    )
    scores = measure(model, samples["test"], BATCH, localise=True)
    scores["validation_accuracy"] = measure(model, samples["validation"], BATCH)["accuracy"]
    scores["parameters"] = int(model.count_params())
    scores["last_loss"] = float(history.history["loss"][-1])
    scores["cpu_seconds"] = round(time.process_time() - began, 1)
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", default="runs/attention_tables")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="words; rows that hold one of them")
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    setting = {
        "videos": arguments.videos,
        "epochs": arguments.epochs,
        "backbone_epochs": BACKBONE_EPOCHS,
    }
    folder = Path(arguments.folder) / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    table: dict[tuple[str, str], list[dict]] = {}
    crops = []
    for seed in range(arguments.seeds):
        parts, store, accuracy = prepare(seed, arguments)
        crops.append(accuracy)
        for name, rows in TABLES.items():
            for row in rows:
                head = HEADS[TABLES[name][row].get("model", name)]
                own = {**setting, "rate": RATES[name], "head": json.loads(json.dumps(head))}
                if arguments.only and not any(word in f"{name} {row}" for word in arguments.only):
                    continue
                stem = f"{name} {row} {seed}".replace(",", "").replace("'", "")
                path = folder / f"{stem.replace(' ', '_')}.json"
                done = json.loads(path.read_text()) if path.is_file() else {}
                if done.get("setting") != own:
                    scores = train(name, row, seed, parts, store, arguments)
                    done = {"setting": own, "scores": scores}
                    path.write_text(json.dumps(done, indent=1))
                table.setdefault((name, row), []).append(done["scores"])
                report(table, crops, setting, len(parts["test"]), arguments.results)


def report(table, crops: list[float], setting: dict, tested: int, folder: Path) -> None:
    import keras

    known = ", ".join(f"{accuracy:.0%}" for accuracy in crops)
    text = f"""# Attention models on moving_targets

`python benchmarks/attention_tables.py`: {setting["videos"]} videos of 48 frames (70% for training,
{tested} for testing), {setting["epochs"]} epochs, mean and standard deviation over the seeds. Each
seed has its own frozen backbone; they recognise {known} of the cut-out
actions of unseen videos. "above" is the difference in accuracy to the row named baseline, in
percentage points; log-concavity is that of the mean temporal weights (0 is unimodal); weight in
segments is a multiple of chance. Mean average precision: segments at an IoU of 0.3, boxes per frame
at 0.2 (with the printed threshold, and with each mask divided by its maximum), beside the values of
the whole video and of a box in the centre.

"""
    text += render(table)
    about = {"backend": keras.config.backend(), **machine("keras", "numpy")}
    text += f"\n{as_text(about)}\n"
    content = {
        "about": about,
        "setting": {**setting, "rates": RATES, "heads": HEADS},
        "backbone_accuracy_on_cut_out_actions": crops,
        "rows": [{"model": n, "row": r, "seeds": runs} for (n, r), runs in table.items()],
    }
    write_results("attention_tables", content, text, folder)
    print(text, flush=True)


def render(table: dict) -> str:
    head = ["model", "row", "parameters", "seeds", "above", *COLUMNS]
    lines = ["| " + " | ".join(head).replace("_", " ") + " |", "|" + "---|" * len(head)]
    for (name, row), runs in table.items():
        baseline = table.get((name, BASELINES[name]))
        above = ""
        if row == BASELINES[name]:
            above = "baseline"
        elif baseline is not None:
            pairs = [a["accuracy"] - b["accuracy"] for a, b in zip(runs, baseline)]
            above = f"{100 * np.mean(pairs):+.1f} ± {100 * np.std(pairs):.1f}"
        cells = [name, row, str(runs[0]["parameters"]), str(len(runs)), above]
        for column in COLUMNS:
            values = [run[column] for run in runs if column in run]
            cells.append(f"{np.mean(values):.3f} ± {np.std(values):.3f}" if values else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
