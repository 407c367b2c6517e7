"""Descriptions of the export formats of common eye trackers, by name.

docs/gaze.md gives the source of each.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.files.interface import advised

_START = ("time_start", "start_file", "start_message")

# Preset -> fields of `CsvFormat`, with the combined column of both eyes where the tracker has one.
PRESETS: dict[str, dict[str, Any]] = {
    "tobii_pro_lab": {
        "x": "Gaze point X|Gaze point X [DACS px]",
        "y": "Gaze point Y|Gaze point Y [DACS px]",
        "time": "Recording timestamp|Recording timestamp [μs]|Recording timestamp [ms]",
        "time_unit": "auto",
        "viewer": "Participant name",
        "placement": "letterboxed",
    },
    "tobii_pro_lab_media": {
        "x": "Gaze point X (MCSnorm)|Gaze point X [MCS norm]",
        "y": "Gaze point Y (MCSnorm)|Gaze point Y [MCS norm]",
        "time": "Recording timestamp|Recording timestamp [μs]|Recording timestamp [ms]",
        "time_unit": "auto",
        "viewer": "Participant name",
        "units": "fraction",
    },
    "tobii_studio": {
        "x": "GazePointX (ADCSpx)",
        "y": "GazePointY (ADCSpx)",
        "time": "RecordingTimestamp",
        "time_unit": "ms",
        "viewer": "ParticipantName",
        "placement": "letterboxed",
    },
    "tobii_studio_media": {
        "x": "GazePointX (MCSpx)",
        "y": "GazePointY (MCSpx)",
        "time": "RecordingTimestamp",
        "time_unit": "ms",
        "viewer": "ParticipantName",
    },
    "pupil_core": {
        "x": "norm_pos_x",
        "y": "norm_pos_y",
        "frame": "world_index|index",
        "viewer": None,
        "units": "fraction",
        "y_up": True,
        "valid": "confidence",
        "valid_least": 0.6,
    },
    "pupil_neon": {
        "x": "gaze x [px]",
        "y": "gaze y [px]",
        "time": "timestamp [ns]",
        "time_unit": "ns",
        "viewer": None,
        "start_file": "world_timestamps.csv",
    },
    "eyelink": {
        "x": ("left", "right"),
        "y": ("left", "right"),
        "time": "time",
        "time_unit": "ms",
        "viewer": None,
        "placement": "letterboxed",
        "file_type": "asc",
    },
    "smi": {
        "x": ("L POR X [px]", "R POR X [px]"),
        "y": ("L POR Y [px]", "R POR Y [px]"),
        "time": "Time",
        "time_unit": "us",
        "viewer": None,
        "placement": "letterboxed",
        "keep": (("Type", ("SMP",)),),
        "comment": "##",
        "lost": (0.0,),
    },
    "gazepoint": {
        "x": "BPOGX",
        "y": "BPOGY",
        "time": "TIME(*|TIME",
        "time_unit": "s",
        "viewer": None,
        "units": "fraction",
        "placement": "letterboxed",
        "valid": "BPOGV",
        "valid_least": 0.5,
    },
    "psychopy": {
        "x": ("left_gaze_x", "right_gaze_x"),
        "y": ("left_gaze_y", "right_gaze_y"),
        "time": "time",
        "time_unit": "s",
        "viewer": None,
        "placement": "letterboxed",
        "y_up": True,
        "origin": "centre",
        "valid": ("status", "status"),
        "valid_values": (("0", "2"), ("0", "20")),  # tens: the left eye is bad, ones: the right
    },
}
# Preset -> the separate columns of the two eyes, used with `eye` "left" or "right".
EYE_COLUMNS: dict[str, dict[str, Any]] = {
    "tobii_pro_lab": {
        "x": tuple(f"Gaze point {s} X|Gaze point {s} X [DACS px]" for s in ("left", "right")),
        "y": tuple(f"Gaze point {s} Y|Gaze point {s} Y [DACS px]" for s in ("left", "right")),
        "valid": ("Validity left", "Validity right"),
        "valid_values": ("Valid",),
    },
    "tobii_pro_lab_media": {
        "x": tuple(
            f"Gaze point {s} X (MCSnorm)|Gaze point {s} X [MCS norm]" for s in ("left", "right")
        ),
        "y": tuple(
            f"Gaze point {s} Y (MCSnorm)|Gaze point {s} Y [MCS norm]" for s in ("left", "right")
        ),
        "valid": ("Validity left", "Validity right"),
        "valid_values": ("Valid",),
    },
    "tobii_studio": {
        "x": ("GazePointLeftX (ADCSpx)", "GazePointRightX (ADCSpx)"),
        "y": ("GazePointLeftY (ADCSpx)", "GazePointRightY (ADCSpx)"),
        "valid": ("ValidityLeft", "ValidityRight"),
        "valid_values": ("0", "1"),  # 0: certain, 1: probably the correct eye; 2 to 4: not valid
    },
    "gazepoint": {
        "x": ("LPOGX", "RPOGX"),
        "y": ("LPOGY", "RPOGY"),
        "valid": ("LPOGV", "RPOGV"),
    },
}
# Presets whose clock does not start with the video: the caller must state when the video began.
OWN_CLOCK = (
    "tobii_pro_lab",
    "tobii_pro_lab_media",
    "tobii_studio",
    "tobii_studio_media",
    "eyelink",
    "smi",
    "psychopy",
)


def gaze_format(preset: str | None = None, **changes: Any) -> CsvFormat:
    """The description of an eye tracker's export format, with changes.

    Args:
        preset: One of `PRESETS`; None starts from the defaults of `CsvFormat`.
        **changes: Fields of `CsvFormat` to change. Presets with screen coordinates need `screen`;
            those whose clock does not start with the video need `time_start`, `start_message` or
            `start_file`.

    Raises:
        ValueError: There is no such preset or field, or one that the preset needs is missing.

    Example:
        gaze_format("tobii_pro_lab", screen=(1920, 1080), time_start="first",
                    keep=(("Presented Stimulus name", ("{stem}",)),))
    """
    known = [field.name for field in fields(CsvFormat)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise ValueError(
            f"A gaze description may have {['preset', *known]}. Received: {', '.join(unknown)}"
        )
    if preset is None:
        return CsvFormat(**changes)
    if preset not in PRESETS:
        raise ValueError(f"`preset` must be one of {tuple(PRESETS)}. Received: {preset!r}")
    held = {"frame": None, **PRESETS[preset]}
    if changes.get("eye", "mean") != "mean":
        held.update(EYE_COLUMNS.get(preset, {}))
    if isinstance(held["x"], str) and changes.get("eye", "mean") != "mean" and "x" not in changes:
        raise ValueError(
            f'`eye` must be "mean" with the preset {preset!r}, which has no columns of single '
            f"eyes. Received: eye={changes['eye']!r}"
        )
    on_screen = changes.get("placement", held.get("placement", "video")) != "video"
    if on_screen and changes.get("screen") is None and "placement" not in changes:
        raise ValueError(
            f"The preset {preset!r} has screen coordinates: `screen` (width, height in pixels) "
            f"must be given{advised('', ' in the gaze description, as [1920, 1080]')}. "
            "Received: none"
        )
    if any(name in changes for name in _START):
        for name in _START:
            held.pop(name, None)
    elif preset in OWN_CLOCK and "frame" not in changes:
        raise ValueError(
            f"The clock of the preset {preset!r} does not start with the video: `time_start` (a "
            'number, or "first" if the recording, or what `keep` leaves of it, begins with the '
            f"video){', `start_message`' if preset == 'eyelink' else ''} or `start_file` must be "
            "given. Received: none"
        )
    if changes.get("frame") is not None:
        held["time"] = None
    return CsvFormat(**{**held, **changes})
