"""Reads the file that holds the state of a training run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def read_state(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays and facts of a training state.

    Raises:
        ValueError: if the file is not a complete training state.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(arrays.pop("facts").tobytes())
    except Exception as error:  # zipfile, JSON and NumPy raise errors of many types
        raise ValueError(
            "A training state must be a complete file that a run wrote; delete it to start over. "
            f"Received: {str(path)!r} ({error})"
        ) from error
