"""JSON files from Python and NumPy values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.files.atomic import write_text


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write JSON atomically. NaN becomes null, because NaN is not valid JSON."""
    write_text(path, json.dumps(plain(value), indent=1, allow_nan=False))


def plain(value: Any) -> Any:
    """Convert to JSON's types; NaN, which JSON does not support, becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, Path) else value
