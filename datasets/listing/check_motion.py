"""Check of whether mirrored gaze follows the motion in a video better than the gaze as read.

People look at what moves. If the mirrored gaze lies on moving regions and the gaze as read does
not, an axis was read in the wrong direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.video.reading import Video

HEIGHT, WIDTH = 36, 64  # motion is measured at this size
SIGMA = 2.0  # pixels at that size
MOST_FRAMES = 400
LEAST_FRAMES = 60
BLOCK = 15  # frames that count as one observation, because neighbouring frames are correlated
LEAST_MOTION = 0.05  # grey levels; nothing can be inferred from a still picture
# An axis is reported as mirrored if motion at the mirrored gaze is at least NSS (in standard
# deviations of the picture's motion), exceeds that at the gaze as read by at least MORE, and does
# so by at least ERRORS standard errors. None of 13 correctly read real videos is reported.
NSS, MORE, ERRORS = 0.6, 0.4, 4.0


@dataclass(frozen=True)
class Mirrored:
    """Mean motion at the gaze, in standard deviations of the picture's motion.

    Args:
        as_read: At the gaze as it was read.
        y: At the gaze mirrored upside down.
        x: At the gaze mirrored left to right.
        doubt: What is suspicious about these values, or an empty text.
        advice: The option that is probably wrong, or an empty text.
    """

    as_read: float
    y: float
    x: float
    doubt: str = ""
    advice: str = ""


def mirrored_gaze(video: Video, fixations: Fixations) -> Mirrored | None:
    """Compare motion at the gaze with motion at the mirrored gaze; None if too little moves."""
    rows, before = [], None
    stop = min(MOST_FRAMES, fixations.num_frames, video.num_frames)
    for at, frame in enumerate(video.frames((HEIGHT, WIDTH), stop=stop)):
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
        if before is not None:
            motion = cv2.GaussianBlur(np.abs(grey - before), (0, 0), SIGMA)
            of = fixations.in_frames(at, at + 1)
            if motion.std() > LEAST_MOTION and len(of):
                rows.append(_at_gaze((motion - motion.mean()) / motion.std(), of))
        before = grey
    if len(rows) < LEAST_FRAMES:
        return None
    table = np.array(rows)
    as_read, upside_down, left_right = (float(value) for value in table.mean(0))
    tried = (
        (1, upside_down, "upside down", "`y_up` is likely wrong"),
        (2, left_right, "left to right", "`x` is likely counted from the right"),
    )
    for column, mean, how, advice in tried:
        gain = table[:, column] - table[:, 0]
        blocks = np.array([b.mean() for b in np.array_split(gain, len(gain) // BLOCK)])
        error = blocks.std(ddof=1) / np.sqrt(len(blocks)) + 1e-9
        if mean > NSS and gain.mean() > MORE and blocks.mean() > ERRORS * error:
            doubt = (
                f"mirrored {how}, the gaze follows what moves ({mean:.1f} standard deviations); "
                f"as read, it does not ({as_read:.1f})"
            )
            return Mirrored(as_read, upside_down, left_right, doubt, advice)
    return Mirrored(as_read, upside_down, left_right)


def _at_gaze(motion: np.ndarray, gaze: Fixations) -> tuple[float, float, float]:
    column = np.minimum((gaze.x * WIDTH).astype(int), WIDTH - 1)
    row = np.minimum((gaze.y * HEIGHT).astype(int), HEIGHT - 1)
    return (
        float(motion[row, column].mean()),
        float(motion[HEIGHT - 1 - row, column].mean()),
        float(motion[row, WIDTH - 1 - column].mean()),
    )
