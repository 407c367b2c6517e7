"""The pictures of the models' graphs match the models."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PAGES = ("general", "rmdn", "lsts", "soft_attention", "spatiotemporal_attention", "joint")


@pytest.mark.parametrize("page", PAGES)
def test_each_model_page_shows_its_graph(page):
    text = (PICTURES.parent / f"{page}.md").read_text(encoding="utf-8")
    (name,) = re.findall(r"\]\(pictures/(graph_\w+\.svg)\)", text)
    root = ElementTree.parse(PICTURES / name).getroot()
    assert float(root.get("width")) <= 400  # the text stays readable on a phone
    assert root.find("{*}title").text


@pytest.mark.slow
def test_the_pictures_are_drawn_from_the_models():
    graphs = runpy.run_path(str(PICTURES / "graphs.py"))
    for name, drawn in graphs["models"]().items():
        committed = (PICTURES / f"graph_{name}.svg").read_text(encoding="utf-8")
        assert graphs["draw"](*drawn) == committed, f"run docs/pictures/graphs.py: {name}"
