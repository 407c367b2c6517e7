"""Arrays of a prediction: small ones in memory, per-frame maps on disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

ON_DISK = ("log_density", "saliency")
TYPE = np.dtype("float16")


class KeptOutputs:
    """Collects a model's outputs piece by piece; those in `ON_DISK` go to float16 files.

    Per-frame maps in memory would make memory usage grow with the video. In `folder`, such an
    output is a file, such as `saliency.npy`, that appears when complete; without a folder it is
    an unnamed temporary file.

    Args:
        folder: folder for the files, or None.

    Example:

    ```python
    with KeptOutputs(folder) as kept:
        kept.add({"saliency": maps})  # as often as needed
        outputs = kept.finish()       # name to array (n, ...), memory-mapped where on disk
    ```
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self.folder = None if folder is None else Path(folder)
        self.files: dict[str, str] = {}
        self._parts: dict[str, list[np.ndarray]] = {}
        self._open: dict[str, tuple] = {}  # name -> file, shape of a frame
        self._count: dict[str, int] = {}

    def __enter__(self) -> KeptOutputs:
        return self

    def add(self, outputs: dict[str, np.ndarray]) -> None:
        """Append the outputs (m, ...) of the next frames."""
        for name, values in outputs.items():
            if name not in ON_DISK:
                self._parts.setdefault(name, []).append(values)
                continue
            if name not in self._open:
                self._open[name] = (self._file(name), values.shape[1:])
                self._header(name)
            self._open[name][0].write(values.astype(TYPE).tobytes())
            self._count[name] = self._count.get(name, 0) + len(values)

    def finish(self) -> dict[str, np.ndarray]:
        """Return all outputs as arrays by name."""
        found = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        for name, (file, shape) in self._open.items():
            file.seek(0)
            self._header(name)
            offset = file.tell()
            file.flush()
            shape = (self._count[name], *shape)
            found[name] = np.memmap(file, TYPE, mode="r", offset=offset, shape=shape)
            if self.folder is not None:
                path = self.folder / f"{name}.npy"
                os.replace(self._part(name), path)
                self.files[name] = str(path)
        return found

    def _file(self, name):
        if self.folder is None:
            return tempfile.TemporaryFile()
        return open(self._part(name), "w+b")

    def _header(self, name):
        # NumPy pads the header for a growing first axis, so that it can be overwritten in place.
        file, shape = self._open[name]
        shape = (self._count.get(name, 0), *shape)
        facts = {"descr": TYPE.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, facts)

    def _part(self, name) -> Path:
        return self.folder / f".{name}.{os.getpid()}.part"

    def __exit__(self, kind, error, trace) -> None:
        for name, (file, _) in self._open.items():
            file.close()
            if self.folder is not None:
                self._part(name).unlink(missing_ok=True)
