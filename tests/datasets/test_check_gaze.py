"""Misread gaze is reported with the wrong option; gaze that is read correctly is not."""

from __future__ import annotations

import json
import logging
import re

import cv2
import numpy as np
import pytest

from tests.real_data import data_dir
from zoo.cli.main import main
from zoo.datasets import moving_targets
from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.listing.check_gaze import gaze_line, log_gaze_check, look_at_gaze
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.video.writer import VideoWriter
from zoo.files.interface import command_line

FRAMES, WIDTH, HEIGHT, RATE = 75, 160, 120, 25


def target(frame):
    """Position of the moving square in [0, 1], mostly in the upper half."""
    turn = frame / FRAMES * 4 * np.pi
    return 0.5 + 0.35 * np.sin(turn), 0.25 + 0.1 * np.cos(turn)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("watched") / "clip.mp4"
    with VideoWriter(path, height=HEIGHT, width=WIDTH, fps=RATE) as writer:
        for frame in range(FRAMES):
            picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            x, y = target(frame)
            centre = round(x * WIDTH), round(y * HEIGHT)
            cv2.circle(picture, centre, 9, (230, 200, 40), -1)
            writer.write(picture)
    return path


@pytest.fixture(scope="module")
def gaze(clip):
    """Four viewers at 250 Hz follow the square; in pixels and seconds."""
    rng = np.random.default_rng(0)
    rows = ["viewer,t,frame,x,y"]
    for viewer in ("01", "1", "P3", "P4"):
        for at in range(FRAMES * 10):
            x, y = target(max(0, at // 10 - 3))
            x, y = x * WIDTH + rng.normal(0, 2), y * HEIGHT + rng.normal(0, 2)
            rows.append(f"{viewer},{at / 250:.3f},{at // 10},{x:.2f},{y:.2f}")
    path = clip.parent / "gaze.csv"
    path.write_text("\n".join(rows))
    return path


def look(clip, path, **changes):
    form = CsvFormat(**{"frame": None, "time": "t", **changes})
    return look_at_gaze(Record("clip", str(clip), gaze=GazeSource((str(path),), csv=form)))


def test_correctly_read_gaze_is_plausible(clip, gaze):
    found = look(clip, gaze)
    assert found.doubts == () and found.facts.viewers == 4 and found.facts.agreement > 0.9
    assert "plausible" in gaze_line([found]) and "checked the gaze of 1 video" in gaze_line([found])


def test_frames_that_are_numbered_from_one(clip, gaze, tmp_path):
    lines = [line.split(",") for line in gaze.read_text().splitlines()[1:]]
    path = tmp_path / "gaze.csv"

    def found(first, **changes):
        rows = [f"{v},{t},{int(frame) + first},{x},{y}" for v, t, frame, x, y in lines]
        path.write_text("\n".join(["viewer,t,frame,x,y", *rows]))
        return look(clip, path, frame="frame", time=None, **changes).text

    assert found(0) == found(1, first_frame=1) == ""
    assert f"numbered from 1 to {FRAMES}" in found(1) and "first_frame=1 fits" in found(1)


def test_fractions_that_are_read_as_pixels(clip, gaze, tmp_path):
    """One sample in a hundred is outside the picture; read as pixels, all fit into one spot."""
    lines = gaze.read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    rows = [
        f"{viewer},{t},{frame},{1.2 if at % 100 == 0 else float(x) / WIDTH},{float(y) / HEIGHT}"
        for at, (viewer, t, frame, x, y) in enumerate(rows)
    ]
    path = tmp_path / "gaze.csv"
    path.write_text("\n".join([lines[0], *rows]))
    found = look(clip, path)
    assert "upper left corner" in found.text and "units='fraction'" in found.advice


@pytest.mark.parametrize(
    "changes, doubt, advice",
    [
        ({"time_unit": "ms"}, "in one frame", "`time_unit`.*time_unit='s'"),
        ({"time_unit": "us"}, "in one frame", "`time_unit`"),
        ({"units": "fraction"}, "outside the frame", "`units`.*units='pixels'"),
        ({"units": "norm"}, "outside the frame", "`units`"),
        ({"origin": "centre"}, "outside the frame", "`origin`.*origin='corner'"),
        ({"y_up": True}, "upside down", "`y_up`"),
        ({"time_start": 2.0}, "frames have no gaze", "`time_start`.*'first'"),
        ({"time_start": 500.0}, "no sample is usable", "`time_start`"),
        (
            {"placement": "stretched", "screen": (60, 40)},
            "outside the frame",
            "`placement`.*placement='video'",
        ),
        ({"frame": "frame", "time": None, "first_frame": 60}, "before or after", "`first_frame`"),
    ],
)
def test_a_wrong_option_is_named(clip, gaze, changes, doubt, advice):
    found = look(clip, gaze, **changes)
    assert found.doubts, found.facts
    assert re.search(doubt, found.text) and re.search(advice, found.text), found.text
    assert "1 probably misread: clip: " in gaze_line([found])


def test_synthetic_gaze_is_plausible(tmp_path):
    records = moving_targets.make(tmp_path, num_videos=6, frames=64, size=(48, 64), viewers=4)
    assert [look_at_gaze(record).text for record in records] == [""] * 6


def test_problems_of_the_file_itself(clip, gaze, tmp_path):
    rows = gaze.read_text().split("\n")
    table = [row.split(",") for row in rows[1:]]

    def written(change):
        path = tmp_path / "changed.csv"
        path.write_text("\n".join([rows[0], *(",".join(change(list(row))) for row in table)]))
        return look(clip, path)

    def fraction(row):
        return [*row[:3], f"{float(row[3]) / WIDTH:.4f}", f"{float(row[4]) / HEIGHT:.4f}"]

    found = written(fraction)
    assert "upper left corner" in found.text and "`units`" in found.text
    found = written(lambda row: [*row[:3], f"{4 * float(row[3]):.1f}", f"{4 * float(row[4]):.1f}"])
    assert "`placement` and `screen`" in found.text
    found = written(lambda row: [*row[:3], "", ""] if hash(tuple(row)) % 10 else row)
    assert "lost" in found.text
    rng = np.random.default_rng(1)

    def anywhere(row):
        return [*row[:3], f"{rng.uniform(0, WIDTH):.0f}", f"{rng.uniform(0, HEIGHT):.0f}"]

    assert "faster than eyes move" in written(anywhere).text
    mirrored = written(
        lambda row: [*row[:4], f"{HEIGHT / 2 - float(row[4]):.2f}"] if row[0] == "P3" else row
    )
    assert "25% of the viewers move up when others move down" in mirrored.text


def test_a_faster_tracker_is_reported(clip, gaze, tmp_path):
    rows = gaze.read_text().split("\n")
    kept = [row for at, row in enumerate(rows) if not row.startswith("P4,") or at % 5 == 0]
    (tmp_path / "g.csv").write_text("\n".join(kept))
    found = look(clip, tmp_path / "g.csv")
    assert found.doubts == () and "has 10.0 samples per frame, P4 has 2.0" in found.notes[0]
    alike = look(clip, tmp_path / "g.csv", samples="one_per_frame")
    assert alike.notes == ("2400 samples became 300, one per viewer and frame",)


def test_few_samples_are_not_judged(clip, tmp_path):
    (tmp_path / "g.csv").write_text("viewer,t,x,y\n1,0,1,1\n1,99,1,1\n1,99,900,1\n")
    assert look(clip, tmp_path / "g.csv").doubts == ()
    (tmp_path / "g.csv").write_text("viewer,t,x,y\n")
    assert look(clip, tmp_path / "g.csv").text == "no sample is usable"
    assert "must exist" in look(clip, tmp_path / "none.csv").text
    assert "must exist" in look(tmp_path / "none.mp4", tmp_path / "g.csv").text


def test_maps_with_doubtful_numbers_are_reported(clip, tmp_path):
    for number in range(5, 30):
        picture = np.zeros((HEIGHT, WIDTH), np.uint8)
        picture[30, 80] = 255
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    found = look_at_gaze(Record("m", str(clip), gaze=GazeSource((str(tmp_path),), "maps")))
    assert "maps 5 to 29 for a video of 75 frames" in found.text and "first_frame" in found.text


def test_the_summary_is_printed_before_training(clip, gaze, caplog):
    form = CsvFormat(frame=None, time="t", time_unit="ms")
    records = [Record("clip", str(clip), gaze=GazeSource((str(gaze),), csv=form))] * 3
    with caplog.at_level(logging.INFO, "zoo.datasets"), command_line():
        log_gaze_check([*records, Record("other", str(clip))], most=2)
        log_gaze_check([Record("other", str(clip))])
    (line,) = caplog.messages
    assert line.startswith("checked the gaze of 2 videos, 2 probably misread: clip: ")
    assert '"time_unit": "s" in the gaze description' in line and "zoo check" in line


def test_the_commands(clip, gaze, tmp_path, capsys):
    table = clip.parent / "videos.csv"
    table.write_text("video,gaze\nclip.mp4,gaze.csv\n")
    (clip.parent / "gaze.json").write_text('{"frame": null, "time": "t"}')
    out = tmp_path / "page"
    assert main(["gaze-report", "csv", str(table), "-o", str(out), "--frames", "3"]) == 0
    assert "1 videos, 0 with doubtful gaze" in capsys.readouterr().out
    pictures = {path.name for path in out.iterdir()}
    assert pictures == {"index.html", "gaze.json", "000_frames.png", "000_time.png"}
    strip = cv2.imread(str(out / "000_frames.png"))
    assert strip.shape == (210 + 22, 3 * 284, 3)
    # The middle frame is 37: a viewer's dot lies where he looked, 3 frames behind the square.
    x, y = target(34)
    tile = strip[:, 284:568][2 : 2 + 210, 2 : 2 + 280]
    row, column = round(y * 210), round(x * 280)
    around = tile[row - 9 : row + 10, column - 9 : column + 10].astype(int)
    assert np.ptp(around, axis=-1).max() > 150  # its colour is saturated
    held = json.loads((out / "gaze.json").read_text())
    assert held[0]["doubts"] == [] and held[0]["facts"]["viewers"] == 4
    assert main(["check", "csv", str(table), "-o", str(tmp_path / "c.json")]) == 0
    assert "checked the gaze of 1 video: plausible" in capsys.readouterr().out
    assert main(["gaze-report", "csv", str(table), "-o", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    (clip.parent / "gaze.json").write_text('{"frame": null, "time": "t", "time_unit": "ms"}')
    assert main(["gaze-report", "csv", str(table), "-o", str(out), "--overwrite"]) == 0
    page = (out / "index.html").read_text()
    assert "time_unit" in page and "class='bad'" in page
    assert main(["check", "csv", str(table), "-o", str(tmp_path / "c.json")]) == 1
    assert "`time_unit` is likely wrong" in capsys.readouterr().out
    for wrong in (["--split", "dev"], ["--sample", "-1"], ["--frames", "0"]):
        assert main(["gaze-report", "csv", str(table), "-o", str(tmp_path / "new"), *wrong]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_real_gaze_is_plausible():
    folder = data_dir("gaze", "triple_jump")
    files = tuple(str(path) for path in sorted(folder.glob("*.csv")))
    form = {"frame": None, "time": "t_s", "viewer": None, "valid": "valid"}
    video = CsvFormat("x_video720", "y_video576", **form)
    record = Record("jump", str(folder / "triple_jump.avi"), gaze=GazeSource(files, csv=video))
    assert look_at_gaze(record).doubts == ()
    screen = CsvFormat(
        "x_screen1024", "y_screen768", **form
    )  # without the video's placement on the screen
    record = Record("jump", str(folder / "triple_jump.avi"), gaze=GazeSource(files, csv=screen))
    assert "beyond the video's 720x576 pixels" in look_at_gaze(record).text
