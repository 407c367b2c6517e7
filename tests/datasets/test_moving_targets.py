from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from zoo.datasets import moving_targets
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.made.scene import CLASSES, LEAD, draw_scene
from zoo.datasets.made.viewers import draw_gaze, gaze_density
from zoo.datasets.video.reading import open_video

SETTINGS = {"num_videos": 8, "frames": 32, "size": (64, 80), "seed": 3}


def scene(label=0, seed=0, frames=48, **changes):
    given = {"fps": 25.0, "label": label, "objects": 4, "occlusions": False, **changes}
    return draw_scene(np.random.default_rng(seed), frames=frames, **given)


def test_records_contain_all_ground_truth(made):
    root, records = made
    assert len(records) == 8
    assert {record.split for record in records} == {"train", "validation", "test"}
    assert [r.name for r in moving_targets.load(root, "test")] == [
        r.name for r in records if r.split == "test"
    ]
    for record in records:
        video = open_video(record.video)
        assert (video.num_frames, video.height, video.width, video.fps) == (32, 64, 80, 25.0)
        (segment,) = record.segments
        assert segment.label == record.label
        assert 0 < segment.start < segment.end < 32 / 25  # only a part of the video
        assert [tube.label for tube in record.boxes] == [0, 1, 1, 1]
        assert record.boxes[0].boxes.shape == (32, 4)
        fixations = read_fixations(record)
        assert fixations.num_frames == 32 and len(fixations.viewers) == 12
        maps = moving_targets.true_density(record, 16, 20)
        assert maps.shape == (32, 16, 20)
        np.testing.assert_allclose(maps.sum((1, 2)), 1, atol=1e-5)


def test_the_target_can_be_seen(tmp_path):
    for record in moving_targets.make(tmp_path, num_videos=4, frames=16):
        for number, frame in enumerate(open_video(record.video).frames()):
            hue, strength, _ = np.moveaxis(cv2.cvtColor(frame, cv2.COLOR_RGB2HSV), -1, 0)
            x, y, width, height = record.boxes[0].boxes[number]
            warm = (hue > 3) & (hue < 23) & (strength > 150)
            inside = np.zeros(warm.shape, bool)
            top, left = max(0, int(y) - 1), max(0, int(x) - 1)
            inside[top : int(y + height) + 2, left : int(x + width) + 2] = True
            assert np.sum(warm & inside) > 20  # chroma is halved: edges are not counted
            assert np.mean(inside[warm]) > 0.8


def test_gaze_follows_the_stated_density():
    density = gaze_density(scene(seed=5))
    gaze = draw_gaze(np.random.default_rng(0), density, viewers=20_000)
    height, width = 8, 10
    maps = density.maps(height, width)
    for frame in (0, 7, 23, 47):
        here = gaze["frame"] == frame
        row, column = (gaze["y"][here] * height).astype(int), (gaze["x"][here] * width).astype(int)
        found = np.bincount(row * width + column, minlength=height * width)
        expected = maps[frame].reshape(-1) * here.sum()
        large = expected > 10
        chi = np.sum((found - expected)[large] ** 2 / expected[large])
        assert chi < large.sum() + 4 * np.sqrt(2 * large.sum())
    fine = density.maps(512, 512)[23] * 512 * 512
    grid = (np.arange(512) + 0.5) / 512
    x, y = np.meshgrid(grid, grid)
    log = density.log_prob(np.full(x.size, 23), x.reshape(-1), y.reshape(-1))
    np.testing.assert_allclose(np.exp(log), fine.reshape(-1), rtol=2e-3)


def test_gaze_is_late_and_persistent():
    made_scene = scene(CLASSES.index("jump"), seed=1)
    density = gaze_density(made_scene)
    gaze = draw_gaze(np.random.default_rng(0), density, viewers=400)
    target = made_scene.paths[0, LEAD:]
    errors = []
    for lag in range(8):
        late = np.maximum(gaze["frame"] - lag, 0)
        errors.append(np.median(np.abs(gaze["x"] - target[late, 0])))
    assert np.argmin(errors) in (2, 3, 4)
    one = gaze["viewer"] == 0
    steps = np.abs(np.diff(gaze["x"][one]))
    assert np.median(steps) < 0.03  # independent samples would jump by twice the spread


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_an_action_is_a_motion_within_the_segment_only(label):
    made_scene = scene(label, seed=9, frames=64)
    start, stop = made_scene.segment
    path = made_scene.paths[0, LEAD:]
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    inside = steps[start + 3 : stop - 4]
    name = CLASSES[label]
    if name == "freeze":
        assert inside.max() < 1e-9
    elif name == "jump":
        assert np.median(inside) < 1e-9 < 0.03 < inside.max()
    else:
        assert inside.mean() > 0.015
    if name in ("shake", "bounce"):
        still = path[start + 3 : stop - 4, 1 if name == "shake" else 0]
        assert np.ptp(still) < 1e-9
    assert path.min() > 0 and path.max() < 1


def test_the_same_seed_gives_the_same_files_and_a_broken_run_is_completed(made, tmp_path):
    root, records = made
    copy = tmp_path / "data"
    shutil.copytree(root, copy)
    (copy / "index.npz").unlink()
    (copy / "truth" / "video_000005.npz").unlink()
    (copy / "videos" / "video_000005.mp4").write_bytes(b"half")
    with pytest.raises(FileNotFoundError, match=r"index\.npz"):
        moving_targets.load(copy)
    again = moving_targets.make(copy, **SETTINGS)
    assert [r.label for r in again] == [r.label for r in records]
    for part in ("gaze/video_000005.csv", "index.npz"):
        assert (copy / part).read_bytes() == (root / part).read_bytes()
    pictures = [list(open_video(found[5].video).frames()) for found in (again, records)]
    np.testing.assert_allclose(*np.asarray(pictures, float), atol=8)
    with pytest.raises(ValueError, match=r"other \['seed'\]"):
        moving_targets.make(copy, **{**SETTINGS, "seed": 4})
    (copy / "videos" / "video_000002.mp4").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 missing.*video_000002"):
        moving_targets.load(copy)


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="must be empty"):
        moving_targets.make(tmp_path, num_videos=3)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_occlusions_hide_the_target_for_a_while(tmp_path):
    records = moving_targets.make(
        tmp_path / "o", num_videos=3, frames=40, size=(64, 64), occlusions=True
    )
    shares = np.stack([record.boxes[0].visible for record in records])
    assert np.all(shares.mean(1) > 0.2) and shares.min() < 0.5
    hidden = np.argwhere(shares < 0.01)
    for video, frame in hidden[:5]:
        picture = open_video(records[video].video).read([frame])[0]
        x, y, width, height = records[video].boxes[0].boxes[frame].astype(int)
        part = picture[max(y, 0) : y + height, max(x, 0) : x + width]
        hue, strength, _ = np.moveaxis(cv2.cvtColor(part, cv2.COLOR_RGB2HSV), -1, 0)
        assert np.sum((hue > 3) & (hue < 23) & (strength > 150)) < 10


def test_a_true_density_needs_a_synthetic_record(made):
    import dataclasses

    with pytest.raises(ValueError, match="moving_targets only"):
        moving_targets.true_density(dataclasses.replace(made[1][0], dataset="dhf1k"), 8, 8)


def test_the_share_of_the_action_can_be_chosen(tmp_path):
    for seed in range(30):
        start, stop = scene(label=seed % 7, seed=seed, action_share=(0.2, 0.25)).segment
        assert 10 <= stop - start <= 12 and start >= 8 and stop <= 46
    with pytest.raises(ValueError, match="smaller one first"):
        moving_targets.make(tmp_path, num_videos=4, action_share=(0.5, 0.2))
    moving_targets.make(tmp_path, num_videos=3, frames=16, size=(48, 48), viewers=1)
    with pytest.raises(ValueError, match="action_share"):
        moving_targets.make(
            tmp_path,
            num_videos=3,
            frames=16,
            size=(48, 48),
            viewers=1,
            action_share=(0.2, 0.3),
        )
