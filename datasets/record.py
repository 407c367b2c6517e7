"""What a data set says about one video, and about itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.forms import FORMS


@dataclass(frozen=True)
class Segment:
    """A part of a video that shows one action; times in seconds, the end not included."""

    label: int
    start: float
    end: float


@dataclass(frozen=True)
class Tube:
    """The boxes of one object: row i of `boxes` is frame `start + i`, as x, y, width, height.

    Boxes are in pixels of the video, floats, the corner's coordinates counted from 0. `visible`
    is the visible share of each box (None: fully visible, or not known).
    """

    label: int
    start: int
    boxes: np.ndarray = field(compare=False)
    visible: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class GazeSource:
    """Where the gaze of one record is.

    Args:
        paths: Files (csv: one for all viewers or one a viewer), or one folder of binary maps.
        format: "csv" (tables of text), "maps" (a folder of png pictures or mat files, one a
            frame), "shards", or a form of one publisher: "vig", "diem", "ledov", "coutrot".
        csv: What the columns of a csv mean. Every record may have its own.
        key: Name of the map in a mat file of "maps", of the clip in the file of "coutrot".
        first_frame: Of "maps", the number of the first frame's map; None: see
            `zoo.datasets.gaze.maps.frames_of`.
    """

    paths: tuple[str, ...]
    format: str = "csv"
    csv: CsvFormat = field(default_factory=CsvFormat)
    key: str = "I"
    first_frame: int | None = None

    def __post_init__(self) -> None:
        if self.format not in ("csv", "maps", "shards", *FORMS):
            raise ValueError(
                f"`format` must be one of {('csv', 'maps', 'shards', *FORMS)}. "
                f"Received: format={self.format!r}"
            )
        if isinstance(self.paths, str):
            object.__setattr__(self, "paths", (self.paths,))

    @property
    def timed(self) -> bool:
        """Whether the times of the video's frames are needed to read it."""
        if self.format == "csv":
            return self.csv.frame is None
        return self.format in ("vig", "diem", "ledov")


@dataclass(frozen=True, slots=True)
class Record:
    """One video of a data set: where its frames are and all that is known about it.

    Args:
        name: A name that is unique in its data set.
        video: Path of a video file, or of a folder of numbered frames.
        split: "train", "validation", "test" or what the data set calls it.
        label: Class index, or a tuple of class indices where several hold.
        gaze: Where the fixations are (`zoo.datasets.record.GazeSource`).
        truth_maps: Folder of the saliency maps that the data set itself ships.
        boxes: Tubes of boxes.
        segments: Parts of the video that show an action.
        start: First second of the video that belongs to the record (None: its beginning).
        end: Second before which the record ends (None: the video's end).
        dataset: Name of the data set.
        ambiguous: Parts of the video of which the annotators were not sure that they show the
            action; neither right nor wrong to find.
        fps: Frame rate of a folder of frames; a video file states its own.

    Example:
        Record(name="clip_1", video="clip_1.mov", split="train", label=3)
    """

    name: str
    video: str
    split: str | None = None
    label: int | tuple[int, ...] | None = None
    gaze: GazeSource | None = None
    truth_maps: str | None = None
    boxes: tuple[Tube, ...] | None = None
    segments: tuple[Segment, ...] | None = None
    start: float | None = None
    end: float | None = None
    dataset: str = ""
    ambiguous: tuple[Segment, ...] | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Description:
    """What a data set is: its classes, its published counts, and where it comes from."""

    name: str
    classes: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    licence: str = ""
    home_page: str = ""
    citation: str = ""
