"""The output folder, and atomic writes: a file is either complete or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from zoo.files.leftovers import in_use, remove_leftovers


class OutputError(ValueError):
    """The output folder cannot be used; the message says why and what to do."""


def claim_folder(
    output: str | os.PathLike, *, overwrite: bool = False, known: Iterable[str] = ()
) -> Path:
    """Create a folder for results, or ensure that an existing one can be used without data loss.

    Args:
        output: the folder.
        overwrite: replace the files in `known`; other files in the folder are left untouched.
        known: the names of the files and folders that will be written.

    Returns:
        The folder as a path.
    """
    if not os.fspath(output):
        raise OutputError("`output` must name a folder. Received: an empty text")
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"`output` must be a folder. Received: {folder}, which is a file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"`output` must be a folder that can be written to. Received: {folder} "
            f"({error.strerror or error})"
        ) from error
    held = sorted(
        entry.name
        for entry in folder.iterdir()
        # A run that was killed can leave an empty folder.
        if not entry.name.startswith(".") and not (entry.is_dir() and _is_empty(entry))
    )
    if held and not overwrite:
        raise OutputError(
            "`output` must be a new or empty folder; give another one, or pass overwrite=True. "
            f"Received: {folder}, which holds {len(held)} entries, among them {held[0]}"
        )
    if unfinished := in_use(folder):
        raise OutputError(
            "`output` must not be in use by another run; wait for it, or give another folder. "
            f"Received: {folder}, in which {unfinished} is being written"
        )
    known = list(known)
    if links := [name for name in known if (folder / name).is_symlink()]:
        raise OutputError(
            "`output` must not contain links in place of results; nothing was replaced. "
            f"Received: {folder} with {', '.join(links)}"
        )
    remove_leftovers(folder)
    for name in known:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return folder


def _is_empty(folder: Path) -> bool:
    return all(entry.name.startswith(".") for entry in folder.iterdir())


def give_up_folder(folder: Path | None) -> None:
    """Remove a claimed folder without results: it would block the next attempt."""
    if folder is not None and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
