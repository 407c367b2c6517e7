"""What the columns of a gaze file mean: names, units, origin, place on the screen, validity."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.files.interface import advised

PLACEMENTS = ("video", "centred", "stretched", "letterboxed", "area")
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
UNITS = ("pixels", "fraction", "norm", "height", "degrees")
EYES = ("mean", "left", "right")
SAMPLES = ("all", "one_per_frame", "ivt", "idt")
FILE_TYPES = ("table", "asc", "iohub")


@dataclass(frozen=True)
class CsvFormat:
    """What the columns of a gaze file mean; the first row of a table holds the columns' names.

    A column may be given as alternatives, `"Gaze point X|Gaze point X [DACS px]"`; a name that
    ends in `*` is a beginning, `"TIME(*"`. `x`, `y` and `valid` may be pairs: the left eye's and
    the right eye's column. Presets for common trackers: `zoo.datasets.gaze.gaze_format`.

    Args:
        x: Column of the horizontal coordinate, to the right.
        y: Column of the vertical coordinate, downwards unless `y_up`.
        frame: Column of the frame number; None where `time` says it.
        time: Column of the time; used when `frame` is None.
        viewer: Column of the viewer (any text); None: every file is one viewer.
        file_viewer: With `viewer` None, a regular expression whose first group, found in the
            file's name or else in its path, is the viewer; None: the file itself, by its path.
        first_frame: Number of the first frame: 0, 1 or another.
        time_unit: "s", "ms", "us", "ns", or "auto": the unit that the column's name tells in
            brackets, or by which the samples come at 20 to 2500 a second.
        units: "pixels"; "fraction" (0 to 1 of the width and height); "norm" (-1 to 1 of the width
            and height, from the centre); "height" (both axes in heights of the screen) or
            "degrees" of visual angle (with `screen_cm` and `distance_cm`).
        placement: Where the coordinates are measured: "video" (in the video's own pixels), or on
            a screen on which the video stood "centred" (not scaled), "stretched" (over the whole
            screen), "letterboxed" (as large as fits with its shape kept, centred) or in an "area".
        screen: (width, height) of that screen in pixels.
        keep: Pairs of a column and the values of it that count as gaze, e.g.
            (("valid", ("1",)),). `{video}` in a value is the video's file name, `{stem}` the same
            without its suffix.
        delimiter: What stands between the columns; a blank means any run of blanks and tabs; None
            takes the tab, semicolon or comma by which the first row holds the columns.
        columns: Names of the columns where the file has no row of names.
        skip_rows: So many rows at the beginning are passed over.
        comment: Rows that begin with this are passed over.
        above: Samples with a coordinate that is not above this number are lost ones.
        eye: Of two eyes "mean" (of those that are valid), "left" or "right".
        valid: Column that tells whether an eye was tracked, or one of each eye.
        valid_values: Its values that count as gaze; two lists where the eyes' values differ.
        valid_least: Instead of values, the least number that counts as gaze (a confidence).
        lost: A sample with both coordinates equal to one of these numbers is a lost one.
        y_up: The vertical coordinate grows upwards.
        origin: Where (0, 0) is: "corner" (upper left, with `y_up` lower left) or "centre".
        area: With `placement="area"`, (left, top, width, height) of the video on the screen.
        screen_cm: (width, height) of the screen in centimetres.
        distance_cm: From the eye to the screen.
        pixels_per_degree: Instead of the two, for `samples="ivt"` and "idt".
        time_start: Time of the video's first frame, in `time_unit`, or "first": that of the
            viewer's first sample.
        start_file: Instead of it, a file beside the gaze file in which the first row's `time` is
            that of the video's first frame.
        start_message: Instead of it, a regular expression of the message (.asc) that marks the
            video's first frame; `{video}` and `{stem}` as in `keep`.
        duration: Column of the duration where a row is a fixation: it is in every frame that was
            shown while it lasted.
        duration_unit: Of `duration`; None: `time_unit`.
        samples: "all" takes every sample; "one_per_frame" the median of a viewer's samples in a
            frame, so that a faster tracker does not weigh more; "ivt" and "idt" detect fixations
            by velocity or dispersion, each of which is in every frame shown while it lasts.
        threshold: Of "ivt" degrees a second (default 30), of "idt" degrees (default 1).
        least_seconds: Shortest fixation that is detected.
        decimal: "." or ",".
        encoding: Of the file; None: by its first bytes, else UTF-8, else Windows-1252.
        file_type: "table", "asc" (EyeLink, by the library pymovements) or "iohub" (the HDF5 files
            of PsychoPy).

    Example:
        CsvFormat(frame=None, time="t_ms", time_unit="ms", placement="centred", screen=(1024, 768))
    """

    x: str | tuple[str, str] = "x"
    y: str | tuple[str, str] = "y"
    frame: str | None = "frame"
    time: str | None = None
    viewer: str | None = "viewer"
    first_frame: int = 0
    time_unit: str = "s"
    units: str = "pixels"
    placement: str = "video"
    screen: tuple[float, float] | None = None
    keep: tuple[tuple[str, tuple[str, ...]], ...] = ()
    delimiter: str | None = None
    file_viewer: str | None = None
    columns: tuple[str, ...] | None = None
    skip_rows: int = 0
    comment: str | None = None
    above: float | None = None
    eye: str = "mean"
    valid: str | tuple[str, str] | None = None
    valid_values: tuple = ("1",)
    valid_least: float | None = None
    lost: tuple[float, ...] = ()
    y_up: bool = False
    origin: str = "corner"
    area: tuple[float, float, float, float] | None = None
    screen_cm: tuple[float, float] | None = None
    distance_cm: float | None = None
    pixels_per_degree: float | None = None
    time_start: float | str = 0.0
    start_file: str | None = None
    start_message: str | None = None
    duration: str | None = None
    duration_unit: str | None = None
    samples: str = "all"
    threshold: float | None = None
    least_seconds: float = 0.1
    decimal: str = "."
    encoding: str | None = None
    file_type: str = "table"

    def __post_init__(self) -> None:
        if (self.frame is None) == (self.time is None):
            raise ValueError(
                f"One of `frame` and `time` must name a column, the other be {_none()}. Received: "
                f"frame={self.frame!r}, time={self.time!r}"
            )
        choices = {
            "placement": PLACEMENTS,
            "time_unit": (*TIME_UNITS, "auto"),
            "duration_unit": (None, *TIME_UNITS),
            "units": UNITS,
            "eye": EYES,
            "origin": ("corner", "centre"),
            "samples": SAMPLES,
            "decimal": (".", ","),
            "file_type": FILE_TYPES,
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"`{name}` must be one of {known}. Received: {name}={getattr(self, name)!r}"
                )
        self._check_geometry()
        self._check_times()
        if self.eye != "mean" and isinstance(self.x, str) and self.file_type == "table":
            raise ValueError(
                "`eye` chooses one of two columns: `x` and `y` must be pairs. Received: "
                f"eye={self.eye!r}, x={self.x!r}"
            )
        if isinstance(self.x, str) != isinstance(self.y, str):
            raise ValueError(
                "`x` and `y` must both be a column or both be pairs of columns. Received: "
                f"x={self.x!r}, y={self.y!r}"
            )

    def _check_geometry(self) -> None:
        on_screen = self.placement in ("centred", "letterboxed", "area")
        scaled = self.placement == "stretched" and self.units == "pixels"
        if (on_screen or scaled or self.units == "degrees") and self.screen is None:
            raise ValueError(
                "`screen` (width, height) must be given with "
                f"placement={self.placement!r}, units={self.units!r}. Received: screen={_none()}"
            )
        if (self.placement == "area") != (self.area is not None):
            raise ValueError(
                '`area` (left, top, width, height) belongs to placement="area". Received: '
                f"placement={self.placement!r}, area={self.area}"
            )
        for name in ("screen", "screen_cm", "area"):
            sides = getattr(self, name)
            if sides is not None and not all(side > 0 for side in sides[-2:]):
                raise ValueError(f"`{name}` must be above 0. Received: {name}={sides}")
        if self.units == "degrees" and (self.screen_cm is None or not self.distance_cm):
            raise ValueError(
                '`screen_cm` and `distance_cm` must be given with units="degrees". Received: '
                f"screen_cm={self.screen_cm}, distance_cm={self.distance_cm}"
            )
        if self.samples in ("ivt", "idt"):
            if self.degree is None:
                raise ValueError(
                    f"samples={self.samples!r} needs `pixels_per_degree`, or `screen`, "
                    "`screen_cm` and `distance_cm`; "
                    'samples="one_per_frame" needs none of them. Received: none'
                )
            if self.time is None or self.duration is not None:
                raise ValueError(
                    f"samples={self.samples!r} needs samples with a `time`, without `duration`. "
                    f"Received: time={self.time!r}, duration={self.duration!r}"
                )

    def _check_times(self) -> None:
        number = isinstance(self.time_start, (int, float))
        if not number and self.time_start != "first":
            raise ValueError(
                f'`time_start` must be a number or "first". Received: {self.time_start!r}'
            )
        given = [self.time_start != 0, self.start_file is not None, self.start_message is not None]
        if sum(given) > 1 or (any(given) and self.time is None):
            raise ValueError(
                "One of `time_start`, `start_file` and `start_message` may be given, with `time`. "
                f"Received: time={self.time!r}, time_start={self.time_start!r}, "
                f"start_file={self.start_file!r}, start_message={self.start_message!r}"
            )
        if self.time is None and self.duration is not None:
            raise ValueError("`duration` needs `time`. Received: `frame`")

    @property
    def degree(self) -> float | None:
        """Pixels of a degree of visual angle at the middle of the screen; None: not known."""
        if self.pixels_per_degree is not None:
            return self.pixels_per_degree
        if self.screen is None or self.screen_cm is None or not self.distance_cm:
            return None
        return self.distance_cm * 0.017455064928 * self.screen[0] / self.screen_cm[0]


def _none() -> str:
    return advised("None", "null")
