"""Rendering of moving_targets: a drifting textured background, objects, and bars in front."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from zoo.datasets.made.scene import LEAD, Scene

TARGET_HUE = (8, 18)  # OpenCV's scale of 180: orange; only the target has a warm colour
OTHER_HUES = (50, 135)  # green to violet


def render(scene: Scene, *, frames: int, height: int, width: int) -> Iterator[np.ndarray]:
    """Yield the frames of a scene, (height, width, 3) uint8 RGB."""
    rng = np.random.default_rng(scene.appearance_seed)
    ground = _texture(rng, 2 * height, 2 * width)
    sprites = [
        _sprite(rng, radius * min(height, width), target=number == 0)
        for number, radius in enumerate(scene.radii)
    ]
    order = [*range(1, len(sprites)), 0]  # the target is in front of the other objects
    angle = rng.uniform(0, 2 * np.pi)
    speed = rng.uniform(0.2, 1.2) * min(height, width) / 112
    drift = speed * np.array([np.cos(angle), np.sin(angle)])
    bars = _texture(rng, height, width)[..., ::-1] // 2
    edges = np.round(scene.bars * width).astype(int)
    for frame in range(frames):
        offset = np.array([width, height]) / 2 + drift * (frame - frames / 2)
        picture = cv2.getRectSubPix(
            ground, (width, height), tuple(map(float, offset + [width / 2, height / 2]))
        ).astype(np.float32)
        for number in order:
            _paste(picture, *sprites[number], scene.paths[number, LEAD + frame])
        out = picture.astype(np.uint8)
        for low, high in edges:
            out[:, low:high] = bars[:, low:high]
        yield out


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Nearly grey noise of several scales, uint8 RGB."""
    total = np.zeros((height, width, 3), np.float32)
    for scale, weight in ((3, 18.0), (8, 26.0), (24, 34.0)):
        small = rng.standard_normal((height // scale + 2, width // scale + 2, 1))
        tint = 0.25 * rng.standard_normal((*small.shape[:2], 3))
        noise = (small + tint).astype(np.float32)
        total += weight * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(total + rng.uniform(90, 150), 0, 255).astype(np.uint8)


def _sprite(
    rng: np.random.Generator, radius: float, *, target: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Colour (n, n, 3) and opacity (n, n, 1) of an object, float32; n is odd."""
    half = int(np.ceil(radius)) + 2
    row, column = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    shape = rng.integers(3)
    if shape == 0:
        reach = np.hypot(row, column)
    elif shape == 1:
        reach = np.maximum(np.abs(row), np.abs(column)) * 1.15
    else:
        reach = (np.abs(row) + np.abs(column)) * 0.8
    hue = rng.uniform(*(TARGET_HUE if target else OTHER_HUES))
    colour = cv2.cvtColor(
        np.array([[[hue, rng.uniform(190, 255), rng.uniform(190, 255)]]], np.uint8),
        cv2.COLOR_HSV2RGB,
    )[0, 0].astype(np.float32)
    direction = rng.uniform(0, np.pi)
    across = row * np.sin(direction) + column * np.cos(direction)
    stripes = 1 - 0.3 * (np.sin(across * 2 * np.pi / max(4.0, radius * 0.8)) > 0)
    body = colour * stripes[..., None]
    rim = np.clip(reach - 0.72 * radius + 0.5, 0, 1)[..., None] if rng.random() < 0.5 else 0.0
    body = body * (1 - rim) + 240.0 * rim
    opacity = np.clip(radius - reach + 0.5, 0, 1)[..., None]
    return body.astype(np.float32), opacity.astype(np.float32)


def _paste(picture: np.ndarray, colour: np.ndarray, opacity: np.ndarray, place: np.ndarray) -> None:
    """Blend an object into the picture, centred at `place` with subpixel accuracy."""
    height, width = picture.shape[:2]
    x, y = place[0] * width - 0.5, place[1] * height - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    shift = np.float32([[1, 0, x - left], [0, 1, y - top]])
    size = (colour.shape[1], colour.shape[0])
    colour = cv2.warpAffine(colour, shift, size, borderMode=cv2.BORDER_REPLICATE)
    opacity = cv2.warpAffine(opacity, shift, size)[..., None]
    left, top = left - size[0] // 2, top - size[1] // 2
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + size[0]), min(height, top + size[1])
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    behind = picture[y0:y1, x0:x1]
    behind += opacity[part] * (colour[part] - behind)
