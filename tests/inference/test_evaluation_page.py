"""Pictures and the page of an evaluation."""

import cv2
import numpy as np

from zoo.inference.evaluating.evaluation import Evaluation
from zoo.inference.evaluating.page import Picture, write_pages
from zoo.inference.evaluating.report import STRIP_WIDTH, filmstrip, time_plot


def _decode(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def _metric(total, count):
    return {"sum": total, "count": count, "mean": total / count}


def _evaluation():
    videos = [
        {
            "name": "<one>",
            "num_frames": 10,
            "frames_evaluated": 6,
            "frames_without_fixations": [0, 1, 2, 7],
            "constant_maps": {"net": 2},
            "metrics": {
                "net": {"nss": _metric(12.0, 6), "log_likelihood": _metric(6.0, 6)},
                "trained_central_bias": {"log_likelihood": _metric(3.0, 6)},
                "true_density": {"nss": _metric(18.0, 6), "log_likelihood": _metric(9.0, 6)},
            },
        }
    ]
    return Evaluation(videos, {"models": ["net"]}, ["a <note>"])


def test_filmstrip_has_a_row_for_the_gaze_and_each_method():
    frames = [np.full((30, 40, 3), 60, np.uint8)] * 4
    spot = np.zeros((30, 40), np.float32)
    spot[10:20, 10:20] = 1
    maps = {
        "net": dict.fromkeys((1, 2, 3), spot),  # none for frame 5, which is dimmed
        "uniform": {1: spot},  # too little for a row
    }
    gaze = [np.array([[0.5, 0.5]])] * 4
    strip = _decode(filmstrip([1, 2, 3, 5], frames, gaze, maps)).astype(int)
    cell = round(30 * (STRIP_WIDTH // 4) / 40)
    assert strip.shape == (2 * 22 + 2 * cell, STRIP_WIDTH, 3)
    middle = 22 + cell // 2
    assert strip[middle, STRIP_WIDTH // 8].min() > 200  # the fixation's dot
    row = strip[-cell:]
    red, _, blue = row[cell // 2, round(0.37 * STRIP_WIDTH / 4)]
    assert red > blue + 50
    assert row[cell // 2, -20].max() < 35


def test_time_plot_draws_every_curve():
    frames = np.arange(20)
    values = np.sin(frames / 3.0)
    values[:4] = np.nan
    picture = _decode(time_plot(frames, {"net": values, "motion": -values}, "NSS")).astype(int)
    for colour in ((0x2A, 0x78, 0xD6), (0x1B, 0xAF, 0x7A)):
        assert (np.abs(picture - colour).sum(-1) < 30).sum() > 100
    assert (np.abs(picture - (0xED, 0xA1, 0x00)).sum(-1) < 30).sum() == 0
    assert time_plot(frames[:1], {"net": values[:1]}, "NSS").startswith(b"\x89PNG")


def test_a_constant_map_is_named_and_not_coloured():
    frames = [np.full((60, 80, 3), 200, np.uint8)] * 4
    flat = dict.fromkeys(range(4), np.full((60, 80), 0.1, np.float32))
    strip = _decode(filmstrip(range(4), frames, [np.zeros((0, 2))] * 4, {"net": flat})).astype(int)
    row = strip[-round(60 * (STRIP_WIDTH // 4) / 80) :]
    assert np.abs(row - row.mean(-1, keepdims=True)).max() < 30  # grey: no heat map
    assert row[4, 4].mean() < 120 and row.max() > 230  # dimmed, with a label


def test_the_pages_are_complete_and_escape_names(tmp_path):
    evaluation = _evaluation()
    picture = Picture(time_plot(np.arange(5), {"net": np.arange(5.0)}, "NSS"), "NSS of <one>")
    write_pages(tmp_path, evaluation, {"<one>": [picture]})
    page = (tmp_path / "index.html").read_text()
    assert "<one>" not in page
    assert "&lt;one&gt;: 0-2, 7" in page
    assert "a &lt;note&gt;" in page
    assert 'alt="NSS of &lt;one&gt;" src="data:image/png;base64,' in page
    assert "net explains <b>50.0%</b>" in page
    assert "<td class=best>2.000</td>" in page  # the true density is excluded from the comparison
    assert "NSS &uarr;" in page and "standard deviations" in page
    assert '<a href="videos/_one_.html">&lt;one&gt;</a>' in page
    assert "net: 2 frames" in page  # whose maps were constant
    video = (tmp_path / "videos" / "_one_.html").read_text()
    assert "10 frames, 6 of them with fixations" in video
    assert 'href="../index.html"' in video and "_one_/index.html" not in video
    for text in (page, video):
        assert text.startswith("<!doctype html>") and 'lang="en"' in text
        assert 'name="viewport"' in text and text.rstrip().endswith("</html>")


def test_means_over_frames_and_videos():
    evaluation = _evaluation()
    assert evaluation.explained_information == {"net": 0.5}
    second = {**evaluation.videos[0], "metrics": {"net": {"nss": _metric(8.0, 2)}}}
    both = Evaluation([*evaluation.videos, second], evaluation.settings)
    assert both.table["net"]["nss"] == 3.0  # (2 + 4) / 2
    assert both.frame_means["net"]["nss"] == 2.5  # (12 + 8) / 8
