"""Single pictures, predicted at two sizes and mirrored."""

import cv2
import keras
import numpy as np
import pytest

import zoo
from tests.conformance.cases import small_general as small
from zoo.inference.streaming.picture import PictureStream, takes_pictures
from zoo.inference.streaming.stream import Stream

PICTURE = np.random.default_rng(0).integers(0, 256, (96, 64, 3), dtype=np.uint8)


def test_a_picture_is_the_mean_of_two_sizes_and_the_mirror_image():
    model = small()
    stream = PictureStream(model)
    stream.fit(*PICTURE.shape[:2])
    large = cv2.resize(PICTURE, (296, 448))
    assert stream.frame_shape == large.shape and stream.push(large[None]) == {}
    found = stream.finish()["log_density"][0]
    total = 0
    for frame in (large, cv2.resize(large, (216, 320))):
        for image, turn in ((frame, 1), (frame[:, ::-1], -1)):
            outputs = model(image[None, None].astype("float32"))["log_density"]
            density = np.exp(keras.ops.convert_to_numpy(outputs)[0, 0].astype("float64"))
            density = cv2.resize(density[:, ::turn], (74, 112))
            total = total + density / density.sum() / 4
    np.testing.assert_allclose(np.exp(found), total, rtol=1e-3)
    prediction = zoo.predict(PICTURE, model, progress=False)
    np.testing.assert_allclose(prediction.outputs["log_density"][0], found, atol=1e-2)  # float16


def test_many_pictures_and_the_rest_of_the_outputs(monkeypatch):
    monkeypatch.setattr("zoo.inference.streaming.picture.FEW", 1)  # then by a graph
    model = small(mixture=(2, 3))
    first, second = zoo.predict([PICTURE, PICTURE], model, progress=False)
    a, b = first.outputs["log_density"], second.outputs["log_density"]
    np.testing.assert_allclose(a, b, atol=1e-2)
    assert second.outputs["mixture"].shape == (1, 24, 6)


def test_pictures_beside_videos():
    model = small()
    video = np.stack([PICTURE] * 3)
    alone = [zoo.predict(each, model, progress=False) for each in (PICTURE, video)]
    both = zoo.predict([PICTURE, video], model, progress=False)
    for one, other in zip(alone, both):
        a, b = one.outputs["log_density"], other.outputs["log_density"]
        np.testing.assert_allclose(a, b, atol=1e-2)
    assert [one.outputs["log_density"].shape[0] for one in both] == [1, 3]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (small, True),
        (lambda: small(image_size=(64, 96)), False),
        (lambda: small(num_frames=4), False),
        (lambda: Stream(small()), False),
        (lambda: zoo.rmdn(width=0.05, image_size=32, dense=True), False),
    ],
)
def test_which_models_take_pictures(make, expected):
    assert takes_pictures(make()) is expected
