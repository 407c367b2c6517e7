"""The result of one pass over a video: the times of its frames, and what is damaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Damage:
    """One place at which a video file is damaged.

    Attributes:
        frame: Number of the frame at which the damage was found: this frame is damaged, or frames
            before it are lost.
        seconds: Time of that frame after the first one; None if the file does not state it.
        what: What FFmpeg reported.

    Example: `[str(place) for place in open_video("clip.mp4").damage]`
    """

    frame: int
    seconds: float | None
    what: str

    def __str__(self) -> str:
        when = "" if self.seconds is None else f" ({self.seconds:.3f} s)"
        return f"{self.what} at frame {self.frame}{when}"


def describe_damage(damage: tuple[Damage, ...], most: int = 5) -> str:
    """One line about damage: the number of places, and where the first ones are."""
    places = "; ".join(map(str, damage[:most]))
    more = f"; and {len(damage) - most} more" if len(damage) > most else ""
    return f"{len(damage)} damaged {'place' if len(damage) == 1 else 'places'}: {places}{more}"


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a video, as found in one pass over the file.

    Args:
        times: (frames,) seconds after the first frame, increasing.
        end: Time at which the last frame ends, in seconds after the first frame.
        ticks: (frames,) the stream's own time stamps; None if they are missing or not increasing,
            so that seeking is impossible.
        keys: Numbers of the frames at which decoding can start; None if unknown.
        damage: Damaged places; None if unknown.
        interlaced: Number of interlaced frames.
        first: Time stamp of the first frame by the file's clock, in seconds.
        stamped: Whether the times come from the file (rather than from a frame rate).

    Example: `open_video("clip.mp4").index.end`
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
        """The index of a file of which only the time stamps are known.

        Args:
            stamps: `FrameIndex.stamps`.
            fps: Frames per second.
            tick: The stream's unit of time in seconds; None if it has none.
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
        """The number of the frame with this time stamp, or -1 if there is none."""
        if tick is None or self.ticks is None or not len(self):
            return -1
        at = min(int(np.searchsorted(self.ticks, tick)), len(self) - 1)
        return at if self.ticks[at] == tick else -1

    @property
    def stamps(self) -> np.ndarray:
        """(frames,) seconds by the file's clock; all 0 if the file has no time stamps."""
        return self.first + self.times if self.stamped else np.zeros(len(self))
