"""The inputs that `zoo.predict` accepts."""

import contextlib
import http.server
import socket
import threading

import av
import cv2
import keras
import numpy as np
import pytest

import zoo
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.source import VideoError
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.live import predict_live
from zoo.inference.predict import PredictionError, predict
from zoo.inference.streaming.array_video import ArrayVideo
from zoo.inference.streaming.live_source import is_live
from zoo.inference.streaming.sources import find_videos, video_name


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.rmdn(image_size=32, width=0.05, units=4, num_components=2, dense=True, causal=True)


def write(path, count=6):
    rng = np.random.default_rng(0)
    base = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (64, 48))
    with VideoWriter(path, fps=10, height=48, width=64) as writer:
        for index in range(count):
            writer.write(np.ascontiguousarray(np.roll(base, 3 * index, axis=1)))
    return path


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    return [write(folder / name, count) for name, count in (("a.mp4", 6), ("b.mkv.mp4", 4))]


@contextlib.contextmanager
def served(body, length=None):
    """A URL that serves these bytes, optionally with a wrong length in the header."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(length or len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/films/clip.mp4?x=1"
    finally:
        server.shutdown()
        server.server_close()


def test_either_order(model, clips, tmp_path):
    new = predict(clips[0], model, progress=False)
    old = predict(model, clips[0], progress=False)
    np.testing.assert_array_equal(new.outputs["mixture"], old.outputs["mixture"])
    model.save(tmp_path / "m.keras")
    assert predict(str(tmp_path / "m.keras"), str(clips[0]), progress=False).num_frames == 6


@pytest.mark.parametrize("kind", ["list", "folder", "pattern"])
def test_several(model, clips, tmp_path, kind):
    given = {
        "list": clips,
        "folder": clips[0].parent,
        "pattern": str(clips[0].parent / "*.mp4"),
    }[kind]
    found = predict(given, model, output=tmp_path / "out", film=False, progress=False)
    assert [p.num_frames for p in found] == [6, 4]
    for name in ("a", "b.mkv"):
        assert (tmp_path / "out" / name / "candidates.csv").is_file()


def test_two_videos_of_one_name(model, clips, tmp_path):
    (tmp_path / "more").mkdir()
    other = write(tmp_path / "more" / "a.mp4", 3)
    predict([clips[0], other], model, output=tmp_path / "out", film=False, progress=False)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "a_2"]


def test_one_unreadable_video_among_several(clips, tmp_path):
    clip_model = zoo.rmdn(image_size=32, width=0.05, units=4, num_components=2)
    long = write(tmp_path / "long.mp4", 17)
    with pytest.raises(PredictionError, match=r"1 of 2 are done.*a\.mp4, 6 frames") as told:
        predict([clips[0], long], clip_model, output=tmp_path / "out", progress=False)
    assert told.value.predictions[0].num_frames == 17
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["long"]


@pytest.mark.parametrize("kind", ["list", "folder", "pattern"])
def test_one_unopenable_video_among_several(model, clips, tmp_path, kind):
    folder = clips[0].parent
    (folder / "aa.mp4").write_text("no video")
    given = {
        "list": [clips[0], folder / "aa.mp4", clips[1], tmp_path / "gone.mp4"],
        "folder": folder,
        "pattern": str(folder / "*.mp4"),
    }[kind]
    count = 4 if kind == "list" else 3
    with pytest.raises(
        PredictionError, match=rf"2 of {count} are done and in .*out\. .*aa\.mp4"
    ) as told:
        predict(given, model, output=tmp_path / "out", film=False, progress=False)
    assert ("gone.mp4" in str(told.value)) == (kind == "list")
    assert [p.num_frames for p in told.value.predictions] == [6, 4]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b.mkv"]


def test_invalid_models(clips):
    for wrong, told in ((5, "int"), (zoo.rmdn, r"function; call it first: rmdn\(\)")):
        with pytest.raises(TypeError, match=f"`model` must be a keras.Model.*Received: {told}"):
            predict(clips[0], wrong)
    with pytest.raises(ValueError, match="`classes` must be a list of names"):
        predict(clips[0], "genral", classes="moving_targets")
    with pytest.raises(FileNotFoundError, match="or 'general'"):
        predict(clips[0], "genral")


def test_wrong_sizes_and_rates(model, clips):
    with pytest.raises(ValueError, match=r"\(height, width\). Received: size=100"):
        predict(clips[0], model, size=100)
    for rate in (0, -3, float("nan")):
        with pytest.raises(ValueError, match=r"`fps` must be a positive number"):
            predict(np.zeros((2, 8, 8, 3), "uint8"), model, fps=rate)
    with pytest.raises(ValueError, match=r"`fps` is for videos that do not .* fps=3 for .*mp4"):
        predict(clips[0], model, fps=3)


def test_array_and_picture(model, clips, tmp_path):
    frames = np.stack(list(open_video(clips[0]).frames()))
    from_file = predict(clips[0], model, progress=False)
    for array in (frames, frames.astype("float32"), frames.astype("int64")):
        got = predict(array, model, output=tmp_path / "o", overwrite=True, progress=False)
        np.testing.assert_allclose(got.outputs["mixture"], from_file.outputs["mixture"], atol=1e-4)
    cv2.imwrite(str(tmp_path / "p.png"), frames[0][..., ::-1])
    picture = predict(tmp_path / "p.png", model, output=tmp_path / "out", progress=False)
    array = predict(frames[0], model, progress=False)
    np.testing.assert_array_equal(picture.outputs["mixture"], array.outputs["mixture"])
    assert set(picture.files) == {"picture", "candidates", "arrays", "summary", "page"}
    assert cv2.imread(picture.files["picture"]).shape == (48, 64, 3)
    # A clip-based model gets as many copies of the picture as it needs.
    clip_model = zoo.rmdn(image_size=32, width=0.05, units=4, num_components=2)
    assert predict(frames[0], clip_model, progress=False).frames.tolist() == [0]


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((4, 5), "uint8"), r"shape \(time, height, width, 3\).*shape=\(4, 5\)"),
        (np.zeros((2, 3, 4, 5), "uint8"), r"shape=\(2, 3, 4, 5\)"),
        (np.zeros((0, 3, 4, 3), "uint8"), r"shape=\(0, 3, 4, 3\)"),
        (np.full((2, 3, 4, 3), 0.5), "multiply by 255"),
        (np.full((2, 3, 4, 3), -1), "from 0 to 255.*-1 to -1"),
        (np.full((2, 3, 4, 3), 300.0), "300"),
        (np.full((2, 3, 4, 3), np.nan), "from 0 to 255.*nan"),
        (np.full((2, 3, 4, 3), "a"), "dtype"),
    ],
)
def test_invalid_arrays(array, match):
    with pytest.raises(ValueError, match=match):
        ArrayVideo(array)


def test_a_black_float_video_is_a_video():
    assert ArrayVideo(np.zeros((2, 4, 4, 3), "float32")).num_frames == 2


def test_folders(tmp_path, clips):
    folder = tmp_path / "some"
    folder.mkdir()
    with pytest.raises(VideoError, match=r"must hold videos.*0 entries"):
        find_videos(folder)
    (folder / "notes.txt").write_text("x")
    with pytest.raises(VideoError, match="1 entries, neither"):
        find_videos(folder)
    for name in ("sky.png", "sea.png"):
        cv2.imwrite(str(folder / name), np.zeros((4, 4, 3), "uint8"))
    with pytest.raises(VideoError, match=r"a pattern such as .*some/\*\.png takes each"):
        find_videos(folder)
    assert [video_name(v) for v in find_videos(str(folder / "*.png"))] == ["sea", "sky"]
    (clips[0].parent / "notes.txt").write_text("x")
    with pytest.warns(UserWarning, match="2 videos; 1 other entries are ignored"):
        assert len(find_videos(clips[0].parent)) == 2
    (folder / "torn.png").write_bytes(b"\x89PNG")
    with pytest.raises(VideoError, match="picture must be complete"):
        find_videos(folder / "torn.png")
    with pytest.raises(VideoError, match="at least one file"):
        find_videos(str(folder / "*.mp4"))
    with pytest.raises(VideoError, match="At least one video"):
        find_videos([])
    with pytest.raises(TypeError, match="Received: object"):
        find_videos(object())


def test_an_address(model, clips, tmp_path):
    body = clips[0].read_bytes()
    with served(body) as address:
        got = predict(address, model, output=tmp_path / "out", progress=False)
    expected = predict(clips[0], model, progress=False)
    np.testing.assert_array_equal(got.outputs["mixture"], expected.outputs["mixture"])
    assert got.video == address and video_name(got.source) == "clip"
    assert got.plot(2).get_title().startswith("clip.mp4")


def test_an_address_that_fails_in_the_middle(clips):
    body = clips[0].read_bytes()
    with (
        served(body[: len(body) // 2], length=len(body)) as address,
        pytest.raises(VideoError, match=rf"whole video.*ended after \d+ of {len(body)} bytes"),
    ):
        find_videos(address)
    with pytest.raises(VideoError, match=r"must give a whole video.*refused"):
        find_videos("http://127.0.0.1:9/clip.mp4")
    with pytest.raises(VideoError, match="must begin with http"):
        find_videos("gopher://x/clip.mp4")


def test_a_live_address(model, tmp_path):
    """A stream from a socket, as a camera sends it."""
    path = tmp_path / "live.ts"
    with av.open(str(path), "w", format="mpegts") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(8):
            picture = av.VideoFrame.from_ndarray(
                np.full((48, 64, 3), 20 * value, np.uint8), format="rgb24"
            )
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    listener = socket.create_server(("127.0.0.1", 0))

    def send():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(path.read_bytes())

    threading.Thread(target=send, daemon=True).start()
    address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    got = predict(address, model, output=tmp_path / "out", progress=False)
    assert got.num_frames == 8 and (tmp_path / "out" / "film.mp4").is_file()
    listener.close()
    with pytest.raises(ValueError, match="FFmpeg can read"):
        predict_live(model, address)


def test_what_is_live():
    for name in ("-", 0, "0", "rtsp://camera/1", "http://x/live.m3u8?token=1"):
        assert is_live(name)
    for name in ("clip.mp4", "https://x/clip.mp4", "frames"):
        assert not is_live(name)


def test_pictures_of_several_frames_are_not_cut_to_one(tmp_path):
    frames = [np.full((16, 24, 3), 60 * at, np.uint8) for at in range(3)]
    for name in ("a.png", "a.webp"):
        made = cv2.Animation()
        made.frames, made.durations = frames, np.full(3, 100)
        assert cv2.imwriteanimation(str(tmp_path / name), made)
    assert find_videos(tmp_path / "a.webp")[0].num_frames == 3
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), frames)
    for name in ("a.png", "a.tif"):
        with pytest.raises(VideoError, match=f"single one.*{name} with 3 pictures"):
            find_videos(tmp_path / name)


@pytest.mark.parametrize("suffix", [".tif", ".avif"])
def test_a_photograph_is_a_picture_whatever_its_format(tmp_path, suffix):
    cv2.imwrite(str(tmp_path / f"a{suffix}"), np.zeros((16, 24, 3), np.uint8))
    assert isinstance(find_videos(tmp_path / f"a{suffix}")[0], ArrayVideo)


def test_what_a_pattern_or_a_folder_holds_besides_is_not_ignored_silently(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    assert [v.num_frames for v in find_videos(str(tmp_path / "*"))] == [2, 2]
    (tmp_path / "one" / "notes.txt").write_text("")
    with pytest.warns(UserWarning, match="2 pictures, the frames of a video; 1 other entries"):
        find_videos(tmp_path / "one")
