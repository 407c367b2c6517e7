"""Models on long clips, on a whole video."""

import json

import cv2
import keras
import numpy as np
import pytest

import zoo
from zoo.cli.main import main
from zoo.datasets import moving_targets
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.video.flow import video_flow
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.evaluate import evaluate
from zoo.inference.predict import predict
from zoo.inference.streaming.clip_maps import ClipMaps
from zoo.inference.writing.maps import read_maps
from zoo.layers.saliency_map import SaliencyMap
from zoo.metrics import nss

LENGTH, SIDE, COUNT = 8, 32, 21
FLOW = {"method": "dis", "size": (32, 32), "scale_vectors": True}


def _model(streams, target="last", length=LENGTH):
    keras.utils.set_random_seed(1)
    backbones = {}
    for stream in ("rgb", "flow") if streams == "both" else (streams,):
        given = keras.Input((length, SIDE, SIDE, 3 if stream == "rgb" else 2))
        x = keras.layers.Rescaling(1 / 255 if stream == "rgb" else 1.0)(given)
        x = keras.layers.Conv3D(8, 3, (2, 8, 8), "same", activation="tanh")(x)
        backbones[stream] = keras.Model(given, x)
    model = zoo.lsts(
        streams=streams,
        num_frames=length,
        image_size=SIDE,
        backbone=backbones,
        output_size=(12, 16),
        width=1 / 32,
        target=target,
        flow=FLOW if streams != "rgb" else None,
    )
    # A random head gives nearly the same output for every clip: spread its logits.
    kernel, _ = model.get_layer("head").get_layer("map_convolution").weights
    kernel.assign(kernel * 100)
    return model


@pytest.fixture(scope="module")
def models():
    return {streams: _model(streams) for streams in ("rgb", "flow", "both")}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    rng = np.random.default_rng(0)
    base = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (62, 46))
    with VideoWriter(path, fps=25, height=46, width=62) as writer:
        for index in range(COUNT):
            frame = np.roll(base, (index * index) // 6, axis=1)
            writer.write(np.ascontiguousarray(np.clip(frame * (1 + index / 60), 0, 255), np.uint8))
    return path


def _expected(model, video, before=0, after=0):
    """Predictions for each clip separately, from the whole video's frames and flow."""
    frames = np.stack(list(open_video(video).frames(size=(SIDE, SIDE))))
    frames = np.concatenate([frames[:1]] * before + [frames] + [frames[-1:]] * after)
    fields = list(video_flow(frames, size=(32, 32), output_size=(SIDE, SIDE)))
    flow = np.concatenate([np.zeros((1, SIDE, SIDE, 2), np.float32), np.stack(fields)])
    names = [tensor.name for tensor in model.inputs]
    first = 1 if "flow" in names else 0
    clips = [slice(at, at + LENGTH) for at in range(first, len(frames) - LENGTH + 1)]
    given = {"rgb": frames.astype("float32"), "flow": flow}
    given = {k: np.stack([v[c] for c in clips]) for k, v in given.items()}
    inputs = {k: given[k] for k in names} if len(names) > 1 else given[names[0]]
    return keras.ops.convert_to_numpy(model(inputs, training=False)["saliency"])


@pytest.fixture(scope="module")
def streams(models):
    return {name: ClipMaps(model) for name, model in models.items()}  # compiled once


@pytest.mark.parametrize(("name", "chunk"), [("rgb", 5), ("flow", None), ("both", 30)])
def test_equals_separate_calls_on_every_clip(models, streams, video, name, chunk):
    model = models[name]
    whole = _expected(model, video)
    missing = COUNT - len(whole)
    assert missing == LENGTH - 1 + (name != "rgb")
    assert np.ptp(whole, axis=0).max() > 0.05  # the clips differ, so a wrong one would be detected
    got = predict(streams[name], video, chunk=chunk, progress=False)
    assert got.frames.tolist() == list(range(COUNT))
    saliency = got.outputs["saliency"]
    assert isinstance(saliency, np.memmap) and saliency.shape == (COUNT, 12, 16)
    np.testing.assert_allclose(saliency[missing:], whole, atol=2e-3)
    np.testing.assert_array_equal(
        saliency[:missing], np.repeat(saliency[missing][None], missing, 0)
    )


def test_initial_pad_and_omit(models, streams, video):
    for name in ("rgb", "both"):
        model, stream = models[name], streams[name]
        missing = LENGTH - 1 + (name != "rgb")
        pad = predict(stream, video, initial="pad", chunk=6, progress=False)
        whole = _expected(model, video, before=missing)
        np.testing.assert_allclose(pad.outputs["saliency"], whole, atol=2e-3)
        omit = predict(stream, video, initial="omit", progress=False)
        assert omit.frames.tolist() == list(range(missing, COUNT))
        np.testing.assert_allclose(omit.outputs["saliency"], whole[missing:], atol=2e-3)


def test_a_map_for_the_centre(video):
    model = _model("rgb", target="centre")
    whole = _expected(model, video)
    stream = ClipMaps(model)
    assert (stream.missing, stream.trailing) == (4, 3)
    repeat = predict(stream, video, chunk=5, progress=False).outputs["saliency"]
    expected = np.concatenate([np.repeat(whole[:1], 4, 0), whole, np.repeat(whole[-1:], 3, 0)])
    np.testing.assert_allclose(repeat, expected, atol=2e-3)
    omit = predict(stream, video, initial="omit", progress=False)
    assert omit.frames.tolist() == list(range(4, COUNT - 3))
    pad = predict(stream, video, initial="pad", progress=False).outputs["saliency"]
    np.testing.assert_allclose(pad, _expected(model, video, 4, 3), atol=2e-3)


def test_maps_between_predicted_ones_are_interpolated(models, video):
    whole = _expected(models["rgb"], video)
    stream = ClipMaps(models["rgb"])
    for stride in (3, 4, 50):
        stream.stride = stride
        places = sorted({*range(0, len(whole), stride), len(whole) - 1})
        columns = whole[places].reshape(len(places), -1).T
        expected = [np.interp(np.arange(len(whole)), places, column) for column in columns]
        got = predict(stream, video, initial="omit", chunk=7, progress=False)
        expected = np.stack(expected, axis=-1).reshape(whole.shape)
        np.testing.assert_allclose(got.outputs["saliency"], expected, atol=2e-3)


def test_memory_holds_at_most_one_clip(models):
    stream = ClipMaps(models["both"], stride=5)
    for _ in range(12):
        stream.push(np.zeros((4, SIDE, SIDE, 3), np.uint8))
        assert len(stream._frames) <= LENGTH and len(stream._fields) == len(stream._frames)
    assert stream.num_frames == 48


def test_files(models, video, tmp_path):
    got = predict(
        models["both"], video, output=tmp_path / "out", stride=2, maps="npz", progress=False
    )
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "film.mp4",
        "index.html",
        "viewer",
        "maps.npz",
        "candidates.csv",
        "prediction.npz",
        "prediction.json",
        "saliency.npy",
    }
    kept = np.load(got.files["saliency"])
    assert kept.shape == (COUNT, 12, 16) and kept.dtype == np.float16
    np.testing.assert_array_equal(kept, got.outputs["saliency"])
    maps = read_maps(got.files["maps"])
    assert maps.shape == (COUNT, 46, 62)
    np.testing.assert_allclose(maps.sum((1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(maps[15], got.map(15), atol=1e-5)
    assert np.corrcoef(cv2.resize(maps[15], (16, 12)).ravel(), kept[15].ravel())[0, 1] > 0.9
    assert len(got.candidates) == COUNT and got.candidates[15].shape[1] == 3
    assert open_video(got.files["film"]).num_frames == COUNT
    assert json.loads((tmp_path / "out" / "prediction.json").read_text())["stride"] == 2


def test_the_model_states_how_its_flow_is_computed(models, tmp_path):
    models["flow"].save(tmp_path / "flow.keras")
    loaded = zoo.load(tmp_path / "flow.keras")
    layer = next(la for la in loaded._flatten_layers() if isinstance(la, SaliencyMap))
    assert {**layer.flow, "size": tuple(layer.flow["size"])} == FLOW
    same, other = (ClipMaps(loaded, flow=flow).identity()[2] for flow in (None, "tvl1"))
    assert "'dis'" in same and "(32, 32)" in same and "'tvl1'" in other


def test_evaluated_together_with_another_model(models, streams, tmp_path):
    records = moving_targets.make(
        tmp_path / "set", num_videos=3, frames=19, size=(48, 64), viewers=5
    )
    rmdn = zoo.rmdn(image_size=32, width=0.05, units=6, num_components=3)
    both = {"rmdn": rmdn, "lsts": models["both"]}
    options = {"baselines": ("uniform", "true_density"), "progress": False}
    got = evaluate(both, records[:2], stride=2, **options)
    assert got.settings["stride"] == 2
    assert got.videos[0]["first_frame"] == 15  # RMDN's; the same frames for all
    assert all(np.isfinite(list(row.values())).all() for row in got.table.values())
    alone = evaluate(models["both"], records[:1], **options)
    prediction = predict(streams["both"], records[0].video, initial="omit", progress=False)
    counts = read_fixations(records[0]).counts(48, 64)
    seen = [f for f in range(LENGTH, 19) if counts[f].any()]
    maps = np.stack([prediction.map(frame, 48, 64) for frame in seen])
    expected = float(keras.ops.convert_to_numpy(nss(maps, counts[seen])).mean())
    assert alone.table["lsts"]["nss"] == pytest.approx(expected, abs=5e-3)


def test_bad_input(models, streams, video, tmp_path):
    short = tmp_path / "short.mp4"
    with VideoWriter(short, fps=25, height=46, width=62) as writer:
        for _ in range(LENGTH):
            writer.write(np.zeros((46, 62, 3), np.uint8))
    with pytest.raises(ValueError, match=f"at least {LENGTH + 1} frames.*{LENGTH} frames"):
        predict(models["both"], short, progress=False)
    assert len(predict(streams["both"], short, initial="pad", progress=False).frames) == LENGTH
    with pytest.raises(ValueError, match="`stride` must be at least 1"):
        predict(models["rgb"], video, stride=0, progress=False)
    with pytest.raises(ValueError, match="`flow` is for models with the input 'flow'"):
        predict(models["rgb"], video, flow="dis", progress=False)
    with pytest.raises(ValueError, match="`flow` must be one of"):
        ClipMaps(models["flow"], flow="farneback")
    wrong = ClipMaps(models["flow"], flow=lambda a, b: np.zeros((len(a), 9, 9, 2)))
    with pytest.raises(ValueError, match=r"`method` must return \(n, 32, 32, 2\).*9, 9"):
        predict(wrong, video, progress=False)
    rmdn = zoo.rmdn(image_size=32, width=0.05, units=6, num_components=3)
    with pytest.raises(ValueError, match="`stride` and `flow` are for models of long clips"):
        predict(rmdn, video, stride=2, progress=False)
    head = zoo.lsts(backbone=None, feature_shape=(1, 1, 1, 4), output_size=(12, 16), width=1 / 32)
    with pytest.raises(ValueError, match="must be joined to its"):
        predict(head, video, progress=False)
    with pytest.raises(ValueError, match=r"Frames must have shape \(n, 32, 32, 3\)"):
        ClipMaps(models["rgb"]).push(np.zeros((2, 16, 16, 3), np.uint8))
    frames = np.zeros((1, LENGTH, SIDE, SIDE, 3), "float32")
    for flow in (np.zeros((1, LENGTH - 1, SIDE, SIDE, 2)), np.zeros((1, LENGTH, 16, 16, 2))):
        with pytest.raises(ValueError, match="shape"):
            models["both"]({"rgb": frames, "flow": flow})


def test_a_published_clip_needs_79_frames(video):
    stream = ClipMaps(_model("rgb", length=79))
    with pytest.raises(ValueError, match=r"at least 79 frames.*21 frames"):
        predict(stream, video, progress=False)


def test_command_line(models, video, tmp_path, capsys):
    models["both"].save(tmp_path / "both.keras")
    arguments = ["predict", str(tmp_path / "both.keras"), str(video), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--stride", "4", "--flow", "dis", "--maps", "none"]) == 0
    assert "index.html" in capsys.readouterr().out
    assert (tmp_path / "out" / "saliency.npy").is_file()
    assert main([*arguments, "--stride", "0", "--overwrite"]) == 2
    assert "--stride must be at least 1" in capsys.readouterr().err


def test_a_prediction_keeps_the_compilation_of_the_given_model(models, video):
    model = models["rgb"]
    model.compile("sgd", loss={"saliency": "mse"})
    optimizer = model.optimizer
    predict(model, video, progress=False)
    assert model.optimizer is optimizer and model.loss == {"saliency": "mse"}
