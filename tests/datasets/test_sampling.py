from __future__ import annotations

import numpy as np
import pytest

from zoo.datasets.samples.sampling import Segments, Windows, resampled

STEADY = np.arange(100) / 25
VARYING = np.array([0, 0.04, 0.08, 0.2, 0.24, 0.6, 0.64])


def test_windows_follow_each_other():
    rng = np.random.default_rng(0)
    starts = set()
    for _ in range(300):
        frames = Windows(79).draw(STEADY, rng)
        np.testing.assert_array_equal(np.diff(frames), 1)
        starts.add(int(frames[0]))
    assert starts == set(range(22)) and len(frames) == 79
    found = Windows(16, hop=10).all(STEADY[:47])
    assert found[:, 0].tolist() == [0, 10, 20, 30, 31] and found[-1, -1] == 46
    assert Windows(47).all(STEADY[:47]).tolist() == [list(range(47))]


@pytest.mark.parametrize("fps", [6, 10, 12.5, 25, 29.97, 30])
def test_blocks_at_a_given_frame_rate(fps):
    """The k-th frame of a block is what is on the screen k / fps seconds after its first."""
    frames = resampled(STEADY, fps)
    assert len(frames) == int(np.ceil(4 * fps))
    moments = np.arange(len(frames)) / fps
    assert np.all(STEADY[frames] <= moments + 1e-6)
    assert np.all(moments < STEADY[frames] + 1 / 25 + 1e-6)
    blocks = Windows(min(30, len(frames)), fps=fps)
    block = blocks.draw(STEADY, np.random.default_rng(1))
    places = np.flatnonzero(frames == block[0])  # a frame may be shown twice
    assert any(np.array_equal(block, frames[p : p + blocks.length]) for p in places)


def test_a_variable_frame_rate_uses_time_stamps():
    assert resampled(VARYING, 25).tolist() == [0, 1, 2, 2, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 6]
    assert resampled(VARYING, 5).tolist() == [0, 3, 4, 5]
    assert resampled(VARYING, None).tolist() == list(range(7))


def test_segments_spread_over_the_video():
    segments = Segments(7)
    assert segments.all(STEADY).tolist() == [[7, 21, 35, 50, 64, 78, 92]]
    drawn = np.stack([segments.draw(STEADY, np.random.default_rng(n)) for n in range(500)])
    edges = np.linspace(0, 100, 8)
    for part in range(7):
        assert drawn[:, part].min() == int(edges[part])
        assert edges[part + 1] - 1 <= drawn[:, part].max() + 1 <= np.ceil(edges[part + 1])
    snippets = Segments(3, length=5).all(STEADY[:11])[0].reshape(3, 5)
    np.testing.assert_array_equal(np.diff(snippets), 1)
    assert snippets[:, 0].tolist() == [1, 3, 5] and snippets.max() < 11
    assert Segments(8).all(STEADY[:3]).tolist() == [[0, 0, 0, 1, 1, 2, 2, 2]]


def test_short_videos():
    with pytest.raises(ValueError, match=r"at least the 16 frames.*Received: 5"):
        Windows(16).draw(STEADY[:5], np.random.default_rng(0))
    held = Windows(8, pad=True).draw(STEADY[:5], np.random.default_rng(0))
    assert held.tolist() == list(range(8))  # 5 and above lie after its end
    with pytest.raises(ValueError, match="5 frames of a snippet"):
        Segments(2, length=5).all(STEADY[:4])


@pytest.mark.parametrize(
    "wrong", [lambda: Windows(0), lambda: Windows(3, hop=0), lambda: Segments(0)]
)
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="Received"):
        wrong()


def test_a_wrong_rate():
    with pytest.raises(ValueError, match="fps"):
        resampled(STEADY, 0)
