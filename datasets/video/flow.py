"""Optical flow of a video, frame by frame, for models that use it as an input."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from zoo.files.atomic import atomic_path

__all__ = ["PRESETS", "dis_flow", "read_flow", "store_flow", "video_flow"]

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
BATCH = 16


def dis_flow(preset: str = "fast") -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A flow function based on OpenCV's DIS: two grey batches (n, h, w) to (n, h, w, 2).

    Args:
        preset: "ultrafast", "fast" or "medium"; 0.2 to 3 ms per pair of 112x112 frames.

    Raises:
        ValueError: There is no such preset.

    Example: `flow = dis_flow("fast")(first, second)`

    Reference: Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016.
    """
    if preset not in PRESETS:
        raise ValueError(f"`preset` must be one of {tuple(PRESETS)}. Received: preset={preset!r}")
    own = threading.local()  # the object of OpenCV holds its intermediate results

    def flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if not hasattr(own, "method"):
            own.method = cv2.DISOpticalFlow.create(PRESETS[preset])
        method = own.method
        pairs = zip(_bytes(first), _bytes(second))
        return np.stack([method.calc(a, b, None) for a, b in pairs])

    return flow


def video_flow(
    frames: Iterable[np.ndarray],
    *,
    method: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    size: tuple[int, int] = (112, 112),
    output_size: tuple[int, int] | None = (224, 224),
    scale_vectors: bool = True,
    batch: int = BATCH,
) -> Iterator[np.ndarray]:
    """Optical flow from each frame to the next, one field for each frame but the first.

    Args:
        frames: (height, width, 3) RGB uint8 frames; only `batch` of them are in memory at a time.
        method: Function of two grey batches (n, h, w), 0 to 255, that returns (n, h, w, 2), the
            motion to the right and down in pixels; default `dis_flow()`. The LSTS paper uses
            TV-L1: `zoo.layers.tvl1_function()`.
        size: (height, width) at which the flow is computed.
        output_size: (height, width) to which it is enlarged; None keeps its size.
        scale_vectors: Whether vectors are scaled along when the field is enlarged, so that they
            are in pixels of the output. The authors of LSTS did not scale them.
        batch: Number of pairs in one call of `method`.

    Yields:
        Fields (height, width, 2) float32.

    Raises:
        ValueError: An argument is out of range, or `method` returns a wrong shape.

    Example:

    ```python
    flow = np.stack(list(video_flow(open_video("clip.mp4").frames())))  # (T - 1, 224, 224, 2)
    ```
    """
    if min(*size, *(output_size or size)) < 1 or batch < 1:
        raise ValueError(
            "`size`, `output_size` and `batch` must be positive. "
            f"Received: size={size}, output_size={output_size}, batch={batch}"
        )
    method = method or dis_flow()
    greys = (_grey(frame, size) for frame in frames)
    last = next(greys, None)
    while group := list(itertools.islice(greys, batch)):
        images = np.stack([last, *group])
        # Pad the last batch, so that a compiled method is not compiled again for its size.
        padded = np.concatenate([images, np.repeat(images[-1:], batch - len(group), 0)])
        fields = np.asarray(method(padded[:-1], padded[1:]))[: len(group)]
        if fields.shape != (len(group), *size, 2):
            raise ValueError(
                f"`method` must return (n, {size[0]}, {size[1]}, 2). Received: shape={fields.shape}"
            )
        for field in fields:
            yield _enlarged(field, output_size, scale_vectors)
        last = images[-1]


def store_flow(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    *,
    num_frames: int,
    method: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    size: tuple[int, int] = (112, 112),
    batch: int = BATCH,
) -> None:
    """Write a video's flow to a `.npy` file, (num_frames, *size, 2) float16.

    Field t is the motion from frame t - 1 to frame t in pixels at `size`; field 0 is zero. Only
    `batch` frames are in memory at a time, and the file is written atomically.

    Args:
        path: The file.
        frames, method, size, batch: As in `video_flow`.
        num_frames: Number of frames.

    Raises:
        ValueError: `num_frames` is not the number of frames, or as in `video_flow`.

    Example:

    ```python
    video = open_video("clip.mp4")
    store_flow("clip.npy", video.frames(), num_frames=video.num_frames)
    flow = read_flow("clip.npy", num_frames=video.num_frames, output_size=(224, 224))
    ```
    """
    fields = video_flow(frames, method=method, size=size, output_size=None, batch=batch)
    with atomic_path(path) as part:
        out = np.lib.format.open_memmap(part, "w+", np.float16, (num_frames, *size, 2))
        count = 1
        for field in fields:
            if count < num_frames:
                out[count] = field
            count += 1
        if count != num_frames:
            raise ValueError(
                f"`num_frames` must be the number of frames. Received: num_frames={num_frames}, "
                f"{count} frames"
            )
        out.flush()
        del out


def read_flow(
    path: str | os.PathLike,
    *,
    num_frames: int,
    output_size: tuple[int, int] | None = None,
    scale_vectors: bool = True,
) -> np.ndarray:
    """Read a file written by `store_flow`: (num_frames, height, width, 2) float32.

    Args:
        path: The file.
        num_frames: Number of frames of the video.
        output_size, scale_vectors: As in `video_flow`.

    Raises:
        ValueError: The file does not have `num_frames` fields.

    Example: `read_flow("clip.npy", num_frames=240, output_size=(224, 224))`
    """
    held = np.load(path, mmap_mode="r", allow_pickle=False)
    if held.ndim != 4 or held.shape[-1] != 2 or len(held) != num_frames:
        raise ValueError(
            f"The flow must have the shape ({num_frames}, height, width, 2), one field for each "
            f"frame of the video. Received: {os.fspath(path)} of shape {held.shape}"
        )
    if output_size is None or tuple(output_size) == held.shape[1:3]:
        return held.astype(np.float32)
    return np.stack([_enlarged(field, output_size, scale_vectors) for field in held])


def _grey(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"A frame must be (height, width, 3). Received: shape={frame.shape}")
    grey = cv2.cvtColor(np.asarray(frame), cv2.COLOR_RGB2GRAY)
    if grey.shape == tuple(size):
        return grey
    return cv2.resize(grey, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _enlarged(field: np.ndarray, size, scale_vectors: bool) -> np.ndarray:
    field = np.asarray(field, np.float32)
    height, width = field.shape[:2]
    if size is None or tuple(size) == (height, width):
        return field
    out = cv2.resize(field, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    if scale_vectors:
        out = out * np.array([size[1] / width, size[0] / height], np.float32)
    return out


def _bytes(images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)
