from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from tests.datasets.conftest import numbered_video
from zoo.datasets import your_own
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.gaze.tables import CsvFormat


@pytest.fixture
def table(tmp_path):
    numbered_video(tmp_path / "a b.mp4", 10)
    numbered_video(tmp_path / "sub" / "c.mp4", 10)
    for viewer in ("anna", "bert"):
        (tmp_path / "gaze" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "gaze" / "a" / f"{viewer}.csv").write_text("ms,u,v\n0,0.5,0.5\n80,0.25,0.5\n")
    (tmp_path / "maps").mkdir()
    for number in range(10):
        image = np.zeros((32, 64), np.uint8)
        image[4, number] = 255
        cv2.imwrite(str(tmp_path / "maps" / f"{number}.png"), image)
    path = tmp_path / "videos.csv"
    path.write_text(
        "video,label,split,gaze,start,end\r\n"
        "a b.mp4, walk ,train,gaze/a,,\r\n"
        "sub/c.mp4,run|jump,test,maps,0.2,0.4\r\n"
        "\r\n"
    )
    held = {"x": "u", "y": "v", "frame": None, "time": "ms", "time_unit": "ms", "viewer": None}
    (tmp_path / "gaze.json").write_text(json.dumps({**held, "units": "fraction"}))
    return path


def test_a_table_is_read_as_records(table):
    first, second = your_own.load(table)
    assert your_own.class_names(table) == ("jump", "run", "walk")
    assert (first.name, first.label, first.split) == ("a b", 2, "train")
    assert (second.name, second.label, second.split) == ("sub/c", (1, 0), "test")
    with pytest.warns(UserWarning, match="8 frames without"):
        gaze = read_fixations(first)
    assert gaze.frame.tolist() == [0, 0, 2, 2] and gaze.viewers.tolist() == [0, 1]
    gaze = read_fixations(second)  # frames 5 to 9
    np.testing.assert_allclose(gaze.x * 64 - 0.5, [5, 6, 7, 8, 9])
    assert [r.name for r in your_own.load(table, "test")] == ["sub/c"]
    given = your_own.load(table, gaze_format=CsvFormat(x="q"), classes=("walk", "run", "jump"))
    assert given[0].label == 0 and given[0].gaze.csv.x == "q"


@pytest.mark.parametrize(
    "text, message",
    [
        ("label\nrun\n", "column `video`"),
        ("video,colour\na b.mp4,red\n", "colour"),
        ("video,label\na b.mp4\n", "line 2"),
        ("video\n", "must have at least one row"),
        ("video,start\na b.mp4,soon\n", "seconds.*soon"),
        ("video,start,end\na b.mp4,2,1\n", "after `start`.*start=2, end=1 for a b"),
        ("video\nnone.mp4\nalso.mp4\n", "2 missing.*also.*none"),
        ("video\na b.mp4\na b.mp4\n", "1 repeated.*a b"),
        ("video,gaze\na b.mp4,lost.csv\n", r"1 missing.*lost\.csv"),
    ],
)
def test_invalid_tables_are_rejected(table, text, message):
    table.write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        your_own.load(table)


@pytest.mark.parametrize("sign", [";", "\t"])
def test_semicolons_and_tabs(table, sign):
    expected = your_own.load(table)
    text = table.read_text().replace(",", sign)
    table.write_text("\ufeff" + text, encoding="utf-8")
    assert your_own.load(table) == expected


def test_another_encoding_is_named(table):
    table.write_text(table.read_text().replace("walk", "über"), encoding="cp1252")
    with pytest.raises(ValueError, match=r"must be in UTF-8; .*videos\.csv with the byte 0xfc"):
        your_own.load(table)


def test_other_mistakes(table):
    with pytest.raises(ValueError, match=r"\['train', 'test'\]|\['test', 'train'\]"):
        your_own.load(table, "dev")
    with pytest.raises(ValueError, match=r"\['jump', 'run'\]"):
        your_own.load(table, classes=("walk",))
    (table.parent / "gaze.json").write_text('{"hight": 3}')
    with pytest.raises(ValueError, match=r"gaze\.json.*hight"):
        your_own.load(table)


def test_one_folder_per_class(tmp_path):
    for label, name in (("Run [1]", "x#1"), ("Run [1]", "y"), ("Eat", "x#1")):
        numbered_video(tmp_path / label / f"{name}.mp4", 2)
    records = your_own.load(tmp_path)
    found = [(record.name, record.label) for record in records]
    assert found == [("Eat/x#1", 0), ("Run [1]/x#1", 1), ("Run [1]/y", 1)]
