"""What users do on the backend KERAS_BACKEND, without TensorFlow if it is not installed."""

import importlib.util
import sys

import keras
import numpy as np

import zoo
from zoo.datasets.video.writer import VideoWriter


def test_train_from_arrays_then_predict_a_video_file(tmp_path):
    rng = np.random.default_rng(0)
    model = zoo.rmdn(width=1 / 32, units=4, num_components=2, image_size=32, dense=True)
    model.compile(keras.optimizers.Adam(1e-3), loss={"mixture": zoo.losses.MixtureNLL()})
    rgb = rng.integers(0, 256, (2, 8, 32, 32, 3), "uint8")
    history = model.fit(rgb, {"mixture": rng.uniform(size=(2, 8, 5, 2))}, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()

    path = tmp_path / "clip.mp4"
    with VideoWriter(path, fps=25, height=36, width=48) as writer:
        for _ in range(20):
            writer.write(rng.integers(0, 256, (36, 48, 3), "uint8"))
    prediction = zoo.predict(model, path, output=tmp_path / "out", progress=False)
    assert prediction.outputs["mixture"].shape == (20, 2, 6)
    np.testing.assert_allclose(prediction.map(7).sum(), 1.0, rtol=1e-4)
    assert (tmp_path / "out" / "film.mp4").stat().st_size > 0


def test_the_shipped_model_predicts_an_array():
    video = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), "uint8")
    prediction = zoo.predict(video, progress=False, fps=25)
    assert len(prediction.outputs["log_density"]) == 2
    np.testing.assert_allclose(prediction.map(1).sum(), 1.0, rtol=1e-4)


def test_another_backend_needs_no_tensorflow():
    if keras.backend.backend() != "tensorflow" and importlib.util.find_spec("tensorflow") is None:
        assert "tensorflow" not in sys.modules
    else:
        assert importlib.util.find_spec("tensorflow") is not None
