"""What one pass over a video tells: when its frames are shown, and what is damaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Damage:
    """One place of a video file that did not decode as it was written.

    Attributes:
        frame: Number of the frame at which it was found: that frame is damaged, or frames that
            would have stood before it are lost.
        seconds: When that is, from the first frame; None where the file does not say.
        what: What FFmpeg found.
    """

    frame: int
    seconds: float | None
    what: str

    def __str__(self) -> str:
        when = "" if self.seconds is None else f" ({self.seconds:.3f} s)"
        return f"{self.what} at frame {self.frame}{when}"


def describe_damage(damage: tuple[Damage, ...], most: int = 5) -> str:
    """The damaged places in a line: how many, and where the first are."""
    places = "; ".join(map(str, damage[:most]))
    more = f"; and {len(damage) - most} more" if len(damage) > most else ""
    return f"{len(damage)} damaged {'place' if len(damage) == 1 else 'places'}: {places}{more}"


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a video as one pass over it found them.

    Args:
        times: Seconds from the first frame, one a frame, increasing.
        end: Seconds at which the last frame ends.
        ticks: The stream's own time stamps, one a frame; None where they do not tell the frames
            apart, so that no seek is possible.
        keys: Numbers of the frames at which decoding can begin; None where that is not known.
        damage: What is damaged; None where that is not known.
        interlaced: How many frames hold two fields.
        first: Seconds at which the first frame is shown by the file's clock.
        stamped: Whether the times are the file's own.

    Example: `open_video("clip.mp4").index.end`.
    """

    times: np.ndarray
    end: float
    ticks: np.ndarray | None = None
    keys: np.ndarray | None = None
    damage: tuple[Damage, ...] | None = ()
    interlaced: int = 0
    first: float = 0.0
    stamped: bool = True

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, stamps: np.ndarray, fps: float, tick: float | None = None) -> FrameIndex:
        """The index of a file whose time stamps alone are known.

        Args:
            stamps: `FrameIndex.stamps`.
            fps: Frames a second.
            tick: Seconds of the stream's unit of time; None where there is none.
        """
        stamps = np.asarray(stamps, np.float64)
        if np.any(np.diff(stamps) <= 0):
            times = np.arange(len(stamps)) / fps
            return cls(times=times, end=len(stamps) / fps, damage=None, stamped=False)
        times = stamps - stamps[:1]
        ticks = None if tick is None else np.rint(stamps / tick).astype(np.int64)
        end = float(times[-1]) + 1 / fps
        return cls(times=times, end=end, ticks=ticks, damage=None, first=float(stamps[0]))

    def number(self, tick: int | None) -> int:
        """The number of the frame of a time stamp, or -1: there is none."""
        if tick is None or self.ticks is None or not len(self):
            return -1
        at = min(int(np.searchsorted(self.ticks, tick)), len(self) - 1)
        return at if self.ticks[at] == tick else -1

    @property
    def stamps(self) -> np.ndarray:
        """Seconds by the file's clock, one a frame; all 0 where the file does not say them."""
        return self.first + self.times if self.stamped else np.zeros(len(self))
