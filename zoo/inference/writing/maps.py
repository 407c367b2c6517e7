"""Saliency maps on disk, written and read one frame at a time."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np

from zoo.files.npz import NpzFile


class MapWriter:
    """Writes saliency maps one by one; the file or folder appears only when complete.

    Args:
        path: `maps.npz`, which gets one float32 array per frame, named by the frame number, such
            as "000015"; or a folder, which gets one 8-bit grey image per frame, such as
            000015.png, each scaled to its own maximum.

    Example:

    ```python
    with MapWriter("maps.npz") as writer:
        writer.write(0, saliency)
    np.load("maps.npz")["000000"]
    ```
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._archive = None

    def __enter__(self) -> MapWriter:
        if self.path.suffix == ".npz":
            self._archive = zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED, allowZip64=True)
        else:
            self._part.mkdir(parents=True)
        return self

    def write(self, frame: int, saliency: np.ndarray) -> None:
        """Append the map of a frame."""
        name = f"{frame:06d}"
        if self._archive is not None:
            saliency = np.ascontiguousarray(saliency)
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, np.lib.format.header_data_from_array_1_0(saliency)
            )
            with self._archive.open(f"{name}.npy", "w") as file:
                file.write(header.getvalue())
                file.write(memoryview(saliency).cast("B"))  # avoids a copy
            return
        highest = float(saliency.max())
        grey = cv2.convertScaleAbs(saliency, alpha=255.0 / highest if highest > 0 else 0.0)
        ok, encoded = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        if not ok:
            raise OSError(f"The map of frame {frame} could not be written as png.")
        (self._part / f"{name}.png").write_bytes(encoded.tobytes())

    def __exit__(self, kind, error, trace) -> None:
        try:
            if self._archive is not None:
                self._archive.close()
            if kind is None:
                os.replace(self._part, self.path)
        finally:
            if self._part.is_dir():
                shutil.rmtree(self._part)
            else:
                self._part.unlink(missing_ok=True)


def read_maps(path: str | os.PathLike, frames=None) -> np.ndarray:
    """Read maps (n, height, width) from a `maps.npz`, for the given frames or for all.

    Example: `read_maps("out/maps.npz", range(100, 110))`.
    """
    with NpzFile(path) as archive:
        names = archive.names if frames is None else [f"{frame:06d}" for frame in frames]
        missing = sorted(set(names) - set(archive.names))
        if missing:
            raise KeyError(
                f"Every requested frame must have a map. Received: {len(missing)} without one in "
                f"{path}, first: {missing[0]}"
            )
        return np.stack([archive[name] for name in names])
