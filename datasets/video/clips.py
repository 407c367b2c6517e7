"""Decoded frames kept on disk, so that training reads any window without decoding again."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.video.reading import open_video
from zoo.files.atomic import atomic_path


class FrameCache:
    """Decodes a record's video once, resized, into a memory-mapped array.

    The entry is bound to the file's size and time of change, the part of the video, the frame
    rate and the picture size; it appears only when it is complete.

    Args:
        folder: Where the arrays are kept; made when needed.
        fps: Wanted frame rate; None keeps every frame.

    Example:
        frames = FrameCache("cache").get(record, (112, 112))  # (frames, 112, 112, 3) uint8
        window = frames[10:26]
    """

    def __init__(self, folder: str | os.PathLike, *, fps: float | None = None):
        self.folder = Path(folder)
        self.fps = fps

    def path(self, record: Record, size: tuple[int, int]) -> Path:
        """The file that holds, or will hold, the frames of a record."""
        state = os.stat(record.video) if os.path.exists(record.video) else None
        facts = (
            os.path.abspath(record.video),
            None if state is None else (state.st_size, state.st_mtime_ns),
            (int(size[0]), int(size[1])),
            record.start,
            record.end,
            self.fps,
        )
        digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", record.name)[-80:]
        return self.folder / f"{plain}_{size[0]}x{size[1]}_{digest}.npy"

    def get(self, record: Record, size: tuple[int, int]) -> np.memmap:
        """All frames of a record, (frames, height, width, 3) uint8 RGB, read-only."""
        path = self.path(record, size)
        if not path.is_file():
            self._write(record, size, path)
        return np.load(path, mmap_mode="r")

    def _write(self, record: Record, size: tuple[int, int], path: Path) -> None:
        video = open_video(record.video, fps=self.fps, start=record.start, end=record.end)
        shape = (video.num_frames, int(size[0]), int(size[1]), 3)
        with atomic_path(path) as part:
            held = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
            for number, frame in enumerate(video.frames(size)):
                held[number] = frame
            held.flush()
            del held
