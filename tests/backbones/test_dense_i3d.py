"""Dense I3D and LSTS against stride-1 pooling and dilated convolutions, tap by tap in NumPy."""

import keras
import numpy as np
import pytest

import zoo
from zoo.backbones.i3d import MIXED, SEPARATOR, STEPS, i3d


def _shaken(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(rng.normal(size=weight.shape) * 0.2)
        elif weight.name == "moving_variance":
            weight.assign(
                rng.uniform(0.4, 0.8, weight.shape)
            )  # so that the output depends on the frames
    return model


def _windows(x, size, dilation, stride, causal, fill):
    """For every tap of a window: its input values, (T, H', W', C), padded with `fill`."""
    before = (size[0] - 1 if causal else (size[0] - 1) // 2) * dilation
    pads = [(before, (size[0] - 1) * dilation - before)]
    for length, k in zip(x.shape[1:3], size[1:]):
        total = max((-(-length // stride) - 1) * stride + k - length, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, (*pads, (0, 0)), constant_values=fill)
    height, width = (-(-length // stride) for length in x.shape[1:3])
    for t, i, j in np.ndindex(*size):
        rows = padded[t * dilation : t * dilation + len(x), i:, j:]
        yield (
            (t, i, j),
            rows[:, : (height - 1) * stride + 1 : stride][
                :, :, : (width - 1) * stride + 1 : stride
            ],
        )


class _Reference:
    def __init__(self, model, causal):
        self.model, self.causal, self.dilation = model, causal, 1

    def conv(self, x, name, stride):
        kernel = np.asarray(self.model.get_layer(f"{name}{SEPARATOR}conv_3d").kernel, np.float64)
        size = kernel.shape[:3]
        y = sum(
            part @ kernel[tap]
            for tap, part in _windows(x, size, self.dilation, stride, self.causal, 0.0)
        )
        norm = self.model.get_layer(f"{name}{SEPARATOR}batch_norm")
        y = (y - np.asarray(norm.moving_mean)) / np.sqrt(
            np.asarray(norm.moving_variance) + norm.epsilon
        ) + np.asarray(norm.beta)
        return np.maximum(y, 0.0)

    def pool(self, x, size, stride):
        parts = _windows(x, size, self.dilation, stride, self.causal, -np.inf)
        return np.max([part for _, part in parts], axis=0)

    def mixed(self, x, name):
        def path(*parts):
            return SEPARATOR.join((name, *parts))

        last = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
        zero = self.conv(x, path("Branch_0", "Conv3d_0a_1x1"), 1)
        one = self.conv(x, path("Branch_1", "Conv3d_0a_1x1"), 1)
        one = self.conv(one, path("Branch_1", "Conv3d_0b_3x3"), 1)
        two = self.conv(x, path("Branch_2", "Conv3d_0a_1x1"), 1)
        two = self.conv(two, path("Branch_2", last), 1)
        three = self.conv(self.pool(x, (3, 3, 3), 1), path("Branch_3", "Conv3d_0b_1x1"), 1)
        return np.concatenate([zero, one, two, three], axis=-1)

    def __call__(self, frames):
        x = frames.astype(np.float64) / 127.5 - 1.0
        for step, (kind, *arguments) in STEPS.items():
            if kind == "conv":
                x = self.conv(x, step, arguments[2])
                self.dilation *= arguments[2]
            elif kind == "pool":
                x = self.pool(x, arguments[0], arguments[1][1])
                self.dilation *= arguments[1][0]
            else:
                x = self.mixed(x, step)
        return x


@pytest.mark.parametrize("causal", [False, True])
def test_dense_i3d_is_dilated_i3d(causal):
    keras.utils.set_random_seed(0)
    model = _shaken(i3d(image_size=36, width=1 / 32, dense=True, causal=causal))
    clip = i3d(image_size=36, width=1 / 32)
    assert [w.shape for w in clip.weights] == [w.shape for w in model.weights]
    frames = np.random.default_rng(0).integers(0, 255, (21, 36, 36, 3)).astype("float32")
    got = keras.ops.convert_to_numpy(model(frames[None], training=False))[0]
    expected = _Reference(model, causal)(frames)
    assert (
        got.shape
        == expected.shape
        == (21, 2, 2, sum(MIXED["Mixed_5c"][i] // 32 for i in (0, 2, 4, 5)))
    )
    np.testing.assert_allclose(got, expected, atol=1e-4 * max(1.0, expected.max()))


def test_causal_i3d_does_not_look_ahead():
    model = _shaken(i3d(image_size=32, width=1 / 32, dense=True, causal=True))
    frames = np.random.default_rng(0).integers(0, 255, (1, 16, 32, 32, 3)).astype("float32")
    changed = frames.copy()
    changed[:, 9:] = 0.0
    first, second = (keras.ops.convert_to_numpy(model(x)) for x in (frames, changed))
    np.testing.assert_allclose(first[:, :9], second[:, :9], atol=1e-6)
    assert np.abs(first[:, 9:] - second[:, 9:]).max() > 1e-3


@pytest.mark.parametrize("variant", ["released", "printed"])
def test_dense_lsts_shares_the_clip_models_weights_and_steps(variant):
    keras.utils.set_random_seed(0)
    settings = {"image_size": 32, "width": 1 / 32, "output_size": (9, 16), "variant": variant}
    clip = _shaken(zoo.lsts(**settings))
    model = zoo.lsts(**settings, dense=True)
    model.set_weights(clip.get_weights())
    frames = np.random.default_rng(0).integers(0, 255, (1, 27, 32, 32, 3)).astype("float32")
    got = keras.ops.convert_to_numpy(model(frames, training=False)["saliency"])[0]
    assert got.shape == (27, 9, 16)
    features = keras.ops.convert_to_numpy(model.get_layer("rgb_features")(frames))[0]
    past = np.concatenate([np.zeros((72, *features.shape[1:]), "float32"), features])
    # The ten steps of the clip ending at each frame, 8 frames apart, through its own head.
    steps = np.stack([past[t : t + 73 : 8] for t in range(27)])  # (27, 10, 1, 1, C)
    pooled = np.stack([steps[:, i : i + 6].mean(axis=1) for i in range(5)], axis=1)
    expected = keras.ops.convert_to_numpy(clip.get_layer("head")(pooled, training=False))
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_bad_arguments():
    for arguments, match in (
        ({"causal": True}, "`causal` must be used with `dense=True`"),
        ({"dense": True, "endpoint": "Logits"}, "averages over a clip"),
        ({"dense": True, "scaling": "min_max"}, "`scaling` must be 'fixed'"),
    ):
        with pytest.raises(ValueError, match=match):
            i3d(**arguments)
    with pytest.raises(ValueError, match="`causal` must be used with `dense=True`"):
        zoo.lsts(causal=True)
    with pytest.raises(ValueError, match="With `dense`, `backbone` must be"):
        zoo.lsts(dense=True, target="centre")
