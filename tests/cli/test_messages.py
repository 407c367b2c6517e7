"""Errors are one line and name the command's own options."""

import warnings

import pytest

from zoo.cli.messages import did_you_mean, in_options, message_of
from zoo.cli.parsing import own_options


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "`size` must be positive. Received: size=(0, 2)",
            "--size must be positive. Received: --size 0 2",
        ),
        (
            '`initial="pad"` repeats its first frame. Received: clip.mp4, 3 frames',
            "--initial pad repeats its first frame. Received: clip.mp4, 3 frames",
        ),
        (
            "give another one, or pass overwrite=True. Received: out",
            "give another one, or pass --overwrite. Received: out",
        ),
        ("pass `raw_size=None`", "pass no --raw-size"),
        ("`video` must exist", "VIDEO must exist"),
        ("`resize` and map_size=3 are others", "`resize` and map_size=3 are others"),
    ],
)
def test_messages_name_options(message, expected):
    names = ("size", "initial", "overwrite", "raw_size", "video")
    assert in_options(message, names, ("video",)) == expected


def test_a_guess_only_where_a_name_is_close():
    assert did_you_mean("perdict", ["predict", "prepare"]) == "Did you mean 'predict'? "
    assert did_you_mean("UFC101", ["ucf101", "ucf11"]) == "Did you mean 'ucf101'? "
    assert did_you_mean("fly", ["predict"]) == ""


def test_errors_become_one_line():
    assert message_of(ValueError("a\n  b")) == "a b"
    assert message_of(ValueError()) == "ValueError"
    error = FileNotFoundError(2, "No such file or directory", "clip.mp4")
    assert message_of(error) == "No such file or directory: clip.mp4"
    missing = ModuleNotFoundError("No module named 'tf2onnx'", name="tf2onnx.convert")
    assert message_of(missing).endswith("pip install 'video-attention-zoo[export]'")


def test_warnings_name_options():
    expected = pytest.warns(UserWarning, match="give --backbone-weights")
    with expected, own_options(["backbone_weights"]):
        warnings.warn("give `backbone_weights`", stacklevel=1)
