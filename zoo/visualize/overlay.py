"""Draws a saliency map over its frame as a heat map."""

from __future__ import annotations

import functools

import cv2
import numpy as np


def overlay(
    frame: np.ndarray,
    saliency: np.ndarray,
    *,
    strength: float = 0.75,
    candidates: np.ndarray | None = None,
    fixations: np.ndarray | None = None,
) -> np.ndarray:
    """Overlay a frame with its saliency: transparent where it is low, coloured where it is high.

    Args:
        frame: array (height, width, 3), RGB, uint8.
        saliency: array (any height, any width), non-negative; scaled by its own maximum.
        strength: opacity at the map's maximum.
        candidates: array (n, 2 or more) of x, y in [0, 1], drawn as rings, the first one bold.
        fixations: array (n, 2) of x, y in [0, 1], drawn as dots; NaN rows are skipped.

    Returns:
        Array of the frame's shape, uint8.

    Example: `overlay(frame, prediction.map(40, 360, 640))`.
    """
    height, width = frame.shape[:2]
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"`strength` must be between 0 and 1. Received: strength={strength}")
    highest = float(np.max(saliency))
    scale = 255.0 / highest if highest > 0 else 0.0
    heat = cv2.convertScaleAbs(np.asarray(saliency, np.float32), alpha=scale)
    if heat.shape != (height, width):
        heat = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
    colour, opacity = _tables(strength)
    share = cv2.LUT(heat, opacity)
    # Indexing the table with NumPy gives the same result but takes ten times as long.
    drawn = cv2.blendLinear(frame, cv2.applyColorMap(heat, colour), 1.0 - share, share)
    if candidates is not None:
        _draw_candidates(drawn, candidates)
    if fixations is not None:
        draw_fixations(drawn, fixations)
    return drawn


def draw_fixations(frame: np.ndarray, fixations: np.ndarray) -> None:
    """Draw fixations (n, 2), x and y in [0, 1], as dots on the frame, in place."""
    height, width = frame.shape[:2]
    radius = max(2, round(min(height, width) / 120))
    for x, y in np.asarray(fixations)[:, :2]:
        if np.isfinite(x) and np.isfinite(y):
            place = (int(x * width), int(y * height))
            cv2.circle(frame, place, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(frame, place, radius, (255, 255, 255), -1, cv2.LINE_AA)


def _draw_candidates(frame, candidates):
    height, width = frame.shape[:2]
    radius = max(4, round(min(height, width) / 28))
    for index, (x, y) in enumerate(np.asarray(candidates)[:, :2]):
        place = (round(float(x) * (width - 1)), round(float(y) * (height - 1)))
        bold = 2 if index == 0 else 1
        size = radius if index == 0 else radius * 2 // 3
        cv2.circle(frame, place, size, (0, 0, 0), bold + 2, cv2.LINE_AA)
        cv2.circle(frame, place, size, (255, 255, 255), bold, cv2.LINE_AA)


@functools.lru_cache(maxsize=8)
def _tables(strength: float):
    levels = np.arange(256, dtype=np.uint8)[:, None]
    colour = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)[..., ::-1]  # (256, 1, 3), RGB
    level = np.linspace(0.0, 1.0, 256, dtype=np.float32)
    # Transparent below 1/20 of the maximum, then quickly opaque.
    opacity = strength * np.clip((level - 0.05) / 0.45, 0.0, 1.0) ** 0.8
    return np.ascontiguousarray(colour), opacity.astype(np.float32)
