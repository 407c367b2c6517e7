"""What every reader says when a folder is not what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

SHOWN = 10


def require_files(paths: Iterable[str | Path], what: str) -> None:
    """Raise an error that counts and names the files and folders that are missing."""
    require_there([str(path) for path in paths if not Path(path).exists()], what)


def require_there(missing: Sequence[str], what: str) -> None:
    """Raise an error that counts and names what is missing, if anything is."""
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise FileNotFoundError(
            f"All files of {what} must be there. Received: {len(missing)} missing: "
            f"{', '.join(missing[:SHOWN])}{more}"
        )


def require_split(split: str | None, splits: Iterable[str]) -> None:
    """Raise an error where a split is none of the data set's."""
    if split is not None and split not in splits:
        raise ValueError(f"`split` must be one of {tuple(splits)} or None. Received: {split!r}")
