"""Arguments that several builders share."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo.backbones.frame_sides import frame_sides

SMALL = {"width": 0.03, "units": 2, "num_components": 2, "dense": True}


def test_sides_of_frames():
    assert frame_sides(112) == frame_sides(np.int64(112)) == (112, 112)
    assert frame_sides((90, 160)) == frame_sides(np.array([90, 160])) == (90, 160)
    assert frame_sides(None, any_size=True) == (None, None)
    assert frame_sides([None, 32], any_size=True) == (None, 32)
    for wrong in ("a", "ab", (32,), (32, 32, 3), 32.0, None, (None, 32), 0, (32, -1)):
        with pytest.raises(ValueError, match=r"whole number of pixels or \(height, width\)\. Rec"):
            frame_sides(wrong)


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (zoo.rmdn, SMALL),
        (zoo.joint, {**SMALL, "num_classes": 2}),
        (zoo.lsts, {"width": 0.05, "num_frames": 16}),
        (zoo.soft_attention, {"num_classes": 2}),
        (zoo.spatiotemporal_attention, {"num_classes": 2}),
        (zoo.general_saliency, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_builder_names_the_rule(build, options):
    with pytest.raises(ValueError, match=r"`image_size` must be a whole number of pixels"):
        build(image_size=32.5, **options)


@pytest.mark.parametrize("wrong", [(5,), "360x640", (360, 0), 2.5])
def test_size_of_the_map(wrong):
    with pytest.raises(ValueError, match=r"`output_size` must be .* Received: output_size="):
        zoo.lsts(output_size=wrong, width=0.05, num_frames=16)


@pytest.mark.parametrize("wrong", [3, (3,), "6x8"])
def test_grid_of_the_mixture(wrong):
    with pytest.raises(ValueError, match=r"`mixture` must be \(rows, columns\) of a grid"):
        zoo.general_saliency(mixture=wrong)


@pytest.mark.parametrize("build", [zoo.rmdn, zoo.joint, zoo.soft_attention])
def test_what_is_no_backbone(build):
    with pytest.raises(ValueError, match=r"`backbone` must be one of .* a keras.Model or None"):
        build(backbone=5)


def test_a_side_from_numpy():
    assert zoo.rmdn(image_size=np.int64(32), **SMALL).input_shape == (None, None, 32, 32, 3)
