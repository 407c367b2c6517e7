"""Errors that all readers raise for missing files and unknown splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo.files.first_few import first_few


def require_files(paths: Iterable[str | Path], what: str) -> None:
    """Raise an error that counts and names missing files and folders, if there are any."""
    require_there([str(path) for path in paths if not Path(path).exists()], what)


def require_there(missing: Sequence[str], what: str) -> None:
    """Raise an error that counts and names the missing files, if there are any."""
    if missing:
        raise FileNotFoundError(
            f"All files of {what} must be there. Received: {len(missing)} missing: "
            f"{first_few(missing)}"
        )


def require_split(split: str | None, splits: Iterable[str]) -> None:
    """Raise an error if the data set does not have this split."""
    if split is not None and split not in splits:
        raise ValueError(f"`split` must be one of {tuple(splits)} or None. Received: {split!r}")
