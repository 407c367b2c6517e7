"""Random augmentations of a sample: frozen dataclasses, called with a sample and a generator.

A sample is a dict of arrays. It may contain `rgb` (time, height, width, 3), `fixations` (time,
points, 2) as x and y in [0, 1], NaN-padded, `flow` (time, height, width, 2) in pixels, and `boxes`
(time, ..., 4) in pixels. Other entries pass through unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from zoo.datasets.video.aligned import aligned_empty

Sample = dict[str, np.ndarray]


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be in [0, 1]. Received: {name}={value}")


@dataclass(frozen=True)
class HorizontalFlip:
    """Randomly flips frames, gaze, boxes and flow from left to right.

    Args:
        probability: Probability that a sample is flipped, in [0, 1].

    Example: `sample = HorizontalFlip()(sample, np.random.default_rng(0))`
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        _check_share("probability", self.probability)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return sample if rng.random() >= self.probability else _mirrored(sample, 0)


@dataclass(frozen=True)
class VerticalFlip:
    """Randomly flips frames, gaze, boxes and flow upside down.

    For videos in which up and down have no meaning.

    Args:
        probability: Probability that a sample is flipped, in [0, 1].

    Example: `sample = VerticalFlip()(sample, np.random.default_rng(0))`
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        _check_share("probability", self.probability)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return sample if rng.random() >= self.probability else _mirrored(sample, 1)


@dataclass(frozen=True)
class Colour:
    """Randomly changes brightness and contrast, by the same amount in all frames of a sample.

    Args:
        brightness: Largest shift of the pixel values, as a fraction of 255, in [0, 1].
        contrast: Largest deviation of the contrast factor from 1, in [0, 1].

    Example: `sample = Colour(brightness=0.1)(sample, np.random.default_rng(0))`
    """

    brightness: float = 0.1
    contrast: float = 0.2

    def __post_init__(self) -> None:
        _check_share("brightness", self.brightness)
        _check_share("contrast", self.contrast)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        factor = 1 + rng.uniform(-self.contrast, self.contrast)
        shift = 255 * rng.uniform(-self.brightness, self.brightness)
        levels = np.clip((np.arange(256) - 127.5) * factor + 127.5 + shift, 0, 255)
        if "rgb" not in sample:
            return sample
        rgb = np.ascontiguousarray(sample["rgb"])
        rows = rgb.reshape(-1, *rgb.shape[-2:])
        changed = aligned_empty(rgb.shape, np.uint8)
        cv2.LUT(rows, np.round(levels).astype(np.uint8), changed.reshape(rows.shape))
        return {**sample, "rgb": changed}


@dataclass(frozen=True)
class Crop:
    """Crops all frames to one window of random scale and position, then restores the frame size.

    Fixations outside the window become NaN; boxes and flow are moved and scaled accordingly.

    Args:
        scales: Window sides as fractions of the frame's sides, in (0, 1]; one is drawn.

    Example: `sample = Crop(scales=(1.0, 0.8))(sample, np.random.default_rng(0))`
    """

    scales: tuple[float, ...] = (1.0, 0.875, 0.75)

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale <= 1 for scale in self.scales):
            raise ValueError(f"`scales` must be in (0, 1]. Received: scales={self.scales}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        scale = self.scales[rng.integers(len(self.scales))]
        height, width = _size(sample)
        rows, columns = max(1, round(scale * height)), max(1, round(scale * width))
        top, left = (int(rng.integers(free + 1)) for free in (height - rows, width - columns))
        return _cut(sample, top, left, rows, columns)


@dataclass(frozen=True)
class MultiScaleCrop:
    """Crops all frames to one window at a corner or in the centre, then restores the frame size.

    Separate scales are drawn for height and width, so the aspect ratio varies a little.
    Fixations, boxes and flow are treated as in `Crop`. In the paper the window is nearly square
    and becomes a square input; here it has nearly the frame's aspect ratio and becomes a frame,
    which is the same for square frames.

    Args:
        scales: Window sides as fractions of the frame's sides, in (0, 1], largest first.
        distortion: How far apart in the list `scales` the two scales may be.

    Example: `sample = MultiScaleCrop()(sample, np.random.default_rng(0))`

    Reference: Wang et al., "Temporal segment networks", ECCV 2016.
    """

    scales: tuple[float, ...] = (1.0, 0.875, 0.75, 0.66)
    distortion: int = 1

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale <= 1 for scale in self.scales):
            raise ValueError(f"`scales` must be in (0, 1]. Received: scales={self.scales}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        height, width = _size(sample)
        count = range(len(self.scales))
        pairs = [(i, j) for i in count for j in count if abs(i - j) <= self.distortion]
        pair = pairs[rng.integers(len(pairs))]
        rows, columns = (
            max(1, round(self.scales[at] * side)) for at, side in zip(pair, (height, width))
        )
        free = height - rows, width - columns
        places = [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)]
        down, across = places[rng.integers(len(places))]
        return _cut(sample, int(down * free[0]), int(across * free[1]), rows, columns)


def _size(sample: Sample) -> tuple[int, int]:
    """Height and width of the frames or the flow."""
    return sample["rgb" if "rgb" in sample else "flow"].shape[1:3]


def _mirrored(sample: Sample, coordinate: int) -> Sample:
    """Mirror a whole sample: x (coordinate 0), that is left to right, or y (1)."""
    out = dict(sample)
    for name in ("rgb", "flow"):
        if name in out:
            out[name] = _flipped(out[name], 1 - coordinate)
    if "flow" in out:
        signs = np.where(np.arange(2) == coordinate, -1, 1)
        out["flow"] = out["flow"] * signs.astype(out["flow"].dtype)
    if "fixations" in out:
        out["fixations"] = out["fixations"].copy()
        out["fixations"][..., coordinate] = 1 - out["fixations"][..., coordinate]
    if "boxes" in out:  # x, y, width, height
        side = _size(sample)[1 - coordinate]
        out["boxes"] = out["boxes"].copy()
        out["boxes"][..., coordinate] = (
            side - out["boxes"][..., coordinate] - out["boxes"][..., 2 + coordinate]
        )
    return out


def _flipped(frames: np.ndarray, axis: int) -> np.ndarray:
    """Flip all frames, left-right (axis 1) or upside down (0); many times faster than [::-1]."""
    if frames.dtype == np.float16:  # OpenCV does not support it
        return np.flip(frames, 1 + (axis == 1))
    out = aligned_empty(frames.shape, frames.dtype)
    for frame, target in zip(frames, out):
        cv2.flip(np.ascontiguousarray(frame), axis, target)
    return out


def _cut(sample: Sample, top: int, left: int, rows: int, columns: int) -> Sample:
    """Crop all frames to the window and resize it to the original frame size."""
    height, width = _size(sample)
    if (rows, columns) == (height, width):
        return sample
    grow = np.array([width / columns, height / rows])
    out = dict(sample)
    for name in ("rgb", "flow"):
        if name in out:
            part = out[name][:, top : top + rows, left : left + columns]
            # OpenCV does not support float16.
            part = part.astype(np.float32) if name == "flow" else part
            whole = aligned_empty(sample[name].shape, part.dtype)
            for frame, target in zip(part, whole):
                cv2.resize(np.ascontiguousarray(frame), (width, height), target)
            out[name] = whole.astype(sample[name].dtype, copy=False)
    if "flow" in out:
        out["flow"] = out["flow"] * grow.astype(out["flow"].dtype)
    if "fixations" in out:
        points = (out["fixations"] - np.array([left / width, top / height])) * grow
        outside = ~np.all((points >= 0) & (points < 1), axis=-1, keepdims=True)
        out["fixations"] = np.where(outside, np.nan, points).astype(sample["fixations"].dtype)
    if "boxes" in out:
        corner = (out["boxes"][..., :2] - np.array([left, top])) * grow
        boxes = np.concatenate([corner, out["boxes"][..., 2:] * grow], axis=-1)
        out["boxes"] = boxes.astype(sample["boxes"].dtype)
    return out
