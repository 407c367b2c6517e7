"""Models and baselines on videos with gaze, side by side."""

from __future__ import annotations

import contextlib
import csv
import io
import json
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
from zoo.files.printable import one_line
from zoo.inference.evaluating.baselines import fit_central_bias
from zoo.inference.evaluating.evaluation import METRICS, Evaluation, safe_name
from zoo.inference.evaluating.page import Picture, write_pages
from zoo.inference.evaluating.report import time_plot
from zoo.inference.evaluating.scoring import BASELINES, Scorer, digest
from zoo.inference.streaming.joint import is_joint
from zoo.inference.streaming.pipeline import INITIAL
from zoo.inference.streaming.saliency_outputs import open_stream, output_names, saliency_output
from zoo.inference.writing.output import OutputError, claim_folder, write_json, write_text
from zoo.models.loading import load

POINTS_A_VIDEO = 20_000  # at most so many fixations of a video are kept for the baselines


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
    """Measures models and baselines on the fixations of videos.

    All methods are measured on the same frames: those that every model predicts and that have a
    fixation. With `output`, each finished video is one file there; the same call on the same
    folder goes on where it was stopped. The folder gets `evaluation.json`, `videos/*.csv` with
    the values of every frame, and `index.html` with pictures.

    Args:
        model: a model with the output "mixture" or "saliency", a `.keras` file, several models
            by name, or None for the baselines alone.
        records: videos with gaze.
        train_records: the videos the model was trained on: the trained central bias is fitted to
            their fixations. Without them there is none.
        baselines: among "uniform", "central_bias", "trained_central_bias", "motion", "viewers"
            (each half of them predicts the other) and "true_density" (where it is known).
        output: folder for the files; None writes none.
        map_side: maps have the video's shape, and the longer side at most so many pixels.
        sigma: Gaussian of the truth maps and of the viewers' maps, as a share of the width.
        metric_maps: measure CC, SIM and KL on densities blurred by `sigma`, as the truth is: what
            a density says the truth map will be. Else a density that is right loses to one that
            is too wide. The viewers' maps hold that blur already (Kümmerer et al., ECCV 2018).
        initial: the first 15 frames of a model of clips of 16: "omit" them for all methods, or
            "repeat" or "pad" as in `zoo.predict`.
        chunk, precision, stride, flow, mirror: see `zoo.predict`.
        seed: of the halves of the viewers and of the fitted mixture.
        pictures: so many videos get pictures on the page.
        overwrite: forget the results of other settings in `output`.
        progress: show a bar, and print the table at the end.
        strict: refuse damaged videos; otherwise a damaged packet costs that packet, and is told.

    Returns:
        An `Evaluation`; of `zoo.joint()` a `JointEvaluation`, which also measures the action.

    Example:

    ```python
    train, test = (zoo.datasets.moving_targets.load(root, split) for split in ("train", "test"))
    zoo.evaluate(model, test, train_records=train, output="evaluation").table
    ```
    """
    if isinstance(model, (str, os.PathLike)):
        model = load(model)
    if is_joint(model):
        from zoo.inference.actions.predict_joint import evaluate_joint

        options = {"train_records": train_records, "baselines": baselines, "output": output}
        options |= {"map_side": map_side, "sigma": sigma, "metric_maps": metric_maps}
        options |= {"initial": initial, "chunk": chunk}
        options |= {"precision": precision, "seed": seed, "pictures": pictures}
        options |= {"overwrite": overwrite, "progress": progress, "strict": strict}
        return evaluate_joint(model, records, evaluate=evaluate, **options)
    records, train_records = list(records), list(train_records)
    if strict:
        for record in records:
            open_record(record).require_whole()
    _check(records, baselines, initial, map_side, sigma)
    models = _models(model)
    for name, one in models.items():
        saliency_output(output_names(one))
        if name in BASELINES:
            raise ValueError(f"A model must not have the name of a baseline. Received: {name!r}")
    streams = {
        name: open_stream(one, precision=precision, mirror=mirror, **_of_clips(one, stride, flow))
        for name, one in models.items()
    }
    gaze = {record.name: read_fixations(record, warn=False) for record in records}
    points = {name: _points(fixations, seed) for name, fixations in gaze.items()}
    trained = {
        record.name: _points(read_fixations(record, warn=False), seed)
        for record in train_records
        if record.name not in points
    }
    notes = []
    if train_records and len(trained) < len(train_records):
        count = len(train_records) - len(trained)
        notes.append(
            f"{count} training videos are among the evaluated ones and were left out of the "
            "trained central bias."
        )
    bias = None
    if trained and any(len(part) for part in trained.values()):
        bias = fit_central_bias(list(trained.values()), seed=seed)
    elif "trained_central_bias" in baselines:
        notes.append("No training videos were given: there is no trained central bias.")
    if metric_maps:
        notes.append("CC, SIM and KL are those of the densities blurred as the truth maps are.")
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
    folder = None
    if output is not None:
        folder = _enter(output, key, settings, overwrite)
    # A file or a pipe has no width: the table is not to be cut to 80 columns there.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    results = []
    for number, record in enumerate(_tracked(records, progress, console)):
        results.append(_one(scorer, record, gaze[record.name], folder, key, number < pictures))
    notes += list(dict.fromkeys(note for result in results for note in result["notes"]))
    empty = sum(len(result["frames_without_fixations"]) for result in results)
    if empty:
        held = sum(bool(result["frames_without_fixations"]) for result in results)
        notes.append(f"{empty} frames of {held} videos have no fixation and were left out.")
    evaluation = Evaluation(results, settings, notes, None if folder is None else str(folder))
    if folder is not None:
        write_json(folder / "evaluation.json", evaluation.to_json())
        write_pages(folder, evaluation, _pictures(folder, records[:pictures]))
    if progress:
        console.print(evaluation.rich_table())
        for name, share in evaluation.explained_information.items():
            print(
                f"{one_line(name)} explains {share:.1%} of the information that the true density "
                "has over the trained central bias."
            )
        for note in notes:
            print(f"Note: {one_line(note)}")
    return evaluation


def _check(records, baselines, initial, map_side, sigma):
    unknown = sorted(set(baselines) - set(BASELINES))
    if unknown:
        raise ValueError(f"`baselines` must be among {BASELINES}. Received: {unknown}")
    if initial not in INITIAL:
        raise ValueError(f"`initial` must be one of {INITIAL}. Received: initial={initial!r}")
    if map_side < 2 or not sigma > 0:
        raise ValueError(
            "`map_side` must be at least 2 and `sigma` positive. "
            f"Received: map_side={map_side}, sigma={sigma}"
        )
    if not records:
        raise ValueError("`records` must hold at least one video. Received: none")
    blind = [record.name for record in records if record.gaze is None]
    if blind:
        raise ValueError(
            f"Every record must have gaze. Received: {len(blind)} of {len(records)} without, "
            f"among them {blind[:5]}"
        )
    names = [safe_name(record.name) for record in records]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Records must have names of their own. Received twice: {twice[:5]}")


def _models(model) -> dict[str, keras.Model]:
    if model is None:
        return {}
    if isinstance(model, Mapping):
        return {n: m if isinstance(m, keras.Model) else load(m) for n, m in model.items()}
    model = model if isinstance(model, keras.Model) else load(model)
    return {model.name: model}


def _of_clips(model, stride, flow) -> dict:
    """The options of models of clips; beside such a model others have none."""
    return {} if "mixture" in model.output else {"stride": stride, "flow": flow}


def _points(fixations: Fixations, seed: int) -> np.ndarray:
    points = np.column_stack([fixations.x, fixations.y])
    if len(points) > POINTS_A_VIDEO:
        chosen = np.random.default_rng(seed).choice(len(points), POINTS_A_VIDEO, replace=False)
        points = points[np.sort(chosen)]
    return points


def _tracked(records, progress, console):
    if not progress:
        return records
    return track(records, description="Evaluating videos", console=console)


def _enter(output, key, settings, overwrite):
    """The folder, new or holding results of the same settings."""
    path = os.path.join(output, "settings.json")
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        if before.get("key") != key and not overwrite:
            changed = sorted(
                k for k in settings if before.get("settings", {}).get(k) != settings[k]
            )
            raise OutputError(
                "`output` holds an evaluation with other settings, models or videos; give another "
                f"folder, or pass overwrite=True. Received: {output}, which differs in "
                f"{', '.join(changed) or 'the weights of a model or the gaze'}"
            )
        folder = claim_folder(output, overwrite=True)
    else:
        folder = claim_folder(output, overwrite=overwrite)
    (folder / "videos").mkdir(exist_ok=True)
    write_json(folder / "settings.json", {"key": key, "settings": settings})
    return folder


def _one(scorer, record, fixations, folder, key, with_picture) -> dict:
    """The result of one video: read from the folder, or computed and written there."""
    if folder is None:
        return scorer.score(record, fixations)[0]
    base = folder / "videos" / safe_name(record.name)
    done = base.with_name(f"{base.name}.json")
    video_key = digest(key, repr(record))
    with contextlib.suppress(OSError, ValueError):
        result = json.loads(done.read_text(encoding="utf-8"))
        picture = base.with_name(f"{base.name}.jpg")
        if result.get("key") == video_key and (picture.exists() or not with_picture):
            return result
    viewer = base if with_picture else None
    result, frames, strip = scorer.score(
        record, fixations, with_picture=with_picture, viewer=viewer
    )
    result["key"] = video_key
    _write_csv(base.with_name(f"{base.name}.csv"), frames)
    if strip is not None:
        base.with_name(f"{base.name}.jpg").write_bytes(strip)
    write_json(done, result)  # last: it says that the video is done
    return result


def _write_csv(path, frames: dict[str, np.ndarray]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")  # quotes a model's name that holds a comma
    writer.writerow(frames)
    for row in zip(*frames.values()):
        writer.writerow(
            "" if v != v else v if isinstance(v, (int, np.integer)) else f"{v:.6g}" for v in row
        )
    write_text(path, text.getvalue())


def _pictures(folder, records) -> dict[str, list[Picture]]:
    """For the page: a strip of frames and NSS over time, of each video that has them."""
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
