"""One network for saliency and action, compared with one network for each, on moving_targets.

    python benchmarks/joint.py --output runs/joint_benchmark

With three seeds, and equal numbers of parameters and steps, this trains the joint network with
attention, a network for the action alone without attention, and one for the saliency alone. It
trains the same networks on videos of which half have no gaze and the other half no label. On videos
in which bars hide the target, it trains the saliency with and without feedback. Writes
benchmarks/results/joint.json and .md. The same command resumes a run that was stopped. About 40
minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import zoo
from results_page import RESULTS, machine, write_results
from zoo.datasets import (
    Action,
    Frames,
    HorizontalFlip,
    Mixture,
    Samples,
    Windows,
    stream,
    validation,
)
from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.made.picture import render
from zoo.datasets.made.scene import CLASSES as ACTIONS
from zoo.datasets.made.scene import boxes, draw_scene, visible_share
from zoo.datasets.made.viewers import draw_gaze, gaze_density
from zoo.datasets.record import GazeSource, Record
from zoo.files.atomic import write_text
from zoo.losses import MixtureNLL
from zoo.training import WarmCosine, fit, make_optimizer, prepare_run, scores
from zoo.training.devices import predict_on_batch
from zoo.training.joint_scores import action_scores, labels_of
from zoo.training.pseudo_gaze import (
    NO_GAZE,
    draw_pseudo_gaze,
    drawing_epochs,
    pseudo_gaze_after,
)

import cv2
import keras
import numpy as np

SIZE = 24
BATCH = 16
COMPONENTS = 6
RENDERED = 48
SPLITS = ("train", "validation", "test")
DATA = {"frames": 24, "fps": 12.5, "viewers": 12, "objects": 4, "occlusions": False}
SETS = {
    "plain": {**DATA, "videos": (640, 105, 210), "seed": 7},
    "occluded": {**DATA, "videos": (160, 0, 84), "seed": 8, "occlusions": True},
}
TARGETS: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # video: boxes, visible shares
CLASSES = len(ACTIONS)
HIDDEN_BELOW = 0.3  # a frame in which less than this share of the target shows is hidden


def trunk() -> keras.Model:
    """A small causal video network from 24x24 frames to 6x6 features, one map per frame."""
    video = x = keras.Input((None, SIZE, SIZE, 3), name="rgb")
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(x)
    for index, (filters, depth, side) in enumerate(((16, 3, 3), (24, 3, 3))):
        edge = (side - 1) // 2
        x = keras.layers.ZeroPadding3D(((depth - 1, 0), (edge, edge), (edge, edge)))(x)
        x = keras.layers.Conv3D(filters, (depth, side, side), (1, 2, 2), name=f"conv_{index}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.Activation("relu")(x)
    return keras.Model(video, x, name="trunk")


def joint_network(*, units=48, action_units=64, attend="feature", **options) -> keras.Model:
    return zoo.joint(
        num_classes=CLASSES,
        backbone=trunk(),
        dense=True,
        units=units,
        num_components=COMPONENTS,
        min_sigma=0.02,
        dropout=0.2,
        attend=attend,
        pooling="max",
        action_units=action_units,
        action_dropout=0.2,
        **options,
    )


def action_network(action_units: int) -> keras.Model:
    """Only the context branch of the joint network."""
    model = joint_network(action_units=action_units, attend=None)
    return keras.Model(model.inputs, {"action": model.output["action"]})


def saliency_network(units: int) -> keras.Model:
    return zoo.rmdn(
        backbone=trunk(),
        dense=True,
        units=units,
        num_components=COMPONENTS,
        min_sigma=0.02,
        dropout=0.2,
    )


def as_large(build, wanted: int) -> keras.Model:
    """`build(n)` with the n for which the number of parameters is closest to `wanted`."""
    low, high = 1, 2
    while build(high).count_params() < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if build(middle).count_params() < wanted else (low, middle)
    models = [build(low), build(high)]
    return min(models, key=lambda model: abs(model.count_params() - wanted))


def network(kind: str, options: dict) -> keras.Model:
    if kind == "joint":
        return joint_network(**options)
    wanted = joint_network().count_params()
    return as_large(action_network if kind == "action" else saliency_network, wanted)


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: which network, on which videos, with which weights of the losses."""

    name: str
    kind: str = "joint"  # joint, action, saliency
    data: str = "plain"
    half: bool = False
    weights: tuple[float, float] = (1.0, 1.0)  # of mixture and action
    options: tuple = ()
    teacher: bool = False
    pseudo_gaze: float = 0.0


# Chosen on validation videos: loss weights, which losses train the saliency, the pseudo gaze.
JOINT = {"weights": (1.0, 0.1), "options": (("attention_gradient", False),)}
RUNS = (
    Run("joint", **JOINT),
    Run("action alone", "action"),
    Run("saliency alone", "saliency"),
    Run("joint, halves", half=True, pseudo_gaze=0.5, **JOINT),
    Run("joint, halves, no pseudo gaze", half=True, **JOINT),
    Run("action alone, its half", "action", half=True),
    Run("saliency alone, its half", "saliency", half=True),
    Run("without feedback", data="occluded", options=(("attend", None),), weights=(1.0, 0.0)),
    Run(
        "with feedback",
        data="occluded",
        options=(("attend", None), ("feedback", True)),
        weights=(1.0, 0.0),
        teacher=True,
    ),
)


def videos(data: str, folder: Path) -> dict[str, list[Record]]:
    """Records of each split, generated from the seed: the data set's frames without encoding."""
    settings = SETS[data]
    frames, count = settings["frames"], sum(settings["videos"])
    splits = np.repeat(list(SPLITS), settings["videos"])
    found: dict[str, list[Record]] = {name: [] for name in SPLITS}
    for number in range(count):
        rng = np.random.default_rng([settings["seed"], number])
        scene = draw_scene(
            rng,
            frames=frames,
            fps=settings["fps"],
            label=number % CLASSES,
            objects=settings["objects"],
            occlusions=settings["occlusions"],
        )
        name = f"{data}_{number}"
        corners = boxes(scene, RENDERED, RENDERED)[0]
        TARGETS[name] = corners, visible_share(scene, corners, RENDERED)
        pictures, table = folder / name, folder / f"{name}.csv"
        if not table.is_file():
            pictures.mkdir(parents=True, exist_ok=True)
            rendered = render(scene, frames=frames, height=RENDERED, width=RENDERED)
            for frame, picture in enumerate(rendered):
                small = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
                cv2.imwrite(str(pictures / f"{frame:03d}.png"), small[..., ::-1])
            gaze = draw_gaze(rng, gaze_density(scene), viewers=settings["viewers"])
            rows = zip(gaze["viewer"], gaze["frame"], gaze["x"] * SIZE, gaze["y"] * SIZE)
            lines = [f"{viewer},{frame},{x:.6f},{y:.6f}" for viewer, frame, x, y in rows]
            write_text(table, "\n".join(["viewer,frame,x,y", *lines]) + "\n")
        gaze = GazeSource((str(table),), csv=CsvFormat(viewer="viewer", frame="frame"))
        record = Record(name, str(pictures), label=number % CLASSES, gaze=gaze)
        found[splits[number]].append(record)
    return found


def halved(records: list[Record], kind: str) -> list[Record]:
    """Remove the gaze of every other video and the labels of the rest; one task keeps its half."""
    found = [
        dataclasses.replace(record, gaze=None) if n % 2 else dataclasses.replace(record, label=None)
        for n, record in enumerate(records)
    ]
    if kind == "action":
        return found[1::2]
    return found[::2] if kind == "saliency" else found


def samples_of(run: Run, records: list[Record], *, teacher=None, **options) -> Samples:
    """Whole videos with the targets of a run."""
    targets = [] if run.kind == "action" else [Mixture(DATA["viewers"], teacher=teacher)]
    targets += [] if run.kind == "saliency" else [Action(CLASSES)]
    return Samples(
        records, Windows(DATA["frames"]), inputs=[Frames((SIZE, SIZE))], targets=targets, **options
    )


def train(run: Run, seed: int, folder: Path, data: dict, epochs: int, rate: float) -> dict:
    """Train and test one network, or read the result of an earlier run."""
    output = folder / "runs" / f"{run.name.replace(', ', ' ').replace(' ', '_')}_{seed}"
    done = output / "result.json"
    if done.is_file():
        return json.loads(done.read_text())
    prepare_run(seed, deterministic=True)
    keras.backend.clear_session()
    options = dict(run.options)
    if run.teacher:
        options["teacher_forcing"] = True
    model = network(run.kind, options)
    losses = {"mixture": MixtureNLL("mean"), "action": "sparse_categorical_crossentropy"}
    names = [name for name in losses if name in model.output]
    weights = dict(zip(losses, run.weights))
    learn = halved(data["train"], run.kind) if run.half else data["train"]
    # Half of the videos train a task: with as many steps as on all videos, and as many samples of
    # each task per step.
    batch = 2 * BATCH if run.half and run.kind == "joint" else BATCH
    per_video = 2 if run.half else 1
    steps = len(learn) * per_video // batch
    model.compile(
        make_optimizer("adam", WarmCosine(rate, steps * epochs), clip=5.0),
        loss={name: losses[name] for name in names},
        loss_weights={name: weights[name] for name in names},
    )

    def teacher(step: int) -> float:
        return max(0.0, 0.8 * (1 - 1.5 * (step // steps) / epochs))

    def samples_with(drawn: dict) -> Samples:
        return samples_of(
            run,
            learn,
            teacher=teacher if run.teacher else None,
            per_video=per_video,
            transforms=[HorizontalFlip()],
            points=drawn,
            points_weight=run.pseudo_gaze or 1.0,
            seed=seed,
        )

    without = [record for record in learn if record.gaze is None]
    unwatched = {record.name: NO_GAZE for record in without}

    def draw() -> dict:
        return draw_pseudo_gaze(
            model, samples_of(run, without, points=unwatched), batch, seed=seed, mirror=True
        )

    began = time.process_time()
    ends = drawing_epochs(epochs) if run.pseudo_gaze else []
    drawn: dict = {}
    for end, following in zip([*ends, epochs], [*ends[1:], epochs, None]):
        samples = samples_with(drawn)
        progression = fit(
            model,
            lambda step, samples=samples: stream(samples, batch, start_step=step),
            output=output,
            epochs=end,
            steps=steps,
            show_progress=False,
            save_seconds=120,
        )
        if following is not None and progression.epoch < following:
            drawn = pseudo_gaze_after(end, progression, output, draw)
    result = {
        "run": run.name,
        "seed": seed,
        "parameters": int(model.count_params()),
        "steps": steps * epochs,
        "cpu_seconds": round(time.process_time() - began, 1),
        "loss": progression.history[-1]["loss"],
    }
    bias = scores.central_bias(samples_of(Run("", "saliency"), data["train"]), 36, 64)
    for split in ("validation", "test"):
        if data[split]:
            result[split] = measure(model, run, data[split], bias)
    done.write_text(json.dumps(result, indent=1))
    return result


def measure(model, run: Run, records, bias) -> dict[str, float]:
    samples = samples_of(run, records, teacher=(lambda step: 0.0) if run.teacher else None)
    labels = labels_of(samples, Action(CLASSES))
    if run.kind == "action":
        found = [predict_on_batch(model, x)["action"] for x, *_ in validation(samples, BATCH)]
        return action_scores(np.concatenate(found)[: len(records)], labels)
    every = 2 if run.data == "plain" else 1
    predictions = scores.predict_samples(model, samples, BATCH, every)
    found = scores.score(predictions, scores.TruthMap(), baseline=bias)
    if run.kind == "joint":
        found.update(action_scores(predictions.actions, labels))
    if run.data == "occluded":
        found.update(while_hidden(predictions, records))
    return found


def while_hidden(predictions, records) -> dict[str, float]:
    """Saliency while the target is hidden: gaze metrics, and its share on the target."""
    hidden = np.concatenate([TARGETS[record.name][1] < HIDDEN_BELOW for record in records])
    corners = np.concatenate([TARGETS[record.name][0] for record in records])
    side = float(RENDERED)
    maps = keras.ops.convert_to_numpy(zoo.layers.mixture_map(predictions.mixtures, 48, 48))
    grid = (np.arange(48) + 0.5) / 48 * side
    margin = 2.0  # gaze is not exact
    across = (grid >= corners[:, :1] - margin) & (
        grid < corners[:, :1] + corners[:, 2:3] + margin
    )  # (frames, 48)
    down = (grid >= corners[:, 1:2] - margin) & (grid < corners[:, 1:2] + corners[:, 3:] + margin)
    share = np.einsum("fhw,fh,fw->f", maps, down.astype("f4"), across.astype("f4"))
    points = predictions.points
    valid = np.isfinite(points).all(-1)
    log_prob = keras.ops.convert_to_numpy(
        zoo.layers.mixture_log_prob(
            predictions.mixtures, np.where(valid[..., None], points, 0.5).astype(np.float32)
        )
    )
    return {
        "hidden_frames": int(hidden.sum()),
        "on_target_hidden": float(share[hidden].mean()),
        "on_target_seen": float(share[~hidden].mean()),
        "gaze_bits_hidden": float(log_prob[hidden][valid[hidden]].mean() / np.log(2)),
        "gaze_bits_seen": float(log_prob[~hidden][valid[~hidden]].mean() / np.log(2)),
    }


def cost(kind: str, steps: int = 12) -> dict[str, float]:
    """CPU seconds of a training step and a prediction, and peak memory of the process."""
    prepare_run(0)
    model = network(kind, {})
    losses = {"mixture": MixtureNLL("mean"), "action": "sparse_categorical_crossentropy"}
    losses = {name: loss for name, loss in losses.items() if name in model.output}
    model.compile(make_optimizer("adam", 1e-3), loss=losses)
    rng = np.random.default_rng(0)
    frames = DATA["frames"]
    video = rng.integers(0, 256, (BATCH, frames, SIZE, SIZE, 3)).astype("uint8")
    truth = {
        "mixture": rng.uniform(size=(BATCH, frames, 12, 2)).astype("float32"),
        "action": rng.integers(0, CLASSES, BATCH),
    }
    truth = {name: truth[name] for name in losses}
    times = {}
    for name, call in (
        ("training_step_seconds", lambda: model.train_on_batch(video, truth)),
        ("prediction_seconds", lambda: model.predict_on_batch(video)),
    ):
        call()
        found = []
        for _ in range(steps):
            began = time.process_time()
            call()
            found.append(time.process_time() - began)
        times[name] = float(np.median(found))
    return {**times, "peak_memory_mib": peak_mib(), "parameters": int(model.count_params())}


def peak_mib() -> int:
    """Peak memory of this program; on Linux without that of its parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        held = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return round(int(held.group(1)) / 1024)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def costs() -> dict[str, dict]:
    """`cost` of each network, each in its own process."""
    found = {}
    for kind in ("joint", "action", "saliency"):
        done = subprocess.run(
            [sys.executable, __file__, "--cost", kind], capture_output=True, text=True, check=True
        )
        found[kind] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def table(results: list[dict], measured: dict | None) -> str:
    """The results as Markdown: means and spread over the seeds."""

    def cell(name, key, digits, factor=1.0):
        values = [factor * r["test"][key] for r in results if r["run"] == name and key in r["test"]]
        if not values:
            return "-"
        return (
            f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
        )

    lines = ["| run | parameters | steps | accuracy, % | information gain, bits | NSS |"]
    lines.append("|---|---|---|---|---|---|")
    for run in RUNS:
        own = [r for r in results if r["run"] == run.name]
        if not own or run.data != "plain":
            continue
        lines.append(
            f"| {run.name} | {own[0]['parameters']:,} | {own[0]['steps']} "
            f"| {cell(run.name, 'accuracy', 1, 100)} "
            f"| {cell(run.name, 'information_gain', 3)} | {cell(run.name, 'nss', 2)} |"
        )
    lines += ["", "| run | share on the hidden target | on the seen | gaze, bits, hidden | seen |"]
    lines.append("|---|---|---|---|---|")
    keys = ("on_target_hidden", "on_target_seen", "gaze_bits_hidden", "gaze_bits_seen")
    for run in RUNS:
        if run.data == "occluded" and any(r["run"] == run.name for r in results):
            lines.append(f"| {run.name} | " + " | ".join(cell(run.name, k, 3) for k in keys) + " |")
    if measured:
        lines += ["", "| network | training step, s | prediction, s | peak memory, MiB |"]
        lines.append("|---|---|---|---|")
        for kind, row in measured.items():
            lines.append(
                f"| {kind} | {row['training_step_seconds']:.3f} | {row['prediction_seconds']:.3f} "
                f"| {row['peak_memory_mib']} |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("runs/joint_benchmark"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--runs", nargs="*", help="only these")
    parser.add_argument("--cost", choices=["joint", "action", "saliency"])
    parser.add_argument("--no-cost", action="store_true", help="leave the timings out")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.cost:
        print(json.dumps(cost(options.cost)))
        return
    results, loaded = [], {}
    for seed in options.seeds:
        for run in RUNS:
            if options.runs and run.name not in options.runs:
                continue
            if run.data not in loaded:
                loaded[run.data] = videos(run.data, options.output / "data")
            result = train(
                run, seed, options.output, loaded[run.data], options.epochs, options.rate
            )
            results.append(result)
            test = {k: round(v, 4) for k, v in result["test"].items()}
            print(
                time.strftime("%H:%M:%S"), run.name, seed, result["cpu_seconds"], test, flush=True
            )
            gc.collect()
    measured = None if options.no_cost else costs()
    text = table(results, measured)
    print(text)
    facts = {
        "command": "python benchmarks/joint.py",
        "zoo": zoo.__version__,
        "backend": keras.config.backend(),
        **machine("keras"),
        "threads": 1,
        "data": {name: {k: str(v) for k, v in SETS[name].items()} for name in SETS},
        "epochs": options.epochs,
        "rate": options.rate,
    }
    held = {"facts": facts, "results": results, "costs": measured}
    page = "# One network or two, on moving_targets\n\nMean over the seeds (least to largest).\n\n"
    page += f"{text}\n\nKeras {facts['keras']}, {facts['processor']}, 1 thread.\n"
    write_results("joint", held, page, options.results)


if __name__ == "__main__":
    main()
