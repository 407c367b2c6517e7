from __future__ import annotations

import warnings

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from tests.datasets.conftest import numbered_video
from tests.real_data import data_dir
from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.placing import to_video
from zoo.datasets.gaze.reading import GazeWarning, read_fixations
from zoo.datasets.gaze.store import GazeStore
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.video.index import VideoIndex

KNOWN = {"num_frames": 4, "width": 100, "height": 50}


def some(seed=0, count=200, num_frames=10, viewers=5):
    rng = np.random.default_rng(seed)
    return Fixations(
        rng.integers(0, num_frames, count),
        rng.random(count),
        rng.random(count),
        rng.integers(0, viewers, count),
        num_frames,
    )


def from_csv(tmp_path, text, **known):
    (tmp_path / "g.csv").write_text(text)
    form = known.pop("form", CsvFormat())
    record = Record("clip_7", "none", gaze=GazeSource((str(tmp_path / "g.csv"),), csv=form))
    return read_fixations(record, **{**KNOWN, **known})


def test_padded_contains_each_fixation_once():
    fixations = some()
    padded = fixations.padded()
    assert padded.dtype == np.float32 and padded.shape[0] == 10
    assert np.isfinite(padded).sum() == 2 * len(fixations)
    for frame in range(10):
        of = fixations.in_frames(frame, frame + 1)
        points = padded[frame][np.isfinite(padded[frame, :, 0])]
        expected = np.stack([of.x, of.y], 1).astype(np.float32)
        np.testing.assert_array_equal(np.sort(points, axis=0), np.sort(expected, axis=0))


def test_a_sample_of_points_is_drawn_without_repetition():
    fixations = some()
    few, again, other = (fixations.padded(6, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(few, again)
    assert not np.array_equal(few, other)
    for frame in few:
        assert len(np.unique(frame[:, 0])) == 6
    drawn = np.concatenate([fixations.padded(3, seed)[0, :, 0] for seed in range(60)])
    assert len(np.unique(drawn)) == fixations.per_frame[0]  # every fixation is drawn at some point


def test_parts_of_fixations():
    fixations = some()
    a, b = fixations.halves(3)
    assert len(a) + len(b) == len(fixations)
    assert set(a.viewers).isdisjoint(b.viewers) and len(a.viewers) == 3
    taken = fixations.take([4, 4, 1])
    expected = fixations.per_frame[[4, 4, 1]]
    np.testing.assert_array_equal(taken.per_frame, expected)
    np.testing.assert_array_equal(taken.in_frames(1, 2).x, fixations.in_frames(4, 5).x)
    counts = fixations.counts(7, 9)
    assert counts.shape == (10, 7, 9) and counts.sum() == len(fixations)
    one = Fixations([0], [0.999], [0.5], [2], 1).counts(4, 5)[0]
    assert np.argwhere(one).tolist() == [[2, 4]]
    medians = Fixations([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.9], [0, 0, 0, 0], [1, 1, 1, 1], 2)
    assert medians.one_per_viewer().x.tolist() == [0.2, 0.9]
    with pytest.raises(ValueError, match="at least 2"):
        fixations.of_viewers([1]).halves()


def test_bad_samples_are_counted_and_named(tmp_path):
    text = (
        "viewer,frame,x,y\n1,0,50,25\n1,1,nan,3\n2,1,-1,3\n2,2,5,50\n1,9,5,5\n1,-2,5,5\n2,2,x,1\n"
    )
    with pytest.warns(GazeWarning, match="clip_7.*2 not a number.*1 before.*1 beyond.*2 outside"):
        fixations = from_csv(tmp_path, text)
    assert len(fixations) == 1 and (fixations.x[0], fixations.y[0]) == (0.5, 0.5)
    assert fixations.issues == {
        "not a number": 2,
        "before the first frame": 1,
        "beyond the video's end": 1,
        "outside the frame": 2,
        "frames without a fixation": 3,
    }


def test_missing_columns_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"missing: \['x', 'viewer'\]"):
        from_csv(tmp_path, "frame,X,y\n1,2,3\n")
    with pytest.raises(ValueError, match=r"unique.*'x' more than once"):
        from_csv(tmp_path, "viewer,frame,x,y,x\n1,0,1,1,5\n")
    with pytest.raises(ValueError, match="line 3"):
        from_csv(tmp_path, "viewer,frame,x,y\n1,0,1,1\n1,0,1\n")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_fixations(Record("a", "b", gaze=GazeSource("nowhere.csv")), **KNOWN)
    with pytest.raises(ValueError, match="must have gaze"):
        read_fixations(Record("a", "b"))


def test_timed_gaze_belongs_to_the_frame_shown_at_that_time(tmp_path):
    form = CsvFormat(frame=None, time="t", time_unit="ms", viewer=None)
    text = "t,x,y\n0,1,1\n39,1,1\n40,2,1\n119,3,1\n120,4,1\n159,4,1\n160,5,1\n"
    with pytest.warns(GazeWarning, match="1 beyond the video's end"):
        fixations = from_csv(tmp_path, text, form=form, frame_times=np.arange(4) / 25)
    assert fixations.frame.tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize(
    "placement, point, expected",
    [
        ("centred", (200 + 50, 100 + 25), (0.5, 0.5)),  # a 100x50 video on a 500x250 screen
        ("centred", (200, 100), (0, 0)),
        ("stretched", (250, 250), (0.5, 1.0)),
        ("letterboxed", (125, 50), (0.25, 0.2)),
    ],
)
def test_from_screen_to_video(placement, point, expected):
    screen = (500, 250)
    got = to_video(*np.array(point), width=100, height=50, placement=placement, screen=screen)
    np.testing.assert_allclose(got, expected)


def test_a_letterbox_has_bars_above_and_below():
    # 640x360 on 1440x900: 810 rows high, bars of 45 rows, as in the published mapping.
    a, ys = 640 / 1440, np.array([45.0, 450.0, 855.0])
    published = a * (ys - (900 - 360 / a) / 2) / 360
    _, y = to_video(ys * 0, ys, width=640, height=360, placement="letterboxed", screen=(1440, 900))
    np.testing.assert_allclose(y, published)
    np.testing.assert_allclose(y, [0, 0.5, 1], atol=1e-12)


def test_gaze_follows_the_part_and_the_frame_rate(tmp_path):
    video = numbered_video(tmp_path / "v.mp4", 20)
    rows = "".join(f"1,{frame},{frame},1\n" for frame in range(20))
    (tmp_path / "g.csv").write_text("viewer,frame,x,y\n" + rows)
    source = GazeSource((str(tmp_path / "g.csv"),))
    record = Record("v", str(video), gaze=source, start=0.2, end=0.6)
    np.testing.assert_allclose(read_fixations(record).x * 64, np.arange(5, 15))
    half = read_fixations(Record("v", str(video), gaze=source), fps=12.5)
    np.testing.assert_allclose(half.x * 64, np.arange(0, 20, 2))


@pytest.mark.parametrize("kind", ["png", "mat"])
def test_binary_maps(tmp_path, kind):
    for number in range(3):
        picture = np.zeros((10, 20), np.uint8)
        picture[number, 4] = picture[9, 19] = 1
        if kind == "mat":
            scipy.io.savemat(tmp_path / f"{number + 1:04d}.mat", {"I": picture})
        else:
            cv2.imwrite(str(tmp_path / f"{number + 1:04d}.png"), picture * 255)
    record = Record("m", "none", gaze=GazeSource((str(tmp_path),), format="maps"))
    with pytest.warns(GazeWarning, match="1 frames without a map"):
        fixations = read_fixations(record, **KNOWN)
    assert fixations.frame.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(fixations.y[::2], (np.arange(3) + 0.5) / 10)
    assert len(fixations.viewers) == 0
    if kind == "mat":
        other = Record("m", "none", gaze=GazeSource((str(tmp_path),), format="maps", key="F"))
        with pytest.raises(ValueError, match=r"hold `F`.*\['I'\]"):
            read_fixations(other, **KNOWN)


def of_maps(tmp_path, pictures, num_frames=10, **about):
    for number, picture in pictures.items():
        cv2.imwrite(str(tmp_path / f"{number:04d}.png"), picture)
    record = Record("m", "none", gaze=GazeSource((str(tmp_path),), format="maps", **about))
    return read_fixations(record, num_frames=num_frames, width=20, height=10, warn=False)


def pixel(column, value=255, kind=np.uint8):
    picture = np.zeros((10, 20), kind)
    picture[3, column] = value
    return picture


@pytest.mark.parametrize(
    "numbers, first, expected",
    [
        (range(2, 11), None, range(1, 10)),  # 1-based, the first frame has no map
        (range(1, 10), None, range(9)),
        (range(3, 10), None, range(3, 10)),  # 0-based: the last is 9
        (range(41, 51), None, range(10)),  # as many maps as frames
        (range(5, 8), 1, range(4, 7)),
        (range(10), 1, range(9)),  # map 0 comes before the first frame
        (range(1, 11, 3), None, range(0, 10, 3)),
    ],
)
def test_a_maps_number_determines_its_frame(tmp_path, numbers, first, expected):
    fixations = of_maps(tmp_path, {n: pixel(n % 20) for n in numbers}, first_frame=first)
    assert fixations.frame.tolist() == list(expected)
    assert not fixations.notes


def test_doubtful_numbering_is_reported(tmp_path):
    fixations = of_maps(tmp_path, {number: pixel(number) for number in range(4, 8)})
    assert fixations.frame.tolist() == [0, 1, 2, 3]
    assert fixations.issues["maps whose numbers do not identify their frames"] == 4
    assert "maps 4 to 7 for a video of 10 frames" in fixations.notes[0]
    assert "first_frame" in fixations.notes[0]


def test_values_of_maps(tmp_path):
    counts = pixel(3, 1) + pixel(7, 3)
    colour = np.stack([pixel(2), pixel(4), pixel(4) * 0], -1)
    pictures = {1: pixel(5, 255, np.uint16), 2: pixel(6, 1), 3: counts, 4: colour, 5: pixel(0) * 0}
    fixations = of_maps(tmp_path, pictures, num_frames=5)
    assert fixations.per_frame.tolist() == [1, 1, 4, 2, 0]
    np.testing.assert_allclose(fixations.in_frames(2, 3).x * 20 - 0.5, [3, 7, 7, 7])
    (tmp_path / "grey").mkdir()
    grey = pixel(3, 50) + pixel(7, 200) + pixel(9, 255)  # three levels, few pixels: fixations
    assert of_maps(tmp_path / "grey", {1: grey}, num_frames=1).per_frame.tolist() == [3]
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"saliency map is not a.*0005\.png"):
        of_maps(tmp_path, {5: rng.integers(0, 255, (10, 20))}, num_frames=5)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_sparse_maps(tmp_path, version):
    for number in (1, 2):
        held = scipy.sparse.csc_matrix(pixel(number, 2).astype(float) + pixel(9, 1))
        if version == "5":
            scipy.io.savemat(tmp_path / f"{number}.mat", {"I": held})
            continue
        with h5py.File(tmp_path / f"{number}.mat", "w", userblock_size=512) as file:
            group = file.create_group("I")  # the layout of MATLAB's sparse matrices
            group.attrs["MATLAB_sparse"] = np.uint64(10)
            for name, part in (("data", held.data), ("ir", held.indices), ("jc", held.indptr)):
                group.create_dataset(name, data=part)
    record = Record("m", "none", gaze=GazeSource((str(tmp_path),), format="maps"))
    fixations = read_fixations(record, num_frames=2, width=20, height=10)
    np.testing.assert_allclose(fixations.x * 20 - 0.5, [1, 1, 9, 2, 2, 9])


def test_triple_jump():
    folder = data_dir("gaze", "triple_jump")
    files = tuple(str(path) for path in sorted(folder.glob("*.csv")))
    keep = (("valid", ("1",)),)
    screen = CsvFormat(
        "x_screen1024",
        "y_screen768",
        frame=None,
        time="t_s",
        viewer=None,
        placement="centred",
        screen=(1024, 768),
        keep=keep,
    )
    video = CsvFormat("x_video720", "y_video576", frame=None, time="t_s", viewer=None, keep=keep)
    found = []
    for form in (screen, video):
        record = Record(
            "triple_jump", str(folder / "triple_jump.avi"), gaze=GazeSource(files, csv=form)
        )
        with pytest.warns(GazeWarning, match="322 outside the frame"):
            found.append(read_fixations(record))
    assert found[0].num_frames == 143 and len(found[0].viewers) == 6
    assert len(found[0]) == len(found[1]) == 16253
    np.testing.assert_allclose(found[0].x, found[1].x, atol=1e-4)


def test_physics_clips():
    folder = data_dir("gaze", "physics_clips")
    source = GazeSource((str(folder / "clip_12_gaze.csv"),))
    record = Record("clip_12", str(folder / "clip_12.mov"), gaze=source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GazeWarning)
        fixations = read_fixations(record)
    assert fixations.num_frames == 301
    assert len(fixations.viewers) == 39  # viewer 22 is not in this file
    assert len(fixations) + fixations.issues["outside the frame"] == 19_734


def test_real_fixation_maps_of_crowdfix():
    folder = data_dir("gaze", "crowdfix", "input_data", "Dataset", "DC", "FIXATION_MAPS")
    record = Record("crowdfix", "none", gaze=GazeSource((str(folder),), format="maps"))
    fixations = read_fixations(record, num_frames=10, width=1280, height=720)
    for number in (1, 10):
        picture = cv2.imread(str(folder / f"006_{number:03d}.png"), cv2.IMREAD_GRAYSCALE)
        counts = fixations.in_frames(number - 1, number).counts(*picture.shape)[0]
        np.testing.assert_array_equal(counts > 0, picture > 127)
        assert counts.sum() > 5


def test_stored_gaze_is_read_again_when_a_file_it_depends_on_changes(tmp_path):
    """Maps that are overwritten in place, and the file that says when the recording began."""
    video = numbered_video(tmp_path / "v.mp4", 3)
    maps = tmp_path / "maps"
    maps.mkdir()

    def look(at):
        for number in range(1, 4):
            fixated = np.zeros((16, 64), np.uint8)
            fixated[2, at] = 255
            cv2.imwrite(str(maps / f"{number:04d}.png"), fixated)

    facts = VideoIndex().scan([str(video)])[str(video)]
    record = Record("v", str(video), gaze=GazeSource((str(maps),), "maps"))
    found = []
    for at in (4, 40):
        look(at)
        found.append(GazeStore(tmp_path / "cache").get(record, facts).x)
    assert np.all(found[1] - found[0] == pytest.approx(36 / 64))
    (tmp_path / "g.csv").write_text("time,x,y\n10.0,5,5\n10.04,6,5\n10.08,7,5\n")
    form = CsvFormat(frame=None, time="time", viewer=None, start_file="start.csv")
    record = Record("v", str(video), gaze=GazeSource((str(tmp_path / "g.csv"),), csv=form))
    for start, frames in ((10.0, [0, 1, 2]), (9.96, [1, 2])):
        (tmp_path / "start.csv").write_text(f"time\n{start}\n")
        got = GazeStore(tmp_path / "cache").get(record, facts)
        assert got.frame.tolist() == frames
