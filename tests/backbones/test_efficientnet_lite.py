import keras
import numpy as np
import pytest

from zoo.backbones import efficientnet_lite, fold_batch_norm, resnet50
from zoo.backbones.efficientnet_lite import efficientnet_lite_endpoints, stage_endpoints


def test_published_parameter_counts():
    # The TPU repository's table: 4.7, 5.4 and 6.1 million.
    found = []
    with keras.StatelessScope():
        for variant in range(3):
            model = efficientnet_lite(variant=variant, num_classes=1000)
            found.append(sum(int(np.prod(w.shape)) for w in model.trainable_weights))
    assert found == [4_652_008, 5_416_680, 6_092_072]


def test_end_points_and_strides():
    assert len(efficientnet_lite_endpoints(0)) == 18
    assert len(efficientnet_lite_endpoints(1)) == len(efficientnet_lite_endpoints(2)) == 23
    with keras.StatelessScope():
        model = efficientnet_lite(image_size=(96, 128))
        strides = [96 // model.get_layer(n).output.shape[1] for n in stage_endpoints(0)]
        assert strides == [2, 4, 8, 16, 16, 32, 32]
        assert model.output_shape == (None, 3, 4, 1280)
        cut = efficientnet_lite(endpoint="block_10", image_size=None)
        assert cut.output_shape == (None, None, None, 112)
        assert "block_11" not in [layer.name for layer in cut.layers]


def test_bad_arguments():
    for wrong, message in (
        ({"variant": 3}, "`variant` must be 0, 1 or 2"),
        ({"endpoint": "block_16"}, "`endpoint` must be one of"),
        ({"endpoint": "block_3", "num_classes": 5}, "`endpoint` must be 'head'"),
    ):
        with pytest.raises(ValueError, match=message):
            efficientnet_lite(**wrong)


def _with_statistics(model):
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if "moving_variance" in variable.path or "gamma" in variable.path:
            variable.assign(rng.uniform(0.5, 2.0, variable.shape))
        elif "moving_mean" in variable.path or "beta" in variable.path:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize(
    "build",
    [
        lambda: efficientnet_lite(image_size=32, endpoint="block_2"),
        lambda: resnet50(version="v1.5", width=0.1, image_size=32, endpoint="layer2"),
    ],
)
def test_folding_does_not_change_outputs(build):
    model = _with_statistics(build())
    folded = fold_batch_norm(model)
    assert not [la for la in folded.layers if isinstance(la, keras.layers.BatchNormalization)]
    frames = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    expected = model.predict(frames, verbose=0)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(
        folded.predict(frames, verbose=0), expected, atol=2e-5 * np.abs(expected).max()
    )


def test_errors_of_folding():
    frame = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(frame)
    with pytest.raises(ValueError, match="that has no activation"):
        fold_batch_norm(keras.Model(frame, keras.layers.BatchNormalization()(x)))
    with pytest.raises(ValueError, match="must have batch normalisation"):
        fold_batch_norm(keras.Model(frame, x))
