"""A cache of the fixations of many videos, in files that are quick to read."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.placing import VideoShape
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import Record
from zoo.datasets.shards.reading import is_shard_video
from zoo.datasets.video.index import VideoFacts
from zoo.datasets.video.reading import open_video
from zoo.files.atomic import atomic_path
from zoo.files.file_state import file_state, path_state

FORM = 3  # version of the cache files
IN_MEMORY = 64  # number of videos whose fixations are kept in memory


class GazeStore:
    """Reads the fixations of records and caches them in a folder, one small file per video.

    The name of a cache file depends on the gaze description, the size and modification time of
    the gaze files (of every file in a folder of maps), and the video's frames, so a change in any
    of them is noticed. Memory usage does not grow with the number of videos.

    Args:
        folder: Folder of the cache; None reads from the sources every time.
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self.folder = None if folder is None else Path(folder)
        self._held: OrderedDict[str, Fixations] = OrderedDict()
        self._folders: dict[tuple, str] = {}
        self._lock = threading.Lock()

    def get(self, record: Record, facts: VideoFacts) -> Fixations:
        """The fixations of the record's whole video, regardless of its `start` and `end`."""
        key = self._key(record, facts)
        with self._lock:
            found = self._held.get(key)
        if found is None:
            found = self._stored(key)
            if found is None:
                found = self._read(record, facts)
                self._store(key, found, record)
            with self._lock:
                self._held[key] = found
                while len(self._held) > IN_MEMORY:
                    self._held.popitem(last=False)
        return found

    def _key(self, record: Record, facts: VideoFacts) -> str:
        paths = list(record.gaze.paths)
        if record.gaze.format == "csv" and record.gaze.csv.start_file is not None:
            beside = record.gaze.csv.start_file
            paths += sorted({os.path.join(os.path.dirname(path), beside) for path in paths})
        states = [self._state(path) for path in paths]
        own = None if facts.own is None else facts.own.tolist()
        text = repr((FORM, record.video, record.gaze, states, facts, own))
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def _state(self, path: str) -> str:
        """What changes when a gaze file, or a file in a folder of maps, is replaced.

        A folder has a file for every frame, so it is listed once, and again if files come or go.
        """
        if not os.path.isdir(path):
            return repr(path_state(path))
        listed = (path, file_state(path))
        if listed not in self._folders:
            text = repr(path_state(path))
            self._folders[listed] = hashlib.sha256(text.encode()).hexdigest()
        return self._folders[listed]

    def _read(self, record: Record, facts: VideoFacts) -> Fixations:
        whole = dataclasses.replace(record, start=None, end=None)
        shape = VideoShape(facts.count, facts.width, facts.height, facts.times)
        if record.gaze.format not in ("shards", "maps"):  # facts that the index does not hold
            video = open_video(record.video, folder_fps=record.fps)
            shape = dataclasses.replace(
                shape,
                pixel_aspect=float(video.sample_aspect),
                time_resolution=video.time_resolution,
            )
        return read_fixations(whole, shape=shape, warn=False)

    def _stored(self, key: str) -> Fixations | None:
        path = None if self.folder is None else self.folder / f"{key}.npz"
        if path is None or not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                counts, x, y, viewer = (held[n] for n in ("counts", "x", "y", "viewer"))
                names = tuple(held["names"].tolist())
        except Exception:  # a damaged file can raise any error of zipfile or NumPy: read the source
            return None
        frame = np.repeat(np.arange(len(counts)), counts)
        return Fixations(frame, x, y, viewer, len(counts), viewer_names=names)

    def _store(self, key: str, fixations: Fixations, record: Record) -> None:
        if self.folder is None or is_shard_video(record.gaze.paths[0]):
            return
        columns = {"x": fixations.x, "y": fixations.y, "viewer": fixations.viewer.astype(np.int32)}
        with atomic_path(self.folder / f"{key}.npz") as part:
            counts = fixations.per_frame.astype(np.uint32)
            names = np.array(fixations.viewer_names, np.str_)
            np.savez_compressed(part, counts=counts, names=names, **columns)
