"""The results of single videos, kept in the output folder so that an evaluation can resume."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.record import Record
from zoo.files.atomic import write_text
from zoo.files.file_state import file_state
from zoo.files.json_file import write_json
from zoo.inference.evaluating.actions import ActionReader
from zoo.inference.evaluating.digest import digest
from zoo.inference.evaluating.evaluation import safe_name
from zoo.inference.evaluating.scoring import Scorer
from zoo.inference.writing.output import OutputError, claim_folder


def enter_folder(output: str | os.PathLike, key: str, settings: dict, overwrite: bool) -> Path:
    """Open the output folder: a new one, or one with results of the same settings.

    Args:
        output: the folder.
        key: a hash of everything that all results depend on.
        settings: the settings, to say which of them differ.
        overwrite: discard results of other settings.

    Raises:
        OutputError: the folder holds other files, or results of other settings.
    """
    path = os.path.join(output, "settings.json")
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        if before.get("key") != key and not overwrite:
            changed = sorted(
                k for k in settings if before.get("settings", {}).get(k) != settings[k]
            )
            raise OutputError(
                "`output` holds an evaluation with other settings, models or videos; choose "
                f"another folder, or pass overwrite=True. Received: {output}, which differs in "
                f"{', '.join(changed) or 'the weights of a model or the gaze'}"
            )
        folder = claim_folder(output, overwrite=True)
        if overwrite:
            for part in ("videos", "actions"):
                shutil.rmtree(folder / part, ignore_errors=True)
    else:
        folder = claim_folder(output, overwrite=overwrite)
    (folder / "videos").mkdir(exist_ok=True)
    write_json(folder / "settings.json", {"key": key, "settings": settings})
    return folder


def video_result(
    scorer: Scorer,
    record: Record,
    fixations: Fixations,
    folder: Path | None,
    key: str,
    with_picture: bool,
) -> dict:
    """Return the result of one video, read from the folder or computed and saved there.

    Args:
        scorer: evaluates the models and baselines.
        record: the video.
        fixations: its gaze.
        folder: the output folder; None keeps nothing.
        key: a hash of everything that all results depend on.
        with_picture: also save pictures for the page.
    """
    if folder is None:
        return scorer.score(record, fixations)[0]
    base = folder / "videos" / safe_name(record.name)
    done = base.with_name(f"{base.name}.json")
    video_key = _video_key(record, key)
    kept = _kept(done, video_key)
    if kept and (not with_picture or base.with_name(f"{base.name}.jpg").exists()):
        return kept
    viewer = base if with_picture else None
    result, frames, strip = scorer.score(
        record, fixations, with_picture=with_picture, viewer=viewer
    )
    result["key"] = video_key
    _write_csv(base.with_name(f"{base.name}.csv"), frames)
    if strip is not None:
        base.with_name(f"{base.name}.jpg").write_bytes(strip)
    write_json(done, result)  # written last: it marks the video as finished
    return result


def video_actions(
    readers: dict[str, ActionReader], record: Record, folder: Path | None, key: str
) -> dict[str, dict]:
    """What each joint model says of one video, read from the folder or computed and saved there."""
    if folder is None:
        return {name: read(record) for name, read in readers.items()}
    key = _video_key(record, digest(key, *(read.identity for read in readers.values())))
    done = folder / "actions" / f"{safe_name(record.name)}.json"
    done.parent.mkdir(exist_ok=True)
    if kept := _kept(done, key):
        return kept["actions"]
    found = {name: read(record) for name, read in readers.items()}
    write_json(done, {"key": key, "actions": found})
    return found


def _kept(done: Path, key: str) -> dict | None:
    """What a file holds, if it is of the same computation."""
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(done.read_text(encoding="utf-8"))
        if kept.get("key") == key:
            return kept
    return None


def _video_key(record: Record, key: str) -> str:
    """What the result of one video depends on."""
    state = None
    with contextlib.suppress(OSError):  # a video in shards is not a file
        state = file_state(record.video)
    return digest(key, repr(record), state)


def _write_csv(path, frames: dict[str, np.ndarray]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")  # quotes model names that contain a comma
    writer.writerow(frames)
    for row in zip(*frames.values()):
        writer.writerow(
            "" if v != v else v if isinstance(v, (int, np.integer)) else f"{v:.6g}" for v in row
        )
    write_text(path, text.getvalue())
