"""Real recordings for tests, from a folder beside the checkout; they are not in the project."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_dir(*parts: str) -> Path:
    """The folder or file `parts` of the real sample data, or a skip that says what is missing."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the real sample data {'/'.join(parts)} is not beside this checkout")
    return path
