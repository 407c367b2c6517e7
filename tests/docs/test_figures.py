"""Figures in the documentation equal those in the committed results of the benchmarks."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
METRICS = ("nss", "auc_judd", "cc", "information_gain")
ROWS = {
    "**general model**": "general",
    "centre": "centre",
    "frame difference, blurred": "frame difference",
    "spectral residual": "spectral residual",
    "half of the viewers predicting the other half": "half of the viewers",
}


@pytest.fixture(scope="module")
def natural():
    """Method -> mean of each metric over the natural clips."""
    clips = json.loads((ROOT / "benchmarks/results/general.json").read_text())["natural clips"]
    return {
        method: np.mean([[clip[method][name] for name in METRICS] for clip in clips.values()], 0)
        for method in ROWS.values()
    }


def test_the_general_models_figures_in_the_readme(natural):
    text = " ".join((ROOT / "README.md").read_text().split())
    found = re.search(
        r"its NSS is ([\d.]+) \(a Gaussian in the centre: ([\d.]+); a frame difference: ([\d.]+); "
        r"half of the viewers predicting the other half: ([\d.]+)\)",
        text,
    )
    methods = ("general", "centre", "frame difference", "half of the viewers")
    assert list(found.groups()) == [f"{natural[method][0]:.2f}" for method in methods]


def test_the_general_models_table(natural):
    text = (ROOT / "docs/general.md").read_text()
    for label, method in ROWS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {label} |"))
        cells = [float(cell) for cell in row.split("|")[2:6]]
        np.testing.assert_allclose(cells, natural[method], atol=5.1e-4, err_msg=label)
