"""Records, which describe one video of a data set, and descriptions of whole data sets."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.forms import FORMS


@dataclass(frozen=True)
class Segment:
    """A part of a video that shows one action, from `start` up to but not including `end`.

    Args:
        label: Class index.
        start, end: Times in seconds.

    Example: `Segment(label=3, start=1.5, end=4.0)`
    """

    label: int
    start: float
    end: float


@dataclass(frozen=True)
class Tube:
    """The boxes of one object in consecutive frames.

    Args:
        label: Class index.
        start: Number of the frame that the first box belongs to.
        boxes: (frames, 4) floats: x and y of the top left corner, counted from 0, width and
            height, in pixels of the video. Row i belongs to frame `start + i`.
        visible: (frames,) the visible fraction of each box; None: fully visible or unknown.

    Example: `Tube(label=0, start=10, boxes=np.array([[20.0, 30.0, 64.0, 48.0]]))`
    """

    label: int
    start: int
    boxes: np.ndarray = field(compare=False)
    visible: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class GazeSource:
    """Where the gaze of one record is stored, and in which format.

    Args:
        paths: Files (csv: one file for all viewers or one for each), or one folder of binary
            maps.
        format: "csv" (text tables), "maps" (a folder with one png or mat file for each frame),
            "shards", or a publisher's own format: "vig", "diem", "ledov", "coutrot".
        csv: What the columns of a csv file mean. Each record may have its own description.
        key: With "maps", the name of the map inside a mat file; with "coutrot", the name of the
            clip inside the mat file.
        first_frame: With "maps", the number in the name of the first frame's map. None: inferred
            as `zoo.datasets.gaze.maps.frames_of` describes.

    Raises:
        ValueError: `format` is not one of the above.

    Example: `GazeSource(("viewer_1.csv", "viewer_2.csv"))`
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
        """Whether reading this gaze requires the time stamps of the video's frames."""
        if self.format == "csv":
            return self.csv.frame is None
        return self.format in ("vig", "diem", "ledov")


@dataclass(frozen=True, slots=True)
class Record:
    """One video of a data set: where its frames are and its annotations.

    Args:
        name: A name that is unique within the data set.
        video: Path of a video file, or of a folder of numbered frames.
        split: "train", "validation", "test" or whatever the data set calls it.
        label: Class index, or a tuple of class indices for several labels.
        gaze: Where the fixations are stored (`zoo.datasets.record.GazeSource`).
        truth_maps: Folder of the saliency maps that come with the data set.
        boxes: Boxes of objects over time.
        segments: Parts of the video that show an action.
        start: Time in seconds at which the record begins (None: start of the video).
        end: Time in seconds at which the record ends, not included (None: end of the video).
        dataset: Name of the data set.
        ambiguous: Parts of the video for which the annotators were unsure whether they show the
            action. Detecting them counts as neither right nor wrong.
        fps: Frame rate of a folder of frames or a stream without a container, which do not state
            one; an error for other videos.

    Example: `Record(name="clip_1", video="clip_1.mov", split="train", label=3)`
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
    """A data set as a whole: its classes, published counts and source.

    Args:
        name: Name of the data set.
        classes: Class names; class i has label i.
        counts: Split -> published number of videos.
        licence: Terms of use, in short.
        home_page: Where the data set is published.
        citation: The publication to cite.

    Example: `Description(name="mine", classes=("run", "walk"), counts={"train": 80})`
    """

    name: str
    classes: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    licence: str = ""
    home_page: str = ""
    citation: str = ""
