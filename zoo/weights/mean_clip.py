"""C3D's mean clip of Sports-1M, which is subtracted from each input clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.weights.errors import WeightsError
from zoo.weights.formats.caffe_file import read_blob


def read_mean_clip(path: str | Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read the mean clip and crop it at the centre.

    Args:
        path: `train01_16_128_171_mean.npy` (3, 16, 128, 171), or the `.binaryproto` it was made
            from.
        shape: Shape of the result, (16, height, width, 3); 112x112 is rows 8:120 and columns
            30:142.

    Returns:
        Array of that shape, BGR.

    Raises:
        WeightsError: The file does not hold a mean clip that is large enough.
    """
    path = Path(path)
    if path.suffix == ".npy":
        mean = np.load(path, allow_pickle=False)
    else:
        mean = read_blob(path)
    mean = np.squeeze(mean)
    time, height, width, channels = shape
    if (
        mean.ndim != 4
        or mean.shape[:2] != (channels, time)
        or mean.shape[2] < height
        or mean.shape[3] < width
    ):
        raise WeightsError(
            f"A mean clip must be ({channels}, {time}, at least {height}, at least {width}). "
            f"Received: {path} of {mean.shape}"
        )
    top = (mean.shape[2] - height) // 2
    # 59 of 171 columns are cropped; the published crop starts at half of them, rounded up.
    left = -(-(mean.shape[3] - width) // 2)
    crop = mean[:, :, top : top + height, left : left + width]
    return np.ascontiguousarray(crop.transpose(1, 2, 3, 0), "float32")
