"""What the columns of a gaze file mean: names, units, origin, screen placement, validity."""

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
    """What the columns of a gaze file mean.

    The first row of a table holds the column names. A column may be given as alternatives,
    `"Gaze point X|Gaze point X [DACS px]"`, or as a prefix that ends in `*`, `"TIME(*"`. `x`, `y`
    and `valid` may be pairs: one column for the left eye and one for the right. Presets for
    common trackers: `zoo.datasets.gaze.gaze_format`.

    Args:
        x: Column of the horizontal coordinate, growing to the right.
        y: Column of the vertical coordinate, growing downwards unless `y_up`.
        frame: Column of the frame number; None if the file has times instead.
        time: Column of the time; requires `frame=None`.
        viewer: Column of the viewer's name (any text); None: each file is one viewer.
        file_viewer: With `viewer=None`, a regular expression whose first group, searched in the
            file's name and then in its path, is the viewer's name; None: named after the file.
        first_frame: Number of the first frame: 0, 1 or another.
        time_unit: "s", "ms", "us", "ns" or "auto". "auto" takes the unit in brackets at the end
            of the column's name, or else the unit that gives 20 to 2500 samples per second.
        units: Unit of the coordinates: "pixels"; "fraction" (0 to 1 across the width and height);
            "norm" (-1 to 1 across the width and height, 0 in the centre); "height" (both axes in
            multiples of the height) or "degrees" of visual angle (with `screen_cm` and
            `distance_cm`).
        placement: What the coordinates refer to: "video" (the video's own pixels), or a screen
            on which the video was shown "centred" (not scaled), "stretched" (over the whole
            screen), "letterboxed" (as large as fits without distortion, centred) or in an "area".
        screen: (width, height) of that screen in pixels.
        keep: Pairs of a column and its values that count as gaze, for example
            `(("valid", ("1",)),)`. In a value, `{video}` stands for the video's file name and
            `{stem}` for that name without its suffix.
        delimiter: Column separator. A space means any run of spaces and tabs; None: the tab,
            semicolon or comma that occurs most often in the first row.
        columns: Column names, for a file without a header row.
        skip_rows: Number of rows at the beginning to skip.
        comment: Rows that begin with this text are skipped.
        above: Samples with a coordinate less than or equal to this number count as lost.
        eye: Which eye to use: "mean" (of the valid ones), "left" or "right".
        valid: Column that states whether the eye was tracked, or a pair, one for each eye.
        valid_values: Values of `valid` that count as tracked; two tuples if they differ between
            the eyes.
        valid_least: Instead of `valid_values`, the smallest number that counts as tracked (a
            confidence).
        lost: A sample whose coordinates both equal one of these numbers counts as lost.
        y_up: Whether the vertical coordinate grows upwards.
        origin: Position of (0, 0): "corner" (upper left; with `y_up` lower left) or "centre".
        area: With `placement="area"`, (left, top, width, height) of the video on the screen in
            pixels.
        screen_cm: (width, height) of the screen in centimetres.
        distance_cm: Distance from the eye to the screen in centimetres.
        pixels_per_degree: Instead of `screen_cm` and `distance_cm`, for `samples="ivt"` and
            "idt".
        time_start: Time of the video's first frame, in `time_unit`, or "first": the time of each
            viewer's first sample.
        start_file: Instead of `time_start`, a file beside the gaze file; the `time` in its first
            row is the time of the video's first frame.
        start_message: Instead of `time_start`, a regular expression that matches the message (in
            .asc files) at the video's first frame; may contain `{video}` and `{stem}`, as `keep`.
        duration: Column of the duration, if each row is a fixation. A fixation counts in every
            frame that was shown while it lasted.
        duration_unit: Unit of `duration`; None: `time_unit`.
        samples: "all" uses every sample; "one_per_frame" the median of a viewer's samples in
            each frame, so that a faster tracker does not get more weight; "ivt" and "idt" detect
            fixations by velocity or dispersion, which count in every frame while they last.
        threshold: For "ivt" in degrees per second (default 30), for "idt" in degrees (default 1).
        least_seconds: Duration of the shortest fixation that is detected.
        decimal: Decimal separator, "." or ",".
        encoding: Encoding of the file; None: by its first bytes, else UTF-8, else Windows-1252.
        file_type: "table", "asc" (EyeLink, read with the library pymovements) or "iohub" (HDF5
            files of PsychoPy).

    Raises:
        ValueError: Options are unknown, contradict each other, or lack another one.

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
                f"One of `frame` and `time` must name a column, and the other must be {_none()}. "
                f"Received: frame={self.frame!r}, time={self.time!r}"
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
                "`x` and `y` must be pairs of columns if `eye` selects one eye. Received: "
                f"eye={self.eye!r}, x={self.x!r}"
            )
        if isinstance(self.x, str) != isinstance(self.y, str):
            raise ValueError(
                "`x` and `y` must both be single columns or both be pairs. Received: "
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
                "Only one of `time_start`, `start_file` and `start_message` may be given, and only "
                "with `time`. "
                f"Received: time={self.time!r}, time_start={self.time_start!r}, "
                f"start_file={self.start_file!r}, start_message={self.start_message!r}"
            )
        if self.time is None and self.duration is not None:
            raise ValueError("`duration` must be used with `time`. Received: `frame`")

    @property
    def degree(self) -> float | None:
        """Pixels per degree of visual angle at the centre of the screen; None if unknown."""
        if self.pixels_per_degree is not None:
            return self.pixels_per_degree
        if self.screen is None or self.screen_cm is None or not self.distance_cm:
            return None
        return self.distance_cm * 0.017455064928 * self.screen[0] / self.screen_cm[0]


def _none() -> str:
    return advised("None", "null")
