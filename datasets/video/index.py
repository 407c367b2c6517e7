"""A persistent index of videos: number, times and size of their frames."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.datasets.shards.reading import is_shard_video, shard_video
from zoo.datasets.video.reading import VideoError, open_video
from zoo.files.atomic import atomic_path
from zoo.files.file_state import file_state
from zoo.files.first_few import first_few
from zoo.files.interface import advised

VERSION = 2
STEADY = 1e-7  # seconds; time stamps within this distance of a constant rate are stored as such
SAVE_SECONDS = 30.0
COLUMNS = ("size", "changed", "count", "first", "step", "fps", "height", "width", "rated")


@dataclass(frozen=True)
class VideoFacts:
    """Facts about a video that are known without opening it.

    Args:
        size: Size of the file in bytes when it was indexed; 0 for a folder.
        changed: Its modification time in nanoseconds.
        count: Number of frames.
        first: Time stamp of the first frame in seconds.
        step: Seconds between frames, if the rate is constant.
        fps: Frames per second.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        rated: Whether the frame rate is known; otherwise 25 frames per second are assumed.
        own: The frames' time stamps, if the rate varies.
    """

    size: int
    changed: int
    count: int
    first: float
    step: float
    fps: float
    height: int
    width: int
    rated: bool = True
    own: np.ndarray | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        stamps: np.ndarray,
        fps: float,
        height: int,
        width: int,
        *,
        rated: bool = True,
        state: tuple[int, int] = (0, 0),
    ) -> VideoFacts:
        """The facts of a video with these time stamps, stored compactly if the rate is constant."""
        stamps = np.asarray(stamps, np.float64)
        count, first = len(stamps), float(stamps[0])
        step = float(stamps[-1] - first) / (count - 1) if count > 1 else 0.0
        steady = np.abs(first + step * np.arange(count) - stamps).max() < STEADY
        own = None if steady else stamps
        return cls(*state, count, first, step, fps, height, width, rated, own)

    @property
    def stamps(self) -> np.ndarray:
        """Time stamps of all decoded frames as stored in the file, in seconds."""
        return self.first + self.step * np.arange(self.count) if self.own is None else self.own

    @property
    def times(self) -> np.ndarray:
        """Seconds after the first frame, like `Video.source_times`."""
        stamps = self.stamps
        if np.any(np.diff(stamps) <= 0):  # files without usable time stamps
            return np.arange(self.count) / self.fps
        return stamps - stamps[0]


class VideoIndex:
    """The facts of many videos, kept in one file; videos that have changed are read again.

    An entry is valid while the file's path, size and modification time are unchanged (for a
    folder of frames, the folder's modification time). The index file is replaced atomically, so
    other processes can read it at any time, and additions of several processes are merged. Videos
    in shards need no entry, because the shards' own index holds the facts.

    Args:
        path: The index file; None keeps the facts only in memory.

    Example:
        index = VideoIndex("cache/videos.npz")
        facts = index.scan(["a.mp4", "b.avi"])  # opens only what is new or has changed
        facts["a.mp4"].times
    """

    def __init__(self, path: str | os.PathLike | None = None):
        self.path = None if path is None else Path(path)
        self._lock = threading.Lock()
        self._held: dict[str, VideoFacts] = {}
        self._loaded: int | None = None
        self._load()

    def __len__(self) -> int:
        return len(self._held)

    def scan(
        self,
        videos: Sequence[str],
        *,
        rates: Mapping[str, float] | None = None,
        workers: int | None = None,
        skip_bad: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, VideoFacts]:
        """The facts of all videos; new and changed ones are opened and indexed.

        Args:
            videos: Paths, as in records.
            rates: Path of a video that does not state its frame rate -> its rate.
            workers: Number of videos read in parallel; default one per core.
            skip_bad: Leave out unreadable videos, with a warning, instead of raising an error.
            progress: Called with (videos done, videos to do).

        Raises:
            VideoError: Videos cannot be read; raised after all others have been indexed, it
                counts and names them.
        """
        self._load()
        found, missing = {}, {}
        for video in dict.fromkeys(videos):
            rate = (rates or {}).get(video)
            facts = self._known(video, rate)
            if facts is None:
                missing[video] = rate
            else:
                found[video] = facts
        bad = self._read(missing, found, workers, progress)
        if bad:
            named = [f"{video}: {why}" for video, why in sorted(bad.items())]
            total = len(set(videos))
            unreadable = f"{len(bad)} of {total} are not: {first_few(named, '; ')}"
            if not skip_bad or not found:
                option = advised(", or leave them out with `skip_bad=True`", "")
                raise VideoError(
                    f"All videos must be readable; repair or remove those that are not{option}. "
                    f"Received: {unreadable}"
                )
            warnings.warn(f"Unreadable videos are left out: {unreadable}", stacklevel=2)
        return found

    def add(self, facts: Mapping[str, VideoFacts]) -> None:
        """Add facts that are known from elsewhere (path -> facts)."""
        self._held.update({_key(video): held for video, held in facts.items()})
        self._save()

    def _read(self, missing, found, workers, progress) -> dict[str, str]:
        bad: dict[str, str] = {}
        if not missing:
            return bad
        saved = time.monotonic()
        pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, "index")
        try:
            waiting = {pool.submit(_facts_of, *item): item for item in missing.items()}
            for done, future in enumerate(as_completed(waiting), 1):
                video, rate = waiting[future]
                try:
                    found[video] = future.result()
                    self._held[_key(video, rate)] = found[video]
                except (VideoError, OSError) as error:
                    bad[video] = str(error)
                if progress is not None:
                    progress(done, len(missing))
                if time.monotonic() - saved > SAVE_SECONDS:  # lets a killed scan continue
                    self._save()
                    saved = time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C, the remaining videos are not read
            self._save()
        return bad

    def _known(self, video: str, rate: float | None) -> VideoFacts | None:
        if is_shard_video(video):
            held = shard_video(video)
            return VideoFacts.of(held.times, held.fps, held.facts["height"], held.facts["width"])
        facts = self._held.get(_key(video, rate))
        if facts is None or not os.path.exists(video):
            return None
        return facts if (facts.size, facts.changed) == file_state(video) else None

    def _load(self) -> None:
        """Load the index file if it has changed since it was last read."""
        if self.path is None or not self.path.is_file():
            return
        changed = self.path.stat().st_mtime_ns
        if changed == self._loaded:
            return
        try:
            with np.load(self.path, allow_pickle=False) as held:
                about = json.loads(held["about"].tobytes())
                columns = [held[name].tolist() for name in COLUMNS]
                stamps, edges = held["stamps"], np.cumsum([0, *held["irregular"]])
            if about["version"] != VERSION:
                raise ValueError(f"version {about['version']}")
            tables = [stamps[a:b] if b > a else None for a, b in itertools.pairwise(edges)]
            read = {path: VideoFacts(*row) for path, *row in zip(about["paths"], *columns, tables)}
        except Exception as error:  # a damaged file can raise any error of zipfile, NumPy or JSON
            warnings.warn(
                f"The index of videos {self.path} cannot be read and is rebuilt ({error}).",
                stacklevel=3,
            )
            return
        self._held = {**read, **self._held}
        self._loaded = changed

    def _save(self) -> None:
        if self.path is None:
            return
        with self._lock:
            self._load()
            held = list(self._held.values())
            irregular = [np.zeros(0) if facts.own is None else facts.own for facts in held]
            about = json.dumps({"version": VERSION, "paths": list(self._held)}).encode()
            columns = {name: np.array([getattr(facts, name) for facts in held]) for name in COLUMNS}
            with atomic_path(self.path) as part:
                np.savez_compressed(
                    part,
                    about=np.frombuffer(about, np.uint8),
                    stamps=np.concatenate([np.zeros(0), *irregular]),
                    irregular=np.array([len(table) for table in irregular], np.int64),
                    **columns,
                )
            self._loaded = self.path.stat().st_mtime_ns


def check_unchanged(video: str, facts: VideoFacts) -> None:
    """Raise a `VideoError` if a file has changed since it was indexed."""
    if is_shard_video(video):
        return
    try:
        state = file_state(video)
    except OSError as error:
        raise VideoError(
            "A video must not be moved while it is being used; put it back and start again. "
            f"Received: {video} ({error.strerror})"
        ) from error
    if state != (facts.size, facts.changed):
        raise VideoError(
            "A video must not change after it was indexed; start again to index it anew. "
            f"Received: {video} of {state[0]} bytes, indexed with {facts.size}"
        )


def _key(video: str, rate: float | None = None) -> str:
    path = os.path.abspath(video)
    return path if rate is None else f"{path}@{rate:g}"


def _facts_of(video: str, rate: float | None) -> VideoFacts:
    if not os.path.exists(video):
        raise VideoError(f"A video must exist. Received: {video}")
    state = file_state(video)
    opened = open_video(video, folder_fps=rate)
    index = opened.index
    # Not `source_fps`, which would warn for each video.
    fps = float(1 / (index.end - index.times[-1]))
    size = opened.height, opened.width
    return VideoFacts.of(index.stamps, fps, *size, rated=opened.rate_known, state=state)
