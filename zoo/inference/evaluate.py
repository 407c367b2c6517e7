"""Evaluate saliency models and baselines on videos with recorded gaze."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from rich.console import Console
from rich.progress import track

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import Record
from zoo.datasets.video.reading import open_record
from zoo.files.json_file import write_json
from zoo.files.printable import one_line
from zoo.inference.evaluating.actions import ActionReader
from zoo.inference.evaluating.baselines import fit_central_bias
from zoo.inference.evaluating.checks import (
    check_options,
    check_settings,
    listed_records,
    named_models,
    takes_flow,
)
from zoo.inference.evaluating.digest import digest
from zoo.inference.evaluating.evaluation import METRICS, Evaluation, safe_name
from zoo.inference.evaluating.page import Picture, write_pages
from zoo.inference.evaluating.report import time_plot
from zoo.inference.evaluating.results_folder import (
    enter_folder,
    video_actions,
    video_result,
)
from zoo.inference.evaluating.scoring import BASELINES, Scorer
from zoo.inference.streaming.joint import is_joint, saliency_part
from zoo.inference.streaming.saliency_outputs import (
    open_stream,
    takes_long_clips,
)

POINTS_A_VIDEO = 20_000  # maximum number of fixations per video kept for the baselines


def evaluate(
    model: keras.Model | str | Mapping[str, keras.Model] | None,
    records: Sequence[Record],
    *,
    train_records: Sequence[Record] = (),
    baselines: Sequence[str] = BASELINES,
    output: str | os.PathLike | None = None,
    map_side: int = 256,
    sigma: float = 0.028,
    metric_maps: bool = False,
    initial: str = "omit",
    chunk: int | None = None,
    precision: str | None = None,
    stride: int = 1,
    flow: str | Callable | None = None,
    mirror: bool = False,
    seed: int = 0,
    pictures: int = 6,
    overwrite: bool = False,
    progress: bool = True,
    strict: bool = False,
) -> Evaluation:
    """Evaluate models and baselines against the fixations recorded on videos.

    All methods are evaluated on the same frames: those that every model predicts and that have at
    least one fixation. With `output`, the result of each finished video is saved there, and
    repeating the call with the same folder resumes an interrupted evaluation. The folder contains
    `evaluation.json`, `videos/*.csv` with per-frame values, and `index.html` with pictures.

    Args:
        model: a model with the output "mixture" or "saliency", a `.keras` file, a dict of
            models by name, or None to evaluate the baselines only.
        records: videos with gaze. For joint models, `zoo.joint()`, also videos with a label, on
            which the action is measured.
        train_records: the videos the model was trained on. The trained central bias is fitted to
            their fixations; without them, this baseline is omitted.
        baselines: any of "uniform", "central_bias", "trained_central_bias", "motion", "viewers"
            (each half of the viewers predicts the other half) and "true_density" (the density
            that the gaze was sampled from, where it is known).
        output: output folder; with None, no files are written.
        map_side: maximum length of a map's longer side in pixels. Maps keep the video's aspect
            ratio.
        sigma: standard deviation of the Gaussian that blurs fixations into the ground-truth maps
            and the viewers' maps, as a fraction of the width.
        metric_maps: blur predicted densities by `sigma`, like the ground truth, before computing
            CC, SIM and KL; the result is the truth map that the density predicts. Without this,
            a correct density scores worse than one that is too wide. The viewers' maps already
            contain the blur (Kümmerer et al., ECCV 2018).
        initial: how to treat the first 15 frames of a model with 16-frame clips: "omit" them for
            all methods, or "repeat" or "pad" as in `zoo.predict`.
        chunk, precision, mirror: see `zoo.predict`.
        stride, flow: for models of long clips, see `zoo.predict`.
        seed: random seed for splitting the viewers in half and fitting the mixture.
        pictures: number of videos shown with pictures on the page.
        overwrite: discard results in `output` that were computed with other settings.
        progress: show a progress bar, and print the table at the end.
        strict: reject damaged videos; otherwise damaged packets are skipped and reported.

    Returns:
        An `Evaluation`; its `action` has the results of joint models.

    Example:

    ```python
    train, test = (zoo.datasets.moving_targets.load(root, split) for split in ("train", "test"))
    zoo.evaluate(model, test, train_records=train, output="evaluation").table
    ```
    """
    records, models = listed_records(records), named_models(model)
    joint = {name: one for name, one in models.items() if is_joint(one)}
    check_settings(records, baselines, initial, map_side, sigma, with_labels=bool(joint))
    for name, value in (("seed", seed), ("pictures", pictures)):
        if value < 0:
            raise ValueError(f"`{name}` must be 0 or more. Received: {name}={value}")
    check_options(models, stride, flow, mirror, precision)
    if strict:
        for record in records:
            open_record(record).require_whole()
    streams = {
        name: open_stream(
            saliency_part(one) if name in joint else one,
            precision=precision,
            mirror=mirror,
            stride=stride if takes_long_clips(one) else 1,
            flow=flow if takes_flow(one) else None,
        )
        for name, one in models.items()
    }
    labelled = [record for record in records if joint and record.label is not None]
    train_records = list(train_records)
    records = [record for record in records if record.gaze is not None]
    gaze = {record.name: read_fixations(record, warn=False) for record in records}
    points = {name: _points(fixations, seed) for name, fixations in gaze.items()}
    trained, left_out = _training_points(train_records, records, seed)
    bias = None
    if any(len(part) for part in trained.values()):
        bias = fit_central_bias(list(trained.values()), seed=seed)
    settings = {
        "models": list(streams),
        "baselines": list(baselines),
        "map_side": map_side,
        "sigma": sigma,
        "metric_maps": metric_maps,
        "initial": initial,
        "precision": precision or "as built",
        "stride": stride,
        "mirror": mirror,
        "seed": seed,
        "train_videos": len(trained),
        "information_gain_over": "central_bias" if bias is None else "trained_central_bias",
        "nss": "standard deviation over n",
        "similarity": "maps min-max scaled first",
        "auc_shuffled": "exact ranks against the fixations of all other videos",
    }
    scorer = Scorer(
        streams=streams,
        baselines=tuple(baselines),
        bias=bias,
        points={**trained, **points},
        map_side=map_side,
        sigma=sigma,
        metric_maps=metric_maps,
        initial=initial,
        chunk=chunk,
        seed=seed,
    )
    key = digest(settings, scorer.identity())
    folder = None if output is None else enter_folder(output, key, settings, overwrite)
    # Files and pipes have no width; do not cut the table to 80 columns there.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    results = []
    for number, record in enumerate(_tracked(records, "Evaluating videos", progress, console)):
        results.append(
            video_result(scorer, record, gaze[record.name], folder, key, number < pictures)
        )
    notes = _notes(left_out, scorer, results)
    options = {"precision": precision, "initial": initial, "chunk": chunk}
    readers = {n: ActionReader(one, streams[n], **options) for n, one in joint.items() if labelled}
    actions = {name: {} for name in readers}
    for record in _tracked(labelled, "Recognising actions", progress, console):
        for name, found in video_actions(readers, record, folder, key).items():
            actions[name][record.name] = found
    where = None if folder is None else str(folder)
    evaluation = Evaluation(results, settings, notes, where, actions)
    if folder is not None:
        write_json(folder / "evaluation.json", evaluation.to_json())
        write_pages(folder, evaluation, _pictures(folder, records[:pictures]))
    if progress:
        _show(evaluation, console)
    return evaluation


def _training_points(train_records, records, seed: int) -> tuple[dict[str, np.ndarray], int]:
    """Fixations of the training videos that are not evaluated, and the number of the others.

    Videos are told apart by their files: those of another data set may have the same names.
    """

    def part(record: Record) -> tuple:
        return os.path.abspath(record.video), record.start, record.end

    evaluated, names, trained = set(map(part, records)), {r.name for r in records}, {}
    others = [record for record in train_records if part(record) not in evaluated]
    for record in {part(record): record for record in others}.values():
        name = record.name
        while name in trained or name in names:
            name += "+"
        trained[name] = _points(read_fixations(record, warn=False), seed)
    return trained, len(train_records) - len(others)


def _points(fixations: Fixations, seed: int) -> np.ndarray:
    points = np.column_stack([fixations.x, fixations.y])
    if len(points) > POINTS_A_VIDEO:
        chosen = np.random.default_rng(seed).choice(len(points), POINTS_A_VIDEO, replace=False)
        points = points[np.sort(chosen)]
    return points


def _tracked(records, description, progress, console):
    if not (progress and records):
        return records
    return track(records, description=description, console=console)


def _notes(left_out: int, scorer: Scorer, results: list[dict]) -> list[str]:
    """Notes for the reader of the scores."""
    notes = [] if results else ["No video has gaze: only the action was measured."]
    if left_out:
        notes.append(
            f"{left_out} training videos are among the evaluated ones and were left out of the "
            "trained central bias."
        )
    if results and scorer.bias is None and "trained_central_bias" in scorer.baselines:
        notes.append("No training videos were given, so there is no trained central bias.")
    if scorer.metric_maps:
        notes.append("CC, SIM and KL were computed on densities blurred like the truth maps.")
    notes += dict.fromkeys(note for result in results for note in result["notes"])
    without = [len(result["frames_without_fixations"]) for result in results]
    if any(without):
        held = sum(map(bool, without))
        notes.append(f"{sum(without)} frames of {held} videos have no fixation and were left out.")
    return notes


def _show(evaluation: Evaluation, console: Console) -> None:
    """Print the table, the explained information, the actions' results and the notes."""
    if evaluation.videos:
        console.print(evaluation.rich_table())
    for name, share in evaluation.explained_information.items():
        print(
            f"{one_line(name)} explains {share:.1%} of the information that the true density "
            "has over the trained central bias."
        )
    for name in evaluation.action:
        print(one_line(evaluation.action_summary(name)))
    for note in evaluation.notes:
        print(f"Note: {one_line(note)}")


def _pictures(folder, records) -> dict[str, list[Picture]]:
    """Pictures for the page: for each video a strip of frames, if any, and NSS over time."""
    shown = {}
    for record in records:
        base = folder / "videos" / safe_name(record.name)
        with base.with_name(f"{base.name}.csv").open(encoding="utf-8", newline="") as file:
            names, *rows = csv.reader(file)
        columns = (np.array([float(v or "nan") for v in column]) for column in zip(*rows))
        table = dict(zip(names, columns))
        curves = {
            name.removesuffix("/nss"): values
            for name, values in table.items()
            if name.endswith("/nss") and name != "uniform/nss"
        }
        means = ", ".join(f"{k} {np.nanmean(v):.2f}" for k, v in curves.items() if len(v))
        label = METRICS["nss"][0]
        plot = Picture(
            time_plot(table["frame"], curves, label),
            f"Curves of {label} over the frames of {record.name}. Means: {means}.",
        )
        strip = base.with_name(f"{base.name}.jpg")
        drawn = [name for name in curves if name != "central_bias"]
        text = (
            f"Frames of {record.name} side by side. First row: where the viewers looked. "
            f"Below, a row of saliency maps for each of: {', '.join(drawn)}."
        )
        found = [Picture(strip.read_bytes(), text)] if strip.exists() else []
        shown[record.name] = [*found, plot]
    return shown
