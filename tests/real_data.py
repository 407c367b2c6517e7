"""Real recordings for tests, from a folder next to the checkout; not part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_dir(*parts: str) -> Path:
    """The folder or file `parts` of the real sample data; skips the test if it is missing."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the real sample data {'/'.join(parts)} is not beside this checkout")
    return path
