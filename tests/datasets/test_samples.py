from __future__ import annotations

import dataclasses
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.conftest import number_of, numbered_video
from zoo.datasets.record import GazeSource, Record, Tube
from zoo.datasets.samples import (
    Action,
    Boxes,
    Features,
    Flow,
    Frames,
    Mixture,
    Saliency,
    Samples,
)
from zoo.datasets.samples.samples import cache_folder
from zoo.datasets.samples.sampling import Segments, Windows
from zoo.datasets.samples.transforms import Colour, Crop, HorizontalFlip, MultiScaleCrop
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import load, shard_video
from zoo.datasets.shards.streams import FlowStream, FrameStream
from zoo.datasets.video.flow import video_flow
from zoo.datasets.video.reading import FrameRateWarning, VideoError, open_video

SIZE = (16, 64)
TARGETS = (Mixture(2), Action(3), Boxes(2))
TRANSFORMS = (HorizontalFlip(), Crop(), MultiScaleCrop(), Colour())


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Videos whose frames show their number; gaze and a box encode it too: x = frame / 64."""
    root, made = tmp_path_factory.mktemp("videos"), []
    for at, count in enumerate((40, 25, 60)):
        video = numbered_video(root / f"{at}.mp4", count)
        rows = "".join(f"{v},{f},{f}.25,{v}\n" for f in range(count) for v in (1, 2, 3))
        (root / f"{at}.csv").write_text("viewer,frame,x,y\n" + rows)
        boxes = np.stack([np.arange(3.0, 23), *np.tile([[2.0], [4.0], [6.0]], 20)], 1)
        gaze = GazeSource((str(root / f"{at}.csv"),))
        made.append(Record(f"v{at}", str(video), "train", at, gaze, boxes=(Tube(0, 3, boxes),)))
    return made


@pytest.fixture(scope="module")
def sharded(records, tmp_path_factory):
    root = tmp_path_factory.mktemp("shards")
    streams = [FrameStream(SIZE, 100), FlowStream(SIZE, "dis:ultrafast")]
    prepare(records, root, streams, per_shard=2, chunk=16, workers=1)
    by_name = {record.name: record for record in load(root)}
    return [by_name[record.name] for record in records]


@pytest.fixture(scope="module")
def folders(records, tmp_path_factory):
    """The same videos as folders of pictures."""
    import cv2

    root, made = tmp_path_factory.mktemp("folders"), []
    for record in records:
        folder = root / record.name
        folder.mkdir()
        for number, frame in enumerate(open_video(record.video).frames()):
            cv2.imwrite(str(folder / f"{number:04d}.png"), frame[..., ::-1])
        made.append(dataclasses.replace(record, video=str(folder)))
    return made


def numbers_of(rgb):
    return [number_of(frame) for frame in rgb]


def shown(points):
    """Frame numbers decoded from the gaze of `records`."""
    return np.floor(points[..., 0] * 64)


@pytest.mark.parametrize("sampling", [Windows(9), Windows(9, fps=10), Segments(5, 2)])
@pytest.mark.parametrize("where", ["records", "sharded", "folders"])
def test_pictures_gaze_boxes_and_labels_belong_together(where, sampling, request):
    given = request.getfixturevalue(where)
    samples = Samples(given, sampling, inputs=[Frames(SIZE)], targets=TARGETS, per_video=3)
    assert len(samples) == 9
    seen = set()
    for number in range(18):
        inputs, targets, weights = samples.draw(number)
        frames = np.array(numbers_of(inputs["rgb"]))
        seen.add(tuple(frames))
        np.testing.assert_array_equal(shown(targets["mixture"]), frames[:, None] + [0, 0])
        inside = (frames >= 3) & (frames < 23)
        boxes = np.array([[f, 1, 4, 3] for f in frames[inside]]).reshape(-1, 4)
        np.testing.assert_allclose(targets["boxes"][inside, 0], boxes)
        assert np.isnan(targets["boxes"][~inside]).all()
        assert weights["mixture"] == weights["action"] == 1
        counts = (40, 25, 60)
        assert frames.max() < counts[targets["action"]]
    assert len(seen) > 5


def test_a_part_of_a_video_is_its_own_video(records):
    part = dataclasses.replace(records[2], start=0.8, end=1.6)  # frames 20 to 39
    samples = Samples([part], Windows(5), inputs=[Frames(SIZE)], per_video=50)
    drawn = [samples.draw(number) for number in range(50)]
    frames = np.array([numbers_of(inputs["rgb"]) for inputs, _, _ in drawn])
    assert frames.min() == 20 and frames.max() == 39
    gaze = np.array([shown(targets["mixture"])[:, 0] for _, targets, _ in drawn])
    np.testing.assert_array_equal(gaze, frames)


def test_a_folder_has_the_rate_of_its_record(folders):
    at_50 = dataclasses.replace(folders[2], fps=50.0, start=0.4, end=0.8)  # frames 20 to 39
    options = {"inputs": [Frames(SIZE)], "targets": [Action(3)], "per_video": 30}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = Samples([at_50], Windows(5), **options)
        assert Samples(folders, Windows(5), **options)  # no seconds: no rate is needed
    frames = {n for at in range(30) for n in numbers_of(samples.draw(at)[0]["rgb"])}
    assert min(frames) == 20 and max(frames) == 39
    with pytest.warns(FrameRateWarning, match="3 of 3 videos do not state.*v0, v1, v2"):
        Samples(folders, Windows(5, fps=10), **options)


def test_a_short_video_is_padded_with_its_last_frame_and_no_gaze(records):
    targets = [Mixture(2, lag=4)]
    samples = Samples([records[1]], Windows(30, pad=True), inputs=[Frames(SIZE)], targets=targets)
    inputs, found, _ = samples.draw(0)
    assert numbers_of(inputs["rgb"]) == [*range(25), *[24] * 5]
    assert shown(found["mixture"])[:21, 0].tolist() == list(range(4, 25))
    assert np.isnan(found["mixture"][21:]).all()


def test_flow_is_that_of_its_frames(records, sharded):
    def method(first, second):  # returns which frames it was given
        return np.stack([second.astype(np.float32) - first, first], -1)

    flow = Flow(SIZE, method=method)
    options = {"inputs": [flow, Frames(SIZE)], "targets": [Action(3)], "per_video": 4}
    whole = {}
    for at, record in enumerate(records):
        frames = open_video(record.video).frames(SIZE)
        fields = list(video_flow(frames, size=SIZE, output_size=None, method=method))
        whole[at] = np.stack([np.zeros_like(fields[0]), *fields])
    for sampling in (Windows(6), Segments(3, 2)):
        samples = Samples(records, sampling, **options)
        for number in range(12):
            inputs, targets, _ = samples.draw(number)
            wanted = whole[int(targets["action"])][numbers_of(inputs["rgb"])]
            np.testing.assert_allclose(inputs["flow"], wanted, atol=1e-5)
            assert np.abs(wanted).max() > 0.1
    options["inputs"] = [Flow(SIZE), Frames(SIZE)]
    inputs, targets, _ = Samples(sharded, Windows(25), **options).draw(0)
    rows = shard_video(sharded[int(targets["action"])].video).stream("flow")
    np.testing.assert_array_equal(inputs["flow"], rows[numbers_of(inputs["rgb"])])


@pytest.mark.parametrize(
    "options", [{"method": lambda a, b: np.ones((*a.shape, 2))}, {"computed_at": (20, 24)}]
)
def test_flow_of_another_method_or_size_is_not_read_from_shards(sharded, options):
    inputs = [Flow(SIZE, **options)]
    samples = Samples(sharded, Windows(25), inputs=inputs, targets=[Action(3)])
    inputs, targets, _ = samples.draw(0)
    rows = shard_video(sharded[int(targets["action"])].video).stream("flow")
    assert np.abs(inputs["flow"][1:] - rows[1:25]).max() > 0.1


def test_a_flip_mirrors_pictures_gaze_boxes_and_flow(records):
    options = {"inputs": [Frames(SIZE), Flow(SIZE)], "targets": TARGETS, "seed": 3}
    plain, mirrored = (
        Samples(records, Windows(5), transforms=[HorizontalFlip(share)], **options)
        for share in (0.0, 1.0)
    )
    for number in range(3):
        (x, y, _), (mx, my, _) = plain.draw(number), mirrored.draw(number)
        np.testing.assert_array_equal(x["rgb"][:, :, ::-1], mx["rgb"])
        np.testing.assert_allclose(x["flow"][:, :, ::-1] * [-1, 1], mx["flow"])
        assert not np.array_equal(x["rgb"], mx["rgb"])
        np.testing.assert_allclose(1 - y["mixture"][..., 0], my["mixture"][..., 0], atol=1e-6)
        left, width = y["boxes"][..., 0], y["boxes"][..., 2]
        np.testing.assert_allclose(64 - left - width, my["boxes"][..., 0])


def test_the_map_belongs_to_the_right_frame(records):
    for frame, place in (("last", -1), ("centre", 4)):
        target = Saliency((32, 64), frame=frame, sigma=0.02)
        samples = Samples(records, Windows(8), inputs=[Frames(SIZE)], targets=[target])
        inputs, targets, weights = samples.draw(1)
        truth, counts = np.moveaxis(targets["saliency"], -1, 0)
        shown_frame = numbers_of(inputs["rgb"])[place]
        assert np.nonzero(counts)[1].tolist() == [shown_frame] * 3 and counts.sum() == 3
        assert truth.sum() == pytest.approx(1, abs=1e-5)
        assert truth.max(0).argmax() == shown_frame
        assert np.nonzero(counts)[0].tolist() == [1, 2, 3]  # y of the three viewers
        assert weights["saliency"] == 1


def test_each_prediction_is_scored_once_in_order(records):
    samples = Samples(
        records, Windows(10, pad=True), inputs=[Frames(SIZE)], targets=[Mixture(1, lag=3)]
    )
    scored = {0: [], 1: [], 2: []}
    for number, place in enumerate(samples.places):
        inputs, targets, _ = samples.in_order(number)
        frames = numbers_of(inputs["rgb"])
        found = shown(targets["mixture"])[: len(place.scored), 0]
        np.testing.assert_array_equal(found, place.scored)
        np.testing.assert_array_equal(frames[3 : 3 + len(place.scored)], place.scored)
        scored[place.video] += place.scored.tolist()
    assert scored == {0: list(range(3, 40)), 1: list(range(3, 25)), 2: list(range(3, 60))}
    np.testing.assert_array_equal(shown(samples.truth(1))[:, 0], range(25))


def test_every_window_is_used_once_per_epoch(records):
    samples = Samples(
        records, Windows(16, hop=4), inputs=[Frames(SIZE)], targets=[Action(3)], per_video=None
    )
    count = len(samples)
    assert count == 7 + 4 + 12  # the last window ends with its video
    drawn = []
    for number in range(2 * count):
        inputs, targets, _ = samples.draw(number)
        drawn.append((int(targets["action"]), number_of(inputs["rgb"][0])))
    assert len(set(drawn[:count])) == count and set(drawn[:count]) == set(drawn[count:])
    assert drawn[:count] != drawn[count:]


def test_where_the_cache_is(monkeypatch, tmp_path):
    for name in ("ZOO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/.cache/zoo/datasets")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "zoo" / "datasets"
    monkeypatch.setenv("ZOO_CACHE", "~/mine")
    assert cache_folder() == Path("/somewhere/mine")


def test_each_epoch_draws_different_windows(records):
    def windows(epoch, seed=0):
        options = {"inputs": [Frames(SIZE)], "targets": [Action(3)], "per_video": 8, "seed": seed}
        samples = Samples(records, Windows(5), **options)
        chosen = [samples.choose(number) for number in range(24 * epoch, 24 * epoch + 24)]
        return sorted((video, int(steps[0]), float(rng.random())) for video, steps, rng in chosen)

    drawn = [windows(0), windows(1), windows(0, seed=1)]
    assert drawn[0] == windows(0)
    for part in (slice(0, 2), slice(2, 3)):  # position of the window, and its other random choices
        sets = [{each[part] for each in found} for found in drawn]
        assert sets[0] != sets[1] and sets[0] != sets[2]
        assert all(len(found) > 12 for found in sets)


def test_weights_average_over_the_videos_that_have_the_target(records):
    mixed = [
        dataclasses.replace(records[0], gaze=None),
        dataclasses.replace(records[1], label=None),
        records[2],
        dataclasses.replace(records[0], name="w", gaze=None),
    ]
    samples = Samples(mixed, Windows(4), inputs=[Frames(SIZE)], targets=[Mixture(2), Action(3)])
    total = {"mixture": 0.0, "action": 0.0}
    for number in range(4):
        _, targets, weights = samples.draw(number)
        total = {name: total[name] + weights[name] for name in total}
        assert (weights["mixture"] > 0) == np.isfinite(targets["mixture"]).any()
        if not weights["action"]:
            assert targets["action"] == 0
    # Over an epoch, the weights of each task sum to the number of samples.
    assert total == {"mixture": pytest.approx(4), "action": pytest.approx(4)}


def test_sampled_gaze_replaces_missing_gaze(records):
    bare = [dataclasses.replace(records[0], gaze=None), records[1]]
    points = np.stack([np.arange(40) / 64 + 1 / 128, np.full(40, 0.5)], -1)[:, None]
    samples = Samples(
        bare, Windows(4), inputs=[Frames(SIZE)], points={"v0": points}, points_weight=0.5
    )
    weights = set()
    for number in range(8):
        inputs, targets, weight = samples.draw(number)
        weights.add(float(weight["mixture"]))
        np.testing.assert_array_equal(shown(targets["mixture"])[:, 0], numbers_of(inputs["rgb"]))
    # One of two videos has recorded gaze: its weight is 2, that of the sampled gaze half as large.
    assert weights == {1.0, 2.0}


def test_the_teacher_follows_the_step(records):
    target = Mixture(2, lag=1, teacher=lambda step: step / 10)
    samples = Samples(records, Windows(20), inputs=[Frames(SIZE)], targets=[target], per_video=20)
    shares = []
    for step in (0, 5, 10):
        told = []
        for number in range(30):
            inputs, targets, _ = samples.draw(number, step)
            given = np.isfinite(inputs["fixations"]).all((1, 2))
            np.testing.assert_array_equal(inputs["fixations"][given], targets["mixture"][given])
            told.append(given)
        shares.append(np.mean(told))
    assert shares[0] == 0 and shares[2] == 1 and abs(shares[1] - 0.5) < 0.08
    assert np.isnan(samples.in_order(0)[0]["fixations"]).all()


def test_bad_videos_are_counted_and_named_before_training(records, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    bad = [
        *records,
        Record("b", str(broken), gaze=records[0].gaze),
        Record("m", str(tmp_path / "missing.mp4"), gaze=records[0].gaze),
    ]
    with pytest.raises(VideoError, match=r"2 of 5 are not: .*broken\.mp4.*missing\.mp4") as error:
        Samples(bad, Windows(4))
    assert "skip_bad" in str(error.value)
    with pytest.warns(UserWarning, match=r"2 of 5"):
        assert len(Samples(bad, Windows(4), skip_bad=True).records) == 3
    with pytest.raises(VideoError, match=r"1 of 3 are not: v1 \(.*at least the 30 frames.*25"):
        Samples(records, Windows(30))
    with pytest.warns(UserWarning, match=r"1 of 3 are not: v1"):
        assert len(Samples(records, Windows(30), skip_bad=True)) == 2


def test_a_video_that_changes_in_the_middle_is_named(records, tmp_path):
    path = tmp_path / "a.mp4"
    shutil.copy(records[0].video, path)
    samples = Samples([dataclasses.replace(records[0], video=str(path))], Windows(4))
    samples.draw(0)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(VideoError, match=r"start again.*a\.mp4"):
        samples.draw(1)
    os.remove(path)
    with pytest.raises(VideoError, match=r"put it back.*a\.mp4"):
        samples.draw(2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"records": []}, "at least one video"),
        ({"per_video": 0}, "`per_video`"),
        ({"targets": []}, "`targets` must not be empty"),
        ({"targets": [Action(3), Action(3)]}, "names must be unique"),
        ({"targets": [Action(2)]}, r"Labels must be from 0 to 1.*v2"),
        ({"inputs": [Frames((8, 8)), Flow((16, 16))]}, "the same size"),
        ({"inputs": [Features(None)], "transforms": [Colour()]}, "Stored features"),
    ],
)
def test_bad_arguments_are_named(records, changes, message):
    arguments = {"records": records, "sampling": Windows(4), **changes}
    with pytest.raises(ValueError, match=message):
        Samples(**arguments)


@pytest.mark.parametrize("size", [32, (32,), (0, 3), None])
def test_sizes_of_frames(size):
    with pytest.raises(ValueError, match=r"`size` must be \(height, width\)"):
        Frames(size)


def test_a_target_that_no_video_has_is_named(records):
    bare = [dataclasses.replace(record, gaze=None) for record in records]
    with pytest.raises(ValueError, match="`mixture`, which none of 3"):
        Samples(bare, Windows(4), targets=[Mixture(), Action(3)])
    several = [dataclasses.replace(records[0], label=(0, 2))]
    with pytest.raises(ValueError, match="multi_label"):
        Samples(several, Windows(4), targets=[Action(3)])
    samples = Samples(several, Windows(4), targets=[Action(3, multi_label=True)])
    assert samples.draw(0)[1]["action"].tolist() == [1, 0, 1]


def test_other_names_of_inputs_and_targets_change_nothing_else(records):
    usual = Samples(
        records, Windows(6), inputs=[Frames((24, 32)), Flow((24, 32))], targets=[Mixture()],
        transforms=[HorizontalFlip(1.0), Crop((0.5,))], cache=records[0].video + ".cache",
    )  # fmt: skip
    named = Samples(
        records, Windows(6), inputs=[Frames((24, 32), name="video"), Flow((24, 32), name="motion")],
        targets=[Mixture(name="gaze")], transforms=usual.transforms,
        cache=records[0].video + ".cache",
    )  # fmt: skip
    (inputs, targets, _), (others, gaze, _) = usual.draw(3), named.draw(3)
    np.testing.assert_array_equal(inputs["rgb"], others["video"])
    np.testing.assert_array_equal(inputs["flow"], others["motion"])
    np.testing.assert_array_equal(targets["mixture"], gaze["gaze"])
    only = Samples(
        records, Windows(6), inputs=[Flow((24, 32))], targets=[Mixture()],
        transforms=[*usual.transforms, Colour()], cache=records[0].video + ".cache",
    )  # fmt: skip
    np.testing.assert_array_equal(only.draw(3)[0]["flow"], inputs["flow"])


def test_sampled_gaze_does_not_replace_measured_gaze(records, tmp_path):
    drawn = {records[0].name: np.full((200, 1, 2), 0.25, np.float32)}
    samples = Samples(
        records, Windows(6), targets=[Mixture(4)], points=drawn, points_weight=0.5, cache=tmp_path
    )
    assert samples.in_order(0)[2]["mixture"] == 1.0
    measured = Samples(records, Windows(6), targets=[Mixture(4)], cache=tmp_path).truth(0)
    np.testing.assert_array_equal(samples.truth(0), measured)


def test_fixations_by_name_need_unique_names(tmp_path):
    record = Record("a", "a.mp4")
    with pytest.raises(ValueError, match=r"`points` must be unique.*once: \['a'\]"):
        Samples([record, Record("a", "b.mp4")], Windows(2), points={"a": np.zeros((4, 1, 2))})


@pytest.mark.parametrize(
    "part, fps", [((0.24, 0.9), None), ((None, None), 12.5), ((0.25, 0.9), 10)]
)
def test_shards_of_parts_and_at_other_rates_keep_the_boxes_of_their_frames(
    records, tmp_path, part, fps
):
    start, end = part
    given = [dataclasses.replace(r, start=start, end=end) for r in records]
    prepare(given, tmp_path, [FrameStream(SIZE, 100)], workers=1, fps=fps)
    stored = {record.name: record for record in load(tmp_path)}
    length = shard_video(stored["v1"].video).num_frames
    assert length == {None: 17, 12.5: 13, 10: 7}[fps]
    samples = Samples([stored["v1"]], Windows(length), targets=TARGETS, inputs=[Frames(SIZE)])
    inputs, targets, _ = samples.draw(0)
    numbers = np.array(numbers_of(inputs["rgb"]))
    boxed = np.isfinite(targets["boxes"][:, 0, 0])
    assert boxed.any()
    np.testing.assert_array_equal(boxed, (numbers >= 3) & (numbers < 23))
    np.testing.assert_array_equal(targets["boxes"][boxed, 0, 0], numbers[boxed])
    np.testing.assert_array_equal(shown(targets["mixture"])[:, 0], numbers)


def test_a_video_that_is_all_lag_is_too_short(records):
    with pytest.raises(VideoError, match=r"v1 \(25 frames, .* first 25 have no prediction"):
        Samples(records, Windows(30, pad=True), targets=[Mixture(2, lag=25)])


def test_boxes_need_pixels(records, tmp_path):
    with pytest.raises(ValueError, match=r"one `Boxes` target.*\['boxes', 'more'\]"):
        Samples(records, Windows(4), targets=[Boxes(1), Boxes(2, name="more")])
