"""Ground-truth maps from fixations: counts, blurred by a Gaussian, plus a uniform density."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.datasets.gaze.fixations import Fixations

RADIUS = 4.0  # the Gaussian is truncated at this many sigmas


def truth_maps(
    fixations: Fixations,
    height: int,
    width: int,
    *,
    sigma_pixels: float | None = None,
    sigma_degrees: float | None = None,
    pixels_per_degree: float | None = None,
    uniform: float = 0.0,
) -> np.ndarray:
    """Ground-truth maps of all frames, (num_frames, height, width) float32; each sums to 1.

    Fixations are counted per pixel, blurred by an isotropic Gaussian and scaled to sum to
    `1 - uniform`; a uniform density of weight `uniform` is added. The map of a frame without
    fixations (`fixations.empty_frames`) is all zeros.

    Args:
        fixations: The fixations of a video.
        height, width: Size of the maps in pixels.
        sigma_pixels: Standard deviation of the Gaussian, in pixels of the map.
        sigma_degrees: Instead of it, the standard deviation in degrees of visual angle.
        pixels_per_degree: Pixels of the map per degree, with `sigma_degrees`.
        uniform: Weight of the uniform density, in [0, 1].

    Raises:
        ValueError: An argument is out of range, or not exactly one sigma is given.

    Example: `truth_maps(fixations, 36, 64, sigma_pixels=2.0)`  # (num_frames, 36, 64)
    """
    if (sigma_pixels is None) == (sigma_degrees is None):
        raise ValueError(
            "Either `sigma_pixels` or `sigma_degrees` must be given. Received: "
            f"sigma_pixels={sigma_pixels}, sigma_degrees={sigma_degrees}"
        )
    if sigma_degrees is not None:
        if pixels_per_degree is None or not pixels_per_degree > 0:
            raise ValueError(
                "`pixels_per_degree` must be above 0 with `sigma_degrees`. Received: "
                f"pixels_per_degree={pixels_per_degree}"
            )
        sigma_pixels = sigma_degrees * pixels_per_degree
    if not sigma_pixels > 0:
        raise ValueError(f"The sigma must be above 0 pixels. Received: sigma={sigma_pixels}")
    if not 0 <= uniform <= 1:
        raise ValueError(f"`uniform` must be in [0, 1]. Received: uniform={uniform}")
    maps = np.zeros((fixations.num_frames, height, width), np.float32)
    for frame in range(fixations.num_frames):
        counts = fixations.in_frames(frame, frame + 1).counts(height, width)[0]
        if counts.any():
            maps[frame] = blurred(counts, sigma_pixels)
            maps[frame] *= (1 - uniform) / maps[frame].sum(dtype=np.float64)
            maps[frame] += uniform / (height * width)
    return maps


def blurred(counts: np.ndarray, sigma: float) -> np.ndarray:
    """Counts (height, width) blurred by a Gaussian of `sigma` pixels, zero beyond the edges."""
    size = 2 * int(np.ceil(RADIUS * sigma)) + 1
    return cv2.GaussianBlur(
        counts.astype(np.float32), (size, size), sigma, borderType=cv2.BORDER_CONSTANT
    )
