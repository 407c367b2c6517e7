from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from tests.datasets.conftest import number_of, numbered_video
from zoo.datasets.record import Record
from zoo.datasets.video.clips import FrameCache
from zoo.datasets.video.reading import open_video


def test_frames_are_decoded_once_and_again_when_the_file_changes(tmp_path, monkeypatch):
    record = Record("a/b #1", str(numbered_video(tmp_path / "a.mp4", 20)))
    cache = FrameCache(tmp_path / "cache")
    frames = cache.get(record, (16, 32))
    assert isinstance(frames, np.memmap) and frames.shape == (20, 16, 32, 3)
    np.testing.assert_array_equal(frames[3:5], open_video(record.video).read([3, 4], (16, 32)))
    with monkeypatch.context() as patch:
        patch.setattr("zoo.datasets.video.clips.open_video", None)
        cache.get(record, (16, 32))
        with pytest.raises(TypeError):
            cache.get(record, (16, 64))
    numbered_video(record.video, 21)
    os.utime(record.video, ns=(1, 1))
    assert len(cache.get(record, (16, 32))) == 21
    part = dataclasses.replace(record, start=0.4, end=0.6)
    assert [number_of(frame) for frame in cache.get(part, (16, 64))] == [10, 11, 12, 13, 14]


def test_an_interrupted_decoding_leaves_nothing(tmp_path, monkeypatch):
    record = Record("a", str(numbered_video(tmp_path / "a.mp4", 20)))

    def stops(self, size):
        yield np.zeros((*size, 3), np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.datasets.video.reading.Video.frames", stops)
    with pytest.raises(KeyboardInterrupt):
        FrameCache(tmp_path / "cache").get(record, (16, 32))
    assert list((tmp_path / "cache").iterdir()) == []
