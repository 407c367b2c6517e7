import cv2
import numpy as np
import pytest
from scipy.special import logsumexp

import zoo
from tests.conformance.cases import small_general as small
from zoo.inference.streaming.stream import Stream
from zoo.weights import RECORDS, fetch, read_provenance
from zoo.weights.reader import sha256_of


@pytest.fixture(scope="module")
def shipped():
    return zoo.general_saliency(weights="general")


@pytest.mark.parametrize("size", [(64, 64), (40, 104), (75, 97), (8, 8), (1, 3)])
def test_any_size_gives_a_density(size):
    model = small(mixture=(2, 3))
    video = np.random.default_rng(0).integers(0, 256, (1, 3, *size, 3)).astype("float32")
    out = model.predict(video, verbose=0)
    assert out["log_density"].shape == (1, 3, *(2 * -(-side // 8) for side in size))
    np.testing.assert_allclose(np.exp(out["log_density"]).sum((-1, -2)), 1.0, rtol=1e-5)
    assert out["mixture"].shape == (1, 3, 6, 6) and np.isfinite(out["mixture"]).all()


def test_the_memory_is_the_mean_of_past_frames():
    video = np.random.default_rng(0).integers(0, 256, (1, 6, 32, 48, 3)).astype("float32")
    model = small(motion=0, centre=0, memory=2, memory_share=0.4, frame_rate=50)  # 3 frames
    single = small(motion=0, centre=0, memory=1)
    single.set_weights(model.get_weights())
    each = np.exp(single.predict(video, verbose=0)["log_density"][0].astype("float64"))
    found = np.exp(model.predict(video, verbose=0)["log_density"][0])
    for t in range(6):
        past = each[max(0, t - 2) : t + 1].mean(0)
        np.testing.assert_allclose(found[t], 0.6 * each[t] + 0.4 * past, rtol=1e-4)


def test_motion_attracts_the_density():
    still = np.full((1, 4, 64, 96, 3), 90, "float32")
    moved = still.copy()
    moved[:, 3:, 40:56, 8:24] = 200
    plain, mixed = (small(motion=share, centre=0, memory=1) for share in (0, 0.3))
    mixed.set_weights(plain.get_weights())
    same, other = (m.predict(still, verbose=0)["log_density"] for m in (plain, mixed))
    np.testing.assert_allclose(same, other, atol=1e-3)
    same, other = (
        np.exp(m.predict(moved, verbose=0)["log_density"])[0, :, 10:14, 2:6].sum((-1, -2))
        for m in (plain, mixed)
    )
    np.testing.assert_allclose(same[:3], other[:3], atol=1e-4)
    assert other[3] > same[3] + 0.05


def test_a_picture_keeps_its_density_and_a_video_is_drawn_to_the_centre():
    plain, drawn = (small(motion=0, memory=1, centre=centre) for centre in (0, 0.5))
    drawn.set_weights(plain.get_weights())
    video = np.full((1, 5, 64, 96, 3), 90, "float32")
    video[..., :16, :16, :] = 250
    before, after = (m.predict(video, verbose=0)["log_density"][0] for m in (plain, drawn))
    np.testing.assert_allclose(before[:3], after[:3], atol=1e-6)  # no frame three before
    middle = (slice(3, None), slice(4, 10), slice(8, 16))
    assert np.exp(after[middle]).sum() > 1.2 * np.exp(before[middle]).sum()


@pytest.mark.parametrize("step", [None, 1])
def test_a_stream_equals_one_call(step):
    model = small(memory=5, mixture=(2, 3))
    video = np.random.default_rng(1).integers(0, 256, (37, 40, 56, 3)).astype("uint8")
    whole = model.predict(video[None].astype("float32"), verbose=0)
    stream = Stream(model, step=step, frame_size=(40, 56))
    parts = [stream.push(video[:9]), stream.push(video[9:10]), stream.push(video[10:])]
    parts.append(stream.finish())
    assert stream.delay == 0 and stream.held == 0
    for name, value in whole.items():
        found = np.concatenate([part[name] for part in parts if part])
        np.testing.assert_allclose(found, value[0], atol=1e-3 if name == "mixture" else 1e-4)


def test_no_frame_looks_ahead():
    model = small()
    video = np.random.default_rng(0).integers(0, 256, (1, 5, 32, 48, 3)).astype("float32")
    changed = video.copy()
    changed[:, 3:] = 0
    a, b = (model.predict(v, verbose=0)["log_density"] for v in (video, changed))
    np.testing.assert_allclose(a[:, :3], b[:, :3], atol=1e-5)


def test_predict_considers_the_size_of_the_video():
    video = np.random.default_rng(3).integers(0, 256, (4, 60, 100, 3), dtype=np.uint8)

    def density(side=None, shape=(60, 100), **rules):
        model = small(video_side=side, **rules)
        stream = Stream(model)
        stream.fit(*shape, 25.0)
        frames = np.stack([cv2.resize(f, stream.frame_shape[1::-1]) for f in video])
        return np.concatenate(
            [part["log_density"] for part in (stream.push(frames), stream.finish()) if part]
        )

    small_video, large = density(), density(shape=(600, 1000))
    predicted = zoo.predict(video, small(), progress=False).outputs["log_density"]
    np.testing.assert_allclose(predicted, small_video, atol=2e-2)  # float16
    np.testing.assert_allclose(density(side=100), small_video, atol=1e-4)
    np.testing.assert_allclose(density(side=100, shape=(600, 1000)), large, atol=1e-4)
    np.testing.assert_allclose(density(shape=(600, 1000), scatter=0.0), large, atol=1e-4)
    assert density(scatter=0.0).std() > 1.2 * small_video.std()
    for rule in ({"centre": 0.0}, {"scatter": 0.0}):  # blurred, drawn to the centre
        one, other = (density(shape=shape, **rule) for shape in ((60, 100), (600, 1000)))
        assert np.abs(one - other).max() > 0.1


def test_bad_arguments():
    for wrong, message in (
        ({"memory": 0}, "`memory` must be at least 1"),
        ({"scatter": -1}, "`scatter` must be 0 or more"),
        ({"motion": 1.0}, "`motion` must be in"),
        ({"width": 1}, "`width` must be at least 2"),
        ({"backbone": "vgg"}, '"efficientnet_lite" or a keras.Model'),
        ({"backbone": zoo.backbones.small_cnn()}, "two or more feature maps"),
        ({"weights": "efficientnet_lite0_imagenet"}, "(?s)package|layers|problems"),
    ):
        with pytest.raises(ValueError, match=message):
            zoo.general_saliency(**wrong)


def test_the_shipped_file(shipped):
    record = RECORDS["general"]
    path = fetch(record)
    assert path.stat().st_size <= 8_000_000
    assert f"sha256:{sha256_of(path)}" == record.digests[0]
    held = read_provenance(path)
    assert held["architecture"] == "general_saliency" and held["results"]["held_out"]
    assert all(np.isfinite(np.asarray(w.value)).all() for w in shipped.weights)
    assert shipped.get_layer("frame_density").temperature.numpy()[0] != 1.0


@pytest.mark.parametrize("value", [0, 127, 255])
def test_constant_frames_give_maps(shipped, value):
    video = np.full((1, 2, 64, 96, 3), value, "float32")
    log_density = shipped.predict(video, verbose=0)["log_density"]
    assert np.isfinite(log_density).all()
    np.testing.assert_allclose(logsumexp(log_density, axis=(-2, -1)), 0.0, atol=1e-4)


def test_it_finds_the_face_in_a_drawing(shipped):
    import cv2

    frame = np.full((240, 320, 3), (120, 160, 90), "uint8")
    cv2.circle(frame, (240, 80), 26, (230, 190, 160), -1)
    for x in (231, 249):
        cv2.circle(frame, (x, 74), 4, (20, 20, 20), -1)
    cv2.ellipse(frame, (240, 92), (10, 4), 0, 0, 180, (150, 30, 40), 2)
    density = np.exp(shipped.predict(frame[None, None].astype("float32"), verbose=0)["log_density"])
    rows, columns = np.unravel_index(density[0, 0].argmax(), density.shape[2:])
    assert abs(columns * 4 - 240) < 30 and abs(rows * 4 - 80) < 30
