from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.datasets.conftest import numbered_video
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.samples import Frames, Samples
from zoo.datasets.samples.sampling import Windows
from zoo.datasets.video import index as module
from zoo.datasets.video.index import VideoFacts, VideoIndex
from zoo.datasets.video.reading import VideoError, open_video
from zoo.files.file_state import file_state


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    return [str(numbered_video(root / f"{n}.mp4", n, fps=30)) for n in (30, 20, 25)]


@pytest.fixture
def opened(monkeypatch):
    """The videos, in the order in which they are opened."""
    seen = []

    def watched(path, **options):
        seen.append(os.path.basename(path))
        return open_video(path, **options)

    monkeypatch.setattr(module, "open_video", watched)
    return seen


def test_a_second_run_opens_no_video(videos, tmp_path, opened):
    path = tmp_path / "cache" / "videos.npz"
    facts = VideoIndex(path).scan(videos)
    assert sorted(opened) == ["20.mp4", "25.mp4", "30.mp4"]
    opened.clear()
    again = VideoIndex(path).scan(videos)
    assert opened == []
    for video in videos:
        whole = open_video(video)
        for found in (facts[video], again[video]):
            assert found.count == whole.num_frames and (found.height, found.width) == (32, 64)
            np.testing.assert_allclose(found.times, whole.source_times, atol=1e-6)
            np.testing.assert_allclose(found.stamps, whole.stamps, atol=1e-6)
    assert VideoIndex(None).scan(videos[:1])[videos[0]].count == 30  # only in memory


def test_a_video_that_is_newer_than_its_entry_is_read_again(videos, tmp_path, opened):
    path, video = tmp_path / "videos.npz", str(tmp_path / "a.mp4")
    shutil.copy(videos[0], video)
    VideoIndex(path).scan([video, *videos])
    opened.clear()
    shutil.copy(videos[1], video)
    assert VideoIndex(path).scan([video, *videos])[video].count == 20
    assert opened == ["a.mp4"]
    opened.clear()
    os.utime(video, ns=(1, 1))  # of the same size, at another time
    VideoIndex(path).scan([video])
    assert opened == ["a.mp4"]
    folder = tmp_path / "frames"
    folder.mkdir()
    import cv2

    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    assert VideoIndex(path).scan([str(folder)])[str(folder)].count == 3
    cv2.imwrite(str(folder / "3.png"), np.zeros((8, 8, 3), np.uint8))
    facts = VideoIndex(path).scan([str(folder)])[str(folder)]
    assert facts.count == 4
    assert (0, facts.changed) == (facts.size, facts.changed) == file_state(folder)


def test_a_variable_frame_rate_is_stored_exactly(tmp_path):
    stamps = np.array([0.5, 0.54, 0.6, 1.0, 1.01])
    facts = VideoFacts.of(stamps, 25.0, 4, 6)
    steady = VideoFacts.of(2 + np.arange(100) / 29.97, 29.97, 4, 6)
    useless = VideoFacts.of(np.zeros(5), 10.0, 4, 6)
    assert facts.own is not None and steady.own is None
    VideoIndex(tmp_path / "i.npz").add({"a": facts, "b": steady, "c": useless})
    held = VideoIndex(tmp_path / "i.npz")
    assert len(held) == 3
    rows = {os.path.basename(path): row for path, row in held._held.items()}
    np.testing.assert_array_equal(rows["a"].times, stamps - 0.5)
    np.testing.assert_allclose(rows["b"].stamps, 2 + np.arange(100) / 29.97, atol=1e-9)
    np.testing.assert_allclose(rows["c"].times, np.arange(5) / 10)


def test_a_damaged_index_is_built_anew(videos, tmp_path, opened):
    path = tmp_path / "videos.npz"
    VideoIndex(path).scan(videos)
    path.write_bytes(path.read_bytes()[:100])
    opened.clear()
    with pytest.warns(UserWarning, match=r"videos\.npz cannot be read and is rebuilt"):
        facts = VideoIndex(path).scan(videos)
    assert len(opened) == len(facts) == 3
    assert len(VideoIndex(path)) == 3


ADD = """
import sys
import numpy as np
from zoo.datasets.video.index import VideoFacts, VideoIndex
index = VideoIndex(sys.argv[1])
for number in range(20):
    index.add({f"/{sys.argv[2]}/{number}": VideoFacts.of(np.arange(5) / 25, 25.0, 4, 6)})
"""


def test_processes_write_and_read_one_index_at_once(tmp_path):
    path = tmp_path / "videos.npz"
    running = [
        subprocess.Popen([sys.executable, "-c", ADD, str(path), name], stderr=subprocess.PIPE)
        for name in "ab"
    ]
    while any(process.poll() is None for process in running):
        VideoIndex(path)  # a partial file would cause a warning, which is an error here
    for process in running:
        assert process.returncode == 0, process.stderr.read()
    # Entries that one of two simultaneous writers lost are added again with its next entry.
    paths = set(VideoIndex(path)._held)
    assert len(paths) >= 20 and {p for p in paths if p.endswith("/19")}
    assert not list(tmp_path.glob(".*"))


def test_bad_videos_do_not_affect_good_ones(videos, tmp_path, opened):
    broken = tmp_path / "b.mp4"
    broken.write_bytes(b"x")
    path = tmp_path / "videos.npz"
    with pytest.raises(VideoError, match=r"1 of 4 are not: .*b\.mp4"):
        VideoIndex(path).scan([*videos, str(broken)])
    opened.clear()
    assert len(VideoIndex(path).scan(videos)) == 3 and opened == []


def test_a_run_with_an_index_opens_only_sampled_videos(videos, tmp_path, monkeypatch):
    gaze = tmp_path / "gaze.csv"
    gaze.write_text("viewer,frame,x,y\n1,3,0.5,0.5\n")
    records = [Record(v, v, gaze=GazeSource((str(gaze),))) for v in videos]
    options = {"cache": tmp_path / "cache", "inputs": [Frames((16, 32))]}
    first = Samples(records, Windows(4), **options)
    wanted = first.draw(0)
    seen = []
    real = module.open_video
    for where in ("zoo.datasets.video.index", "zoo.datasets.samples.reader"):
        monkeypatch.setattr(
            f"{where}.open_video", lambda path, **o: seen.append(path) or real(path, **o)
        )
    second = Samples(records, Windows(4), **options)
    assert seen == []
    found = second.draw(0)
    assert len(seen) == 1
    for one, other in zip(wanted, found):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
