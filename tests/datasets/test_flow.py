"""Flow of videos: batches, enlargement and the scaling of vectors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from zoo.datasets.video.flow import dis_flow, read_flow, store_flow, video_flow


def _moving(frames=7, size=64, step=1.5):
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(size, 2 * size)), 2)
    noise = (noise - noise.min()) / np.ptp(noise) * 255
    for t in range(frames):
        shifted = ndimage.shift(noise, (0, step * t), order=3, mode="nearest")
        yield np.repeat(shifted[:, size // 2 : size // 2 + size, None], 3, 2).astype("uint8")


def test_one_flow_field_per_frame_except_the_first():
    calls = []

    def method(first, second):
        calls.append(len(first))
        return np.stack([first, second], -1).astype("float32")

    frames = [np.full((20, 30, 3), t, "uint8") for t in range(8)]
    fields = list(video_flow(frames, method=method, size=(10, 12), output_size=None, batch=3))
    assert calls == [3, 3, 3]
    np.testing.assert_array_equal([field[0, 0] for field in fields], [(t, t + 1) for t in range(7)])
    assert list(video_flow(frames[:1])) == []


@pytest.mark.parametrize("scaled", [True, False])
def test_vectors_are_scaled_with_the_field(scaled):
    options = {"size": (64, 64), "output_size": (128, 192), "scale_vectors": scaled}
    fields = np.stack(list(video_flow(_moving(), **options)))
    assert fields.shape == (6, 128, 192, 2)
    inner = fields[:, 32:-32, 48:-48].mean((0, 1, 2))
    np.testing.assert_allclose(inner, [4.5 if scaled else 1.5, 0], atol=0.15)


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
def test_dis_finds_the_motion(preset):
    fields = list(video_flow(_moving(), method=dis_flow(preset), size=(64, 64), output_size=None))
    assert abs(np.mean([f[12:-12, 12:-12, 0] for f in fields]) - 1.5) < 0.1


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="`preset`"):
        dis_flow("slow")
    with pytest.raises(ValueError, match="height, width, 3"):
        list(video_flow([np.zeros((8, 8), "uint8")]))
    with pytest.raises(ValueError, match="`method` must return"):
        list(video_flow(_moving(2), method=lambda a, b: a))
    with pytest.raises(ValueError, match="`output_size`"):
        list(video_flow(_moving(2), output_size=(0, 4)))


def test_stored_flow_is_the_videos_flow(tmp_path):
    frames = list(_moving(frames=5, size=40, step=2))
    path = tmp_path / "flow.npy"
    store_flow(path, iter(frames), num_frames=5, size=(40, 40), batch=2)
    found = read_flow(path, num_frames=5)
    assert not found[0].any() and abs(np.median(found[1:, 10:30, 10:30, 0]) - 2.0) < 0.3
    expected = np.stack(list(video_flow(frames, size=(40, 40), output_size=(80, 60))))
    got = read_flow(path, num_frames=5, output_size=(80, 60))
    np.testing.assert_allclose(got[1:], expected, atol=0.02)
    kept = path.read_bytes()
    for wrong in (4, 6):
        with pytest.raises(ValueError, match=rf"num_frames={wrong}, 5 frames"):
            store_flow(path, iter(frames), num_frames=wrong, size=(40, 40))
    assert path.read_bytes() == kept and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match=r"must have the shape .*\(5, 40, 40, 2\)"):
        read_flow(path, num_frames=6)
