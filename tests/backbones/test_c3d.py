import numpy as np
import pytest

from zoo.backbones import c3d


def test_parameters_of_the_published_graph():
    assert c3d().count_params() == 27_655_936
    model = c3d(include_top=True)
    assert model.count_params() == 79_991_015
    assert model.get_layer("fc6").kernel.shape == (8192, 4096)


@pytest.mark.parametrize(
    ("endpoint", "clip", "dense"),
    [
        ("conv5b", (2, 7, 7, 32), (7, 7, 32)),
        ("pool5", (1, 4, 4, 32), (4, 4, 32)),
        ("fc6", (256,), (256,)),
        ("fc7", (256,), (256,)),
    ],
)
def test_end_points(endpoint, clip, dense):
    assert c3d(width=1 / 16, endpoint=endpoint).output_shape == (None, *clip)
    assert c3d(width=1 / 16, endpoint=endpoint, dense=True).output_shape == (None, None, *dense)


def test_pool5_pads_bottom_and_right_like_caffe():
    model = c3d(width=1 / 64)
    assert model.get_layer("pool5_pad").padding == ((0, 0), (0, 1), (0, 1))
    model = c3d(width=1 / 64, pool5_padding="symmetric")
    assert model.get_layer("pool5_pad").padding == ((0, 0), (1, 1), (1, 1))


def dense_reference(model, video, causal):
    """Stride-1 pooling and dilated convolutions as explicit sums in float64."""
    x = video[..., ::-1].astype("float64") - [104, 117, 128]
    dilation = 1

    def convolve(x, kernel, bias):
        time, height, width, _ = x.shape
        before = 2 * dilation if causal else dilation
        padded = np.zeros((time + 2 * dilation, height + 2, width + 2, x.shape[-1]))
        padded[before : before + time, 1:-1, 1:-1] = x
        y = np.zeros((time, height, width, kernel.shape[-1])) + bias
        for t in range(3):
            for i in range(3):
                for j in range(3):
                    start = t * dilation
                    window = padded[start : start + time, i : i + height, j : j + width]
                    y += window @ kernel[t, i, j]
        return np.maximum(y, 0)

    def pool_space(x):
        time, height, width, channels = x.shape
        x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        height, width = x.shape[1] // 2, x.shape[2] // 2
        return x.reshape(time, height, 2, width, 2, channels).max((2, 4))

    def pool_time(x):
        neighbour = np.zeros_like(x)
        if causal:
            neighbour[dilation:] = x[:-dilation]
        else:
            neighbour[:-dilation] = x[dilation:]
        return np.maximum(x, neighbour)

    for name in ("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b"):
        kernel, bias = model.get_layer(f"conv{name}").get_weights()
        x = convolve(x, kernel.astype("float64"), bias)
        if name == "1a":
            x = pool_space(x)
        elif name in ("2a", "3b", "4b"):
            x = pool_time(pool_space(x))
            dilation *= 2
    return pool_time(pool_space(x))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("time", [9, 16, 19])
def test_dense_equals_dilated_convolutions(causal, time):
    rng = np.random.default_rng(time)
    model = c3d(image_size=(32, 48), width=1 / 16, dense=True, causal=causal)
    for layer in model.layers:  # a bias would leak from the padded frames if they were not masked
        if layer.name.startswith("conv") and layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(size=bias.shape) * 0.1])
    video = rng.uniform(0, 255, (2, time, 32, 48, 3)).astype("float32")
    got = model.predict(video, verbose=0)
    for sample in range(2):
        expected = dense_reference(model, video[sample], causal)
        np.testing.assert_allclose(got[sample], expected, atol=1e-4 * np.abs(expected).max())


def test_causal_never_looks_ahead():
    model = c3d(image_size=32, width=1 / 16, dense=True, causal=True)
    rng = np.random.default_rng(0)
    video = rng.uniform(0, 255, (1, 20, 32, 32, 3)).astype("float32")
    changed = video.copy()
    changed[:, 12:] = 0
    a, b = model.predict(video, verbose=0), model.predict(changed, verbose=0)
    np.testing.assert_allclose(a[:, :12], b[:, :12], atol=1e-5)
    assert np.abs(a[:, 12:] - b[:, 12:]).max() > 1e-3


def test_clip_and_dense_share_weights():
    clip, dense = c3d(width=1 / 16, endpoint="fc6"), c3d(width=1 / 16, endpoint="fc6", dense=True)
    dense.set_weights(clip.get_weights())
    names = [[v.path.split("/", 1)[1] for v in m.weights] for m in (clip, dense)]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    "arguments",
    [
        {"endpoint": "conv9"},
        {"width": 0},
        {"causal": True},
        {"preprocessing": "unknown"},
        {"image_size": 8},
        {"dense": True, "preprocessing": "sports1m_mean_cube"},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        c3d(**arguments)
