"""Converting a data set to shards once, so that training can read it sequentially."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.shards.format import (
    FORMAT,
    MANIFEST,
    SETTINGS,
    VERSION,
    checksum,
    index_name,
    shard_name,
    unpack_index,
)
from zoo.datasets.shards.writer import ShardResult, ShardTask, write_shard
from zoo.datasets.video.reading import VideoError
from zoo.files.atomic import write_text
from zoo.files.first_few import SHOWN, first_few
from zoo.files.lock import folder_lock

Runner = Callable[[Sequence[ShardTask]], Iterable[ShardResult]]

# A split is part of a file name.
SPLIT = re.compile(r"\w[\w .+-]*")


def prepare(
    records: Sequence[Record],
    output: str | os.PathLike,
    streams: Sequence[Any],
    *,
    dataset: str = "",
    classes: Sequence[str] = (),
    per_shard: int = 64,
    chunk: int = 64,
    fps: float | None = None,
    skip_bad: bool = False,
    runner: Runner | None = None,
    workers: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the records as shards into `output`, and return the content of its `index.json`.

    The videos of a split are distributed randomly over its shards. To continue an interrupted
    run, call it again with the same arguments: complete shards are kept, and those whose videos
    have changed are written anew.

    Args:
        records: Videos with unique names.
        output: Folder of the shards.
        streams: What to store of the videos (`zoo.datasets.shards.streams`).
        dataset: Name of the data set.
        classes: Names of its classes.
        per_shard: Number of videos in a shard.
        chunk: Number of frames in one record of the TFRecord files.
        fps: Frame rate to sample at; None keeps every frame.
        skip_bad: Leave out videos that cannot be read, and list them in `index.json`.
        runner: Runs the tasks; default `local_runner(workers)`, see also
            `zoo.datasets.shards.beam_runner`.
        workers: Number of processes; default one per core.
        seed: Random seed for the order of the videos.
        progress: Called with (videos done, all videos).

    Raises:
        ValueError: Arguments are out of range, names are not unique, or the folder holds shards
            with other settings.
        VideoError: Videos cannot be read; raised after everything else is done, it counts and
            names them.

    Example: `prepare(zoo.datasets.ucf101.load("data/UCF101"), "shards", [FrameStream()])`
    """
    tasks = plan(
        records,
        output,
        streams,
        per_shard=per_shard,
        chunk=chunk,
        fps=fps,
        skip_bad=skip_bad,
        seed=seed,
    )
    output = Path(output)
    _make_folder(output)
    with folder_lock(output, "A folder of shards"):
        _claim(output, tasks[0].settings)
        (output / MANIFEST).unlink(missing_ok=True)
        bad = _run(tasks, runner or local_runner(workers), progress)
        if bad and not skip_bad:
            names = [f"{name}: {why}" for name, why in sorted(bad.items())]
            raise VideoError(
                f"All videos must be readable; repair those that are not and repeat the command to "
                f"continue, or leave them out with `--skip-bad`. Received: {len(bad)} of "
                f"{len(records)} cannot be read: {first_few(names, '; ')}"
            )
        manifest = _manifest(output, tasks, dataset, classes)
        write_text(output / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))
    return manifest


def _run(tasks: Sequence[ShardTask], runner: Runner, progress) -> dict[str, str]:
    """Write the shards; return unreadable videos (name -> reason)."""
    sizes, done, bad = {task.file: len(task.records) for task in tasks}, 0, {}
    for result in runner(tasks):
        done += sizes[result.file]
        bad.update(result.bad)
        if progress is not None:
            progress(done, sum(sizes.values()))
    return bad


def plan(
    records: Sequence[Record],
    output: str | os.PathLike,
    streams: Sequence[Any],
    *,
    per_shard: int = 64,
    chunk: int = 64,
    fps: float | None = None,
    skip_bad: bool = False,
    seed: int = 0,
) -> list[ShardTask]:
    """The shards to write; they depend only on the arguments."""
    if not records:
        raise ValueError("There must be at least one video to prepare. Received: none")
    if not streams:
        raise ValueError(
            "At least one of frames, features and flow must be requested. Received: none"
        )
    for name, value in (("per_shard", per_shard), ("chunk", chunk)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
    names = [record.name for record in records]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})[:SHOWN]
        raise ValueError(f"Names of videos must be unique. Received twice: {twice}")
    by_split: dict[str | None, list[Record]] = {}
    for record in records:
        by_split.setdefault(record.split, []).append(record)
    wrong = sorted(split for split in by_split if split and not SPLIT.fullmatch(split))
    if wrong:
        raise ValueError(
            "A split is part of the shards' file names, so it must consist of letters, digits, "
            "spaces and `_`, `-`, `+`, `.`, and begin with a letter, a digit or `_`. "
            f"Received: {wrong[:SHOWN]}"
        )
    tasks = []
    for split, part in sorted(by_split.items(), key=lambda item: str(item[0])):
        order = np.random.default_rng(seed).permutation(len(part))
        count = -(-len(part) // per_shard)
        for number, places in enumerate(np.array_split(order, count)):
            tasks.append(
                ShardTask(
                    folder=os.fspath(output),
                    file=shard_name(split, number, count),
                    records=tuple(part[place] for place in places),
                    streams=tuple(streams),
                    chunk=chunk,
                    fps=fps,
                    skip_bad=skip_bad,
                )
            )
    return tasks


def local_runner(workers: int | None = None) -> Runner:
    """A runner that runs tasks in several processes, or in this one if `workers` is 1."""
    workers = workers or os.cpu_count() or 1

    def run(tasks: Sequence[ShardTask]) -> Iterator[ShardResult]:
        if min(workers, len(tasks)) <= 1:
            yield from map(write_shard, tasks)
            return
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(
            min(workers, len(tasks)), mp_context=context
        ) as pool:
            waiting = [pool.submit(write_shard, task) for task in tasks]
            try:
                for future in concurrent.futures.as_completed(waiting):
                    yield future.result()
            finally:  # after an error such as a full disk, start no more shards
                for future in waiting:
                    future.cancel()

    return run


def _make_folder(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise ValueError(f"`output` must be a folder. Received: {output} (a file)")
    output.mkdir(parents=True, exist_ok=True)


def _claim(output: Path, settings: dict[str, Any]) -> None:
    """Claim the folder for these settings; raise an error if it holds shards with others."""
    path = output / SETTINGS
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != settings:
            changed = sorted(k for k in {*before, *settings} if before.get(k) != settings.get(k))
            changes = "; ".join(f"{k}={settings.get(k)} (was {before.get(k)})" for k in changed)
            raise ValueError(
                "`output` must not hold shards with other settings: choose another folder, or the "
                f"same options. Received: {changes} in {output}"
            )
    for left in output.glob(".*.part.*"):
        left.unlink(missing_ok=True)
    write_text(path, json.dumps(settings, indent=1, sort_keys=True))


def _manifest(output: Path, tasks, dataset: str, classes: Sequence[str]) -> dict[str, Any]:
    shards, left_out, splits = [], {}, {}
    for task in tasks:
        data = (output / index_name(task.file)).read_bytes()
        meta, _ = unpack_index(data, str(output / index_name(task.file)))
        split = task.records[0].split
        frames = sum(video["num_frames"] for video in meta["videos"])
        shards.append(
            {
                "file": task.file,
                "bytes": meta["bytes"],
                "index_crc": checksum(data),
                "videos": len(meta["videos"]),
                "frames": frames,
                "split": split,
            }
        )
        left_out.update(meta["left_out"])
        counts = splits.setdefault(split or "all", {"videos": 0, "frames": 0})
        counts["videos"] += len(meta["videos"])
        counts["frames"] += frames
    return {
        "format": FORMAT,
        "version": VERSION,
        "dataset": dataset,
        "classes": list(classes),
        **tasks[0].settings,
        "splits": splits,
        "left_out": left_out,
        "shards": shards,
    }
