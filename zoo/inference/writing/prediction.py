"""What a model says about one video."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zoo.inference.streaming.saliency_outputs import output_map


@dataclass(frozen=True)
class Prediction:
    """A model's outputs for one video: named arrays, and the files that were written.

    Attributes:
        video: path of the video.
        frames: (n,) numbers of the frames with a prediction, from 0.
        outputs: name to array (n, ...): for `zoo.rmdn()`, "mixture" (n, C, 6); for `zoo.lsts()`,
            "saliency" (n, height, width), float16, mapped from a file.
        candidates: n arrays (k, 3): x, y in [0, 1] and the share of the likeliest places.
        num_frames, fps, height, width: of the video.
        files: what was written, kind to path: "film", "maps", "candidates", "arrays",
            "saliency", "summary".

    Example:

    ```python
    prediction = zoo.predict(model, "clip.mp4")
    prediction.map(40)               # (height, width), sums to 1
    prediction.candidates[40][0]     # x, y, share
    ```
    """

    video: str
    frames: np.ndarray
    outputs: dict[str, np.ndarray]
    candidates: list[np.ndarray]
    num_frames: int
    fps: float
    height: int
    width: int
    files: dict[str, str] = field(default_factory=dict)

    def map(self, frame: int, height: int | None = None, width: int | None = None) -> np.ndarray:
        """The saliency map of a frame at any size (default the video's), summing to 1."""
        place = int(np.searchsorted(self.frames, frame))
        if place >= len(self.frames) or self.frames[place] != frame:
            raise IndexError(
                f"`frame` must be one of the {len(self.frames)} frames with a prediction. "
                f"Received: frame={frame}"
            )
        return output_map(self.outputs, place, height or self.height, width or self.width)
