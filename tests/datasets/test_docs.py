"""The worked example of docs/data.md, run exactly as printed there."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from tests.datasets.conftest import numbered_video
from zoo.datasets import your_own
from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.description import description_of
from zoo.datasets.gaze.presets import PRESETS
from zoo.datasets.gaze.reading import GazeWarning, read_fixations

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_worked_example(tmp_path):
    table, gaze = blocks("csv")
    (tmp_path / "videos.csv").write_text(table)
    (tmp_path / "gaze").mkdir()
    for name in ("one", "two", "three"):
        numbered_video(tmp_path / "films" / f"{name}.mp4", 3, 360, 640)
        (tmp_path / "gaze" / f"{name}.csv").write_text(gaze)
    one, two, three = your_own.load(tmp_path / "videos.csv")
    assert [record.split for record in (one, two, three)] == ["train", "train", "test"]
    assert [record.label for record in (one, two, three)] == [1, 0, 0]
    with pytest.warns(GazeWarning, match="1 frames without"):
        fixations = read_fixations(one)
    assert len(fixations) == 3 and fixations.viewer_names == ("1", "2")
    assert sorted(fixations.x * 640) == [100.0, 320.5, 321.0]


def test_the_example_of_another_tracker(tmp_path):
    (tmp_path / "gaze.json").write_text(blocks("json")[0])
    numbered_video(
        tmp_path / "a.mp4", 3, 240, 320
    )  # on the 1440-pixel-wide screen, bars of 240 pixels
    (tmp_path / "g.csv").write_text("t,gaze_x,gaze_y,valid\n0,240,0,1\n41,960,540,1\n41,1,1,0\n")
    (tmp_path / "videos.csv").write_text("video,gaze\na.mp4,g.csv\n")
    (record,) = your_own.load(tmp_path / "videos.csv")
    with pytest.warns(GazeWarning):
        fixations = read_fixations(record)
    assert fixations.frame.tolist() == [0, 1]
    assert fixations.x.tolist() == [0.0, 0.5] and fixations.y.tolist() == [0.0, 0.5]


def test_the_descriptions_of_the_gaze_page(tmp_path):
    text = PAGE.with_name("gaze.md").read_text(encoding="utf-8")
    held = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    for number, block in enumerate(held):
        (tmp_path / f"{number}.json").write_text(block)
        form = description_of(tmp_path / f"{number}.json").csv
        assert form.screen == (1920, 1080)
    keys = set(re.findall(r"`(\w+)`", text))
    fields = {field.name for field in dataclasses.fields(CsvFormat)}
    assert fields <= keys  # every key is on the page
    assert {name for name in PRESETS if f"| `{name}` |" in text} == set(PRESETS)
