"""Gaze tables as exported by programs: encodings, delimiters, quotes, viewers, eyes, units."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from tests.datasets.conftest import numbered_video
from tests.real_data import data_dir
from zoo.datasets import your_own
from zoo.datasets.gaze import text_columns
from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.placing import VideoShape
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.gaze.text_columns import TextTable
from zoo.datasets.record import GazeSource, Record

KNOWN = {"num_frames": 4, "width": 100, "height": 50, "frame_times": np.arange(4) / 25}


def read(tmp_path, text, form=None, encoding="utf-8", **known):
    path = tmp_path / "g.csv"
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    source = GazeSource((str(path),), csv=form or CsvFormat())
    record = Record("clip", "a/clip.mp4", gaze=source)
    return read_fixations(record, shape=VideoShape(**{**KNOWN, **known}), warn=False)


def test_a_viewers_name_is_a_text(tmp_path):
    fixations = read(
        tmp_path, "viewer,frame,x,y\n10,0,1,1\n9,0,2,2\n01,0,3,3\n1,0,4,4\n001,0,5,5\n"
    )
    assert fixations.viewer_names == ("001", "01", "1", "9", "10")
    assert len(fixations.viewers) == 5 and fixations.of_viewers(["01"]).x.tolist() == [0.03]
    assert fixations.take([0]).viewer_names == fixations.viewer_names


def test_one_viewer_per_file_named_by_the_path(tmp_path):
    paths = []
    for folder in ("P1", "P2", "P3"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "gaze.csv").write_text("frame,x,y\n0,1,1\n")
        paths.append(str(tmp_path / folder / "gaze.csv"))

    def names(paths, **changes):
        source = GazeSource(tuple(paths), csv=CsvFormat(viewer=None, **changes))
        return read_fixations(Record("c", "v", gaze=source), **KNOWN, warn=False).viewer_names

    assert names(paths) == ("P1/gaze", "P2/gaze", "P3/gaze")
    assert names(paths[:1]) == ("gaze",)
    assert names(paths, file_viewer=r"P(\d)") == ("1", "2", "3")  # from the path
    with pytest.raises(ValueError, match="must contain the viewer"):
        names(paths, file_viewer=r"Q(\d)")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_delimiters(tmp_path, encoding, delimiter, end):
    rows = ["viewer,frame,x,y", "José,0,10,5", "Zoë,1,20,5"]
    fixations = read(tmp_path, end.join(rows).replace(",", delimiter), encoding=encoding)
    assert fixations.viewer_names == ("José", "Zoë")
    np.testing.assert_allclose(fixations.x, [0.1, 0.2])


def test_latin_1_is_read_and_reported(tmp_path):
    text = "viewer,frame,x,y,café\nJosé,0,10,5,né\nJosé,0,10,5,xx\n"
    for form in (CsvFormat(keep=(("café", ("né",)),)), CsvFormat(encoding="latin-1")):
        fixations = read(tmp_path, text, form, encoding="latin-1")
        assert fixations.viewer_names == ("José",)
        assert len(fixations) == (1 if form.keep else 2)
    assert "cp1252" in read(tmp_path, text, encoding="latin-1").notes[0]
    with pytest.raises(ValueError, match=r"that Python knows.*latin-eins"):
        read(tmp_path, text, CsvFormat(encoding="latin-eins"))
    with pytest.raises(ValueError, match=r"utf-16-le\..*g\.csv, which is not at byte"):
        broken = "viewer,frame,x,y\n".encode("utf-16") + b"\x00\xd8\n\x00"
        read(tmp_path, broken)


def test_quoted_fields_are_read_like_the_csv_module(tmp_path, monkeypatch):
    """Quoted fields that contain delimiters, quotes and line breaks, in chunks of any size."""
    rng = np.random.default_rng(0)
    pieces = ["a", " b", "c,d", 'in "inches"', "line\nbreak", "", "é", "7"]
    rows = [[pieces[rng.integers(len(pieces))] for _ in range(4)] for _ in range(300)]
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["p", "q", "r", "s"])
    writer.writerows(rows)
    (tmp_path / "t.csv").write_text(out.getvalue(), newline="")
    for size in (64, 1000, 1 << 20):
        monkeypatch.setattr(text_columns, "CHUNK", size)
        table = TextTable(str(tmp_path / "t.csv"))
        found = []
        for chunk in table.chunks([0, 2]):
            columns = [[table.text(bytes(t)) for t in chunk.columns[at].texts()] for at in (0, 2)]
            found += list(zip(*columns))
        assert table.header == ["p", "q", "r", "s"]
        assert found == [(row[0].strip(), row[2].strip()) for row in rows]


def test_an_inch_sign_is_not_a_quote(tmp_path):
    text = 'viewer\tframe\tx\ty\nA 24" screen\t0\t10\t5\nB\t1\t20\t5\n'
    assert read(tmp_path, text).viewer_names == ('A 24" screen', "B")


def test_formats_of_numbers(tmp_path):
    text = "viewer;frame;x;y\n1;0;10,5;5\n1;1;1e1;+5\n1;2;;5\n1;3;NA;5\n"
    with pytest.raises(ValueError, match=r'`decimal=","`.*g\.csv, line 2: 10,5'):
        read(tmp_path, text)
    fixations = read(tmp_path, text, CsvFormat(decimal=","))
    np.testing.assert_allclose(fixations.x, [0.105, 0.1])
    assert fixations.issues["lost by the tracker"] == 1 and fixations.issues["not a number"] == 1
    assert len(read(tmp_path, "viewer,frame,x,y\n")) == 0
    with pytest.raises(ValueError, match="header row"):
        read(tmp_path, "")


def test_numbers_equal_pythons_float(tmp_path):
    rng = np.random.default_rng(0)
    texts = [f"{value:.{digits}f}" for digits in range(7) for value in rng.normal(0, 1e4, 200)]
    texts += ["0", "-0.0", "+1.5", ".5", "5.", "-.25", "1e-3", "1E5", "123456789012345", "0.1"]
    texts += ["1234567890123456789", "0.12345678901234567", "nan", "-inf", "1_0", "1.2.3", "-", "."]
    texts += ["--1", "1-2", "x", "0x10", "\u0661", "999999999999999.9", "4.35", "00012.50", "1 2"]
    path = tmp_path / "n.csv"
    path.write_text("a,b\n" + "".join(f"{text},1\n" for text in texts), encoding="utf-8")
    (chunk,) = TextTable(str(path)).chunks([0])
    found, _ = chunk.columns[0].numbers()

    def of_python(text):
        try:
            return float(text.encode())
        except ValueError:
            return np.nan

    np.testing.assert_array_equal(found, [of_python(text) for text in texts])


def test_comments_rows_to_skip_and_short_rows(tmp_path):
    form = CsvFormat(comment="##", keep=(("type", ("SMP",)),), skip_rows=1)
    text = (
        "anything\n## a\n## b\nframe,type,x,y,viewer\n0,SMP,1,1,a\n## c\n5,MSG,hello\n1,SMP,2,1,a\n"
    )
    assert read(tmp_path, text, form).frame.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"5 columns.*1 shorter rows, first line 9"):
        read(tmp_path, text + "1,SMP,2\n", form)


def test_two_eyes(tmp_path):
    text = (
        "t,lx,ly,rx,ry,lv,rv\n0,10,10,30,20,0,0\n0,10,10,99,99,0,4\n40,0,0,30,20,0,0\n"
        "80,50,25,-1,-1,4,4\n120,nan,1,20,20,0,0\n"
    )
    form = {
        "x": ("lx", "rx"),
        "y": ("ly", "ry"),
        "frame": None,
        "time": "t",
        "time_unit": "ms",
        "viewer": None,
        "valid": ("lv", "rv"),
        "valid_values": ("0", "1"),
        "lost": (0, -1),
    }
    both = read(tmp_path, text, CsvFormat(**form))
    np.testing.assert_allclose(both.x * 100, [20, 10, 30, 20])
    np.testing.assert_allclose(both.y * 50, [15, 10, 20, 20])
    assert both.frame.tolist() == [0, 0, 1, 3] and both.issues["lost by the tracker"] == 1
    left = read(tmp_path, text, CsvFormat(**form, eye="left"))
    np.testing.assert_allclose(left.x * 100, [10, 10])
    assert left.issues["not a number"] == 1
    right = read(tmp_path, text, CsvFormat(**form, eye="right"))
    np.testing.assert_allclose(right.x * 100, [30, 30, 20])
    one = read(tmp_path, "t,rx,ry,rv\n0,10,10,0\n", CsvFormat(**form))
    assert len(one) == 1 and one.notes == ("only the right eye is in the file",)


@pytest.mark.parametrize(
    "point, form, expected",
    [
        ((25, 10), {"y_up": True}, (0.25, 0.8)),
        ((0, 0), {"origin": "centre"}, (0.5, 0.5)),
        ((25, 12.5), {"origin": "centre", "y_up": True}, (0.75, 0.25)),
        ((0.25, 0.25), {"units": "fraction", "y_up": True}, (0.25, 0.75)),
        ((-0.5, 0.5), {"units": "norm", "y_up": True}, (0.25, 0.25)),
        # PsychoPy's heights: a 100x50 picture is 2 wide and 1 high.
        ((0.5, 0.25), {"units": "height", "y_up": True, "origin": "centre"}, (0.75, 0.25)),
        # 10 degrees at 60 cm are 10.58 cm; with 40 cm on 400 pixels, 105.8 pixels.
        (
            (10, 0),
            {
                "units": "degrees",
                "placement": "stretched",
                "screen": (400, 200),
                "screen_cm": (40, 20),
                "distance_cm": 60,
            },
            ((200 + 600 * np.tan(np.pi / 18)) / 400, 0.5),
        ),
        (
            (60, 45),
            {"placement": "area", "screen": (400, 200), "area": (10, 20, 200, 100)},
            (0.25, 0.25),
        ),
    ],
)
def test_units_and_origins(tmp_path, point, form, expected):
    text = f"viewer,frame,x,y\n1,0,{point[0]},{point[1]}\n"
    fixations = read(tmp_path, text, CsvFormat(**form))
    np.testing.assert_allclose((fixations.x[0], fixations.y[0]), expected, rtol=1e-9)


def test_the_display_aspect_ratio_applies_on_a_screen(tmp_path):
    """720x576 with pixels of 64:45 is shown 16:9 and fills a screen of 1920x1080."""
    known = {"width": 720, "height": 576, "pixel_aspect": 64 / 45}
    form = CsvFormat(placement="letterboxed", screen=(1920, 1080))
    fixations = read(tmp_path, "viewer,frame,x,y\n1,0,96,54\n", form, **known)
    np.testing.assert_allclose((fixations.x[0], fixations.y[0]), (0.05, 0.05))
    form = CsvFormat(placement="centred", screen=(1920, 1080))
    fixations = read(tmp_path, "viewer,frame,x,y\n1,0,448,252\n", form, **known)
    np.testing.assert_allclose((fixations.x[0], fixations.y[0]), (0, 0), atol=1e-9)


@pytest.mark.parametrize("unit, scale", [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_times(tmp_path, unit, scale):
    rows = "".join(f"{(1000 + at / 250) * scale:.9f},1,1\n" for at in range(40))
    form = {"frame": None, "time": "t", "viewer": None}
    for start in (1000 * scale, "first"):
        given = CsvFormat(**form, time_unit=unit, time_start=start)
        fixations = read(tmp_path, "t,x,y\n" + rows, given)
        assert fixations.per_frame.tolist() == [10, 10, 10, 10]
    auto = read(tmp_path, "t,x,y\n" + rows, CsvFormat(**form, time_unit="auto", time_start="first"))
    assert auto.per_frame.tolist() == [10, 10, 10, 10] and auto.notes == (f"times are in {unit}",)
    (tmp_path / "world.csv").write_text(f"t\n{1000 * scale}\n{1001 * scale}\n")
    beside = read(
        tmp_path, "t,x,y\n" + rows, CsvFormat(**form, time_unit=unit, start_file="world.csv")
    )
    assert beside.per_frame.tolist() == [10, 10, 10, 10]


def test_a_frames_own_rounded_stamp_belongs_to_the_frame(tmp_path):
    """NTSC frames stamped in milliseconds, as Matroska does, and gaze in 3 decimals."""
    true = np.arange(90) * 1001 / 30
    text = "viewer,t,x,y\n" + "".join(f"1,{stamp:.3f},80,20\n" for stamp in true)
    form = CsvFormat(frame=None, time="t", time_unit="ms")
    for stamps, step in ((true / 1000, 1 / 30000), (np.round(true) / 1000, 0.001)):
        known = {"num_frames": 90, "frame_times": stamps, "time_resolution": step}
        assert read(tmp_path, text, form, **known).per_frame.tolist() == [1] * 90
    whole = "viewer,t,x,y\n" + "".join(f"1,{stamp:.0f},80,20\n" for stamp in true)
    assert read(tmp_path, whole, form, **known).per_frame.tolist() == [1] * 90
    # Only within the rounding: a sample 0.6 ms before a frame belongs to the previous one.
    early = "viewer,t,x,y\n1,39.4,1,1\n1,39.7,1,1\n"
    assert read(tmp_path, early, form, time_resolution=0.001).frame.tolist() == [0, 1]


def test_fixations_belong_to_every_frame_they_overlap(tmp_path):
    form = CsvFormat(frame=None, time="start", time_unit="ms", duration="ms")
    rows = "1,0,80,10,5\n1,90,20,20,5\n2,-30,31,30,5\n2,150,500,40,5\n2,200,9,1,1\n"
    fixations = read(tmp_path, "viewer,start,ms,x,y\n" + rows, form)
    found = [(f, round(x * 100)) for f, x in zip(fixations.frame.tolist(), fixations.x)]
    assert sorted(found) == [(0, 10), (0, 30), (1, 10), (2, 20), (3, 40)]
    assert fixations.issues == {"beyond the video's end": 1}


def test_values_that_are_not_numbers(tmp_path):
    form = CsvFormat(frame=None, time="t", duration="d", viewer=None)
    text = "t,d,x,y\n0,nan,1,1\n0,-1,1,1\n0,inf,1,1\nnan,1,1,1\n0,0.01,inf,1\n0,0,1,1\n"
    fixations = read(tmp_path, text, form)
    assert fixations.issues["not a number"] == 4 and fixations.issues["lost by the tracker"] == 1
    assert fixations.per_frame.tolist() == [1, 0, 0, 0]
    far = read(tmp_path, "viewer,frame,x,y\n1,1e300,1,1\n1,-1e300,1,1\n1,2,1,1\n")
    assert far.frame.tolist() == [2]
    assert far.issues["beyond the video's end"] == far.issues["before the first frame"] == 1


def test_the_real_fixations_of_hevc_clips():
    """Every frame contains the fixations that overlap it, compared one by one."""
    folder = data_dir("gaze", "hevc_clips")
    form = CsvFormat(frame=None, time="start_ms", time_unit="ms", duration="duration_ms")
    source = GazeSource((str(folder / "BasketballPass.csv"),), csv=form)
    times = np.arange(240) / 50
    known = {"num_frames": 240, "width": 416, "height": 240, "frame_times": times}
    fixations = read_fixations(Record("b", "none", gaze=source), **known, warn=False)
    with open(folder / "BasketballPass.csv", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    for frame in (0, 17, 100, 239):
        begin, end = times[frame] * 1000, times[frame] * 1000 + 20
        wanted = sorted(
            row["x"]
            for row in rows
            if row["start_ms"] < end - 0.51
            and row["start_ms"] + row["duration_ms"] > begin + 0.51
            and 0 <= row["x"] < 416
            and 0 <= row["y"] < 240
        )
        of = fixations.in_frames(frame, frame + 1)
        np.testing.assert_allclose(np.sort(of.x) * 416, wanted)


def test_each_record_has_its_own_description(tmp_path):
    numbered_video(tmp_path / "a.mp4", 3)
    (tmp_path / "one.csv").write_text("viewer,frame,x,y\n1,0,32,16\n")
    (tmp_path / "two.tsv").write_text("t\tgx\tgy\n0\t0.25\t0.5\n")
    (tmp_path / "two.json").write_text(
        '{"x": "gx", "y": "gy", "frame": null, "time": "t", "viewer": null, "units": "fraction"}'
    )
    (tmp_path / "videos.csv").write_text(
        "video,name,gaze,gaze_format\na.mp4,one,one.csv,\na.mp4,two,two.tsv,two.json\n"
        "a.mp4,three,one.csv,pupil_core\n"
    )
    one, two, three = your_own.load(tmp_path / "videos.csv")
    assert read_fixations(one, warn=False).x.tolist() == [0.5]
    assert read_fixations(two, warn=False).x.tolist() == [0.25]
    assert three.gaze.csv.x == "norm_pos_x"
    (tmp_path / "videos.csv").write_text("video,gaze,gaze_format\na.mp4,one.csv,pupil_kore\n")
    with pytest.raises(ValueError, match=r"presets.*'pupil_core'.*pupil_kore"):
        your_own.load(tmp_path / "videos.csv")


@pytest.mark.parametrize(
    "text, message",
    [
        ("[1]", "JSON object"),
        ("{", "must be JSON"),
        ('{"screen": "1920x1080"}', "list of 2 numbers"),
        ('{"screen": [0, 1080], "placement": "letterboxed"}', "above 0"),
        ('{"above": "zero"}', "must be a number"),
        ('{"y_up": "yes"}', "true or false"),
        ('{"first_frame": 1.5}', "whole number"),
        ('{"hight": 3}', r"unknown: \['hight'\]"),
        ('{"preset": "tobi"}', "preset.*tobii_pro_lab"),
        ('{"units": "degrees", "placement": "stretched", "screen": [3, 2]}', "screen_cm"),
        ('{"samples": "ivt"}', "pixels_per_degree"),
        ('{"time_start": "soon", "frame": null, "time": "t"}', '"first"'),
        ('{"eye": "left"}', "pairs"),
        ('{"x": ["a", "b"]}', "both be pairs"),
        ('{"placement": "area", "screen": [9, 9]}', "area"),
    ],
)
def test_invalid_descriptions_are_rejected(tmp_path, text, message):
    numbered_video(tmp_path / "a.mp4", 2)
    (tmp_path / "g.csv").write_text("viewer,frame,x,y\n")
    (tmp_path / "videos.csv").write_text("video,gaze\na.mp4,g.csv\n")
    (tmp_path / "gaze.json").write_text(text)
    with pytest.raises(ValueError, match=rf"gaze\.json.*{message}|{message}.*gaze\.json"):
        your_own.load(tmp_path / "videos.csv")


def test_pixels_per_degree_are_given_or_follow_from_the_screen():
    assert CsvFormat(pixels_per_degree=40.0).degree == 40.0
    screen = {"screen": (1920, 1080), "screen_cm": (48.0, 27.0), "distance_cm": 60.0}
    assert CsvFormat(**screen).degree == pytest.approx(60 * np.tan(np.radians(1)) * 40)
    assert CsvFormat().degree is None


def test_decimal_commas_are_not_further_columns(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text("viewer,frame,x,y\na,0,20,5,30,5\na,1,21,5,31,5\n")
    with pytest.raises(ValueError, match=r"4 columns.*semicolons.*2 wider rows, first line 2"):
        record = Record("v", "none", gaze=GazeSource((str(path),)))
        read_fixations(record, num_frames=2, width=64, height=48)


def test_line_ends_of_old_macs(tmp_path):
    path = tmp_path / "g.csv"
    path.write_bytes(b"viewer,frame,x,y\ra,0,20,30\r")
    with pytest.raises(ValueError, match=r"end with a line feed.*g\.csv"):
        TextTable(str(path))
