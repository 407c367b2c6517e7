"""Check of whether a video's gaze was read correctly, by its plausibility as human viewing.

Gaze that is read with a wrong unit, origin, position or frame numbering still gives numbers, but
implausible ones: samples outside the picture, all in one frame, or movements that eyes cannot make.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.likely import counts_from_one, likely_option, spelled
from zoo.datasets.gaze.reading import read_fixations, video_shape
from zoo.datasets.listing.check_motion import mirrored_gaze
from zoo.datasets.listing.listing import LOG
from zoo.datasets.record import Record
from zoo.datasets.video.reading import Video, VideoError, open_video
from zoo.files.interface import advised

# Limits, as fractions. In real recordings (SMI 500 Hz, EyeLink) 0 to 5% of the samples are outside
# and 2 to 12% of the steps are jumps.
LEAST_SAMPLES = 20  # fewer are not judged
LEAST_FRAMES = 10
OUTSIDE = 0.3  # samples beyond the picture, of those during the video
OFF_TIME = 0.3  # samples before the first frame or after the last, of all
ONE_FRAME = 0.5  # samples in a single frame, of those used
CORNER = 0.9  # samples within 1.5 pixels of the upper left corner: fractions taken for pixels
EMPTY = 0.5  # frames without a sample, although there are enough samples for all
JUMPS = 0.35  # a viewer's steps from frame to frame that are longer than `JUMP`
JUMP = 0.1  # of width and height; saccades are as long, but occur only 3 or 4 times a second
LOST = 0.7  # samples lost or not a number, of all
# An axis is upside down if more than this fraction of the viewers correlates with the median of
# the others by less than OPPOSED, while the median correlation of the rest is above AGREE.
OPPOSED_VIEWERS = 0.2
OPPOSED = -0.5
AGREE = 0.5
LEAST_SHARED = 60  # frames needed to compare a viewer with others
SPREAD = 0.03  # least standard deviation of the others' median for a comparison
UNEQUAL = 2.0  # ratio of two viewers' samples per frame above which it is noted
MOST_VIEWERS = 40  # number of viewers compared with each other at most
SHOWN = 3


@dataclass(frozen=True)
class GazeFacts:
    """Statistics of a video's gaze; all but the counts are fractions between 0 and 1.

    Args:
        samples: Number of samples in the files.
        used: Number of samples that lie in frames of the video.
        viewers: Number of viewers.
        outside: Samples beyond the picture, of those recorded during the video.
        off_time: Samples before the first frame or after the last, of all.
        lost: Samples that are lost or not a number, of all.
        one_frame: Samples in the frame with the most samples, of those used.
        corner: Samples within 1.5 pixels of the upper left corner, of those used.
        empty: Frames without a sample.
        jumps: A viewer's steps from frame to frame that are longer than a tenth of the picture.
        agreement: Median correlation of a viewer's position with the median position of the
            others, between -1 and 1; None if there is too little data.
        opposed_x: Viewers who move left when the others move right, and vice versa.
        opposed_y: Viewers who move up when the others move down, and vice versa.
    """

    samples: int
    used: int
    viewers: int
    outside: float = 0.0
    off_time: float = 0.0
    lost: float = 0.0
    one_frame: float = 0.0
    corner: float = 0.0
    empty: float = 0.0
    jumps: float = 0.0
    agreement: float | None = None
    opposed_x: float = 0.0
    opposed_y: float = 0.0


def gaze_facts(fixations: Fixations, width: int, height: int) -> GazeFacts:
    """Measure the gaze of a video of `width` by `height` pixels."""
    issues, used = fixations.issues, len(fixations)
    outside = issues.get("outside the frame", 0)
    off_time = issues.get("before the first frame", 0) + issues.get("beyond the video's end", 0)
    lost = issues.get("lost by the tracker", 0) + issues.get("not a number", 0)
    samples = used + outside + off_time + lost
    facts = GazeFacts(
        samples,
        used,
        len(fixations.viewers),
        outside=outside / max(1, used + outside),
        off_time=off_time / max(1, samples - lost),
        lost=lost / max(1, samples),
        empty=len(fixations.empty_frames) / max(1, fixations.num_frames),
    )
    if not used:
        return facts
    corner = (fixations.x * width < 1.5) & (fixations.y * height < 1.5)
    once = fixations.one_per_viewer()
    agreement, opposed = _agreement(once)
    return replace(
        facts,
        one_frame=float(fixations.per_frame.max() / used),
        corner=float(np.mean(corner)),
        jumps=_jumps(once),
        agreement=agreement,
        opposed_x=opposed[0],
        opposed_y=opposed[1],
    )


def doubts(facts: GazeFacts, num_frames: int, *, judge_time: bool = True) -> list[str]:
    """What is implausible about a video's gaze: one phrase each, with the limit.

    Args:
        facts: Statistics of the video's gaze.
        num_frames: Number of frames of the video.
        judge_time: Whether samples before and after the video are implausible. They are not if
            the gaze description states when the video began within a longer recording.
    """
    if facts.samples < LEAST_SAMPLES:
        return []
    enough = facts.used >= num_frames >= LEAST_FRAMES
    long = num_frames >= LEAST_FRAMES
    shares = [
        (facts.lost, LOST, "of the samples are lost or not numbers", True),
        (facts.off_time, OFF_TIME, "of the samples are before or after the video", judge_time),
        (facts.outside, OUTSIDE, "of the samples lie outside the frame", True),
        (facts.one_frame, ONE_FRAME, "of the samples are in one frame", long),
        (facts.corner, CORNER, "of the samples are in the upper left corner", True),
        (facts.empty, EMPTY, "of the frames have no gaze", enough),
        (facts.jumps, JUMPS, "of the steps from frame to frame are faster than eyes move", True),
        (facts.opposed_x, OPPOSED_VIEWERS, "of the viewers move left when others move right", True),
        (facts.opposed_y, OPPOSED_VIEWERS, "of the viewers move up when others move down", True),
    ]
    return [
        f"{100 * share:.0f}% {what} (limit {100 * limit:.0f}%)"
        for share, limit, what, judged in shares
        if judged and share > limit
    ]


@dataclass(frozen=True)
class GazeLook:
    """The result of checking one record's gaze.

    Args:
        name: Name of the record.
        facts: Statistics of the gaze; None if it could not be read.
        doubts: What is implausible, or the error if the gaze could not be read.
        advice: The option that is probably wrong, or an empty text.
        issues: Reason -> number of samples left out.
        notes: How the samples were processed.
    """

    name: str
    facts: GazeFacts | None
    doubts: tuple[str, ...] = ()
    advice: str = ""
    issues: dict[str, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The doubts and the advice in one phrase."""
        return ", ".join(self.doubts) + (f"; {self.advice}" if self.advice else "")


def look_at_gaze(
    record: Record, video: Video | None = None, fixations: Fixations | None = None
) -> GazeLook:
    """Check the gaze of a record's whole video; errors in its files are reported as doubts.

    Args:
        record: The record.
        video: Its whole video, if already open.
        fixations: Its gaze, if already read.
    """
    try:
        if video is None:
            video = open_video(record.video, folder_fps=record.fps)
        shape = video_shape(video)
        if fixations is None:
            whole = replace(record, start=None, end=None)
            fixations = read_fixations(whole, shape=shape, warn=False)
        facts = gaze_facts(fixations, shape.width, shape.height)
        judge_time = not (_within_longer_recording(record) and facts.used)
        found = doubts(facts, fixations.num_frames, judge_time=judge_time)
        if not len(fixations):
            found = ["no sample is usable", *found]
        found += [note for note in fixations.notes if note.startswith("maps ")]
        advice = ""
        if found and record.gaze.format == "csv":
            advice = likely_option(record, shape)
        elif _may_count_from_one(record, fixations) and counts_from_one(record, shape):
            found = [f"the frames are numbered from 1 to {fixations.num_frames}, and read from 0"]
            advice = f"`first_frame` is likely wrong: {spelled('first_frame', 1)} fits"
        elif not found:
            mirrored = mirrored_gaze(video, fixations)
            if mirrored is not None and mirrored.doubt:
                found, advice = [mirrored.doubt], mirrored.advice
    except (VideoError, ValueError, OSError) as error:
        return GazeLook(record.name, None, (str(error),))
    notes = (*fixations.notes, *_unequal_rates(fixations))
    return GazeLook(record.name, facts, tuple(found), advice, dict(fixations.issues), notes)


def _may_count_from_one(record: Record, fixations: Fixations) -> bool:
    """Whether the first frame has no gaze, and a frame after the last one has some."""
    late = fixations.issues.get("beyond the video's end", 0)
    return record.gaze.format == "csv" and late > 0 and 0 in fixations.empty_frames


def _unequal_rates(fixations: Fixations) -> tuple[str, ...]:
    """A note if one viewer counts more than another only because of a faster eye tracker."""
    rates = {}
    for viewer in fixations.viewers:
        frames = fixations.frame[fixations.viewer == viewer]
        rates[viewer] = len(frames) / len(np.unique(frames))
    if len(rates) < 2 or max(rates.values()) < UNEQUAL * min(rates.values()):
        return ()
    fast, slow = (choose(rates, key=rates.get) for choose in (max, min))
    option = advised('`samples="one_per_frame"`', '"samples": "one_per_frame" in gaze.json')
    return (
        f"viewer {fixations.name_of(fast)} has {rates[fast]:.1f} samples per frame, "
        f"{fixations.name_of(slow)} has {rates[slow]:.1f}: {option} gives them equal weight",
    )


def _within_longer_recording(record: Record) -> bool:
    """Whether the gaze description states when the video began within a longer recording."""
    form = record.gaze.csv
    stated = form.time_start != 0 or form.start_file is not None or form.start_message is not None
    return record.gaze.format == "csv" and stated


def log_gaze_check(records: Sequence[Record], most: int = 10) -> None:
    """Check the gaze of at most `most` records, evenly spread over the data set, and log it."""
    watched = [record for record in records if record.gaze is not None]
    if not watched:
        return
    chosen = watched[:: -(-len(watched) // most)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        looks = list(pool.map(look_at_gaze, chosen))
    line = gaze_line(looks)
    if any(look.doubts for look in looks):
        LOG.warning("%s; `zoo check` and `zoo gaze-report` show more", line)
    else:
        LOG.info("%s", line)


def gaze_line(looks: Sequence[GazeLook]) -> str:
    """One line about the gaze of some videos, for `zoo check` and the start of training."""
    wrong = [look for look in looks if look.doubts]
    seen = f"checked the gaze of {len(looks)} video{'' if len(looks) == 1 else 's'}"
    if not wrong:
        return f"{seen}: plausible{_typical(looks)}"
    shown = "; ".join(f"{look.name}: {look.text}" for look in wrong[:SHOWN])
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return f"{seen}, {len(wrong)} probably misread: {shown}{more}"


def _typical(looks: Sequence[GazeLook]) -> str:
    facts = [look.facts for look in looks if look.facts is not None]
    if not facts:
        return ""
    shares = (
        f"{100 * np.median([getattr(one, name) for one in facts]):.0f}% {what}"
        for name, what in (("outside", "outside"), ("empty", "of frames empty"), ("jumps", "jumps"))
    )
    agree = [one.agreement for one in facts if one.agreement is not None]
    agreement = f", viewers correlate by {np.median(agree):.2f}" if agree else ""
    return f" ({', '.join(shares)}{agreement})"


def _jumps(once: Fixations) -> float:
    """Fraction of the steps between neighbouring frames that are longer than `JUMP`."""
    order = np.lexsort((once.frame, once.viewer))
    viewer, frame = once.viewer[order], once.frame[order]
    next_to = (np.diff(viewer) == 0) & (np.diff(frame) == 1) & (viewer[1:] >= 0)
    if np.count_nonzero(next_to) < LEAST_SAMPLES:
        return 0.0
    step = np.hypot(np.diff(once.x[order]), np.diff(once.y[order]))
    return float(np.mean(step[next_to] > JUMP))


def _agreement(once: Fixations) -> tuple[float | None, tuple[float, float]]:
    """Median correlation with the others' median, and the opposed viewers along x and y."""
    viewers = once.viewers
    if len(viewers) < 3:
        return None, (0.0, 0.0)
    viewers = viewers[:: -(-len(viewers) // MOST_VIEWERS)]
    known = np.isin(once.viewer, viewers)
    at = np.searchsorted(viewers, once.viewer[known])
    found: list[list[float]] = [[], []]
    for axis, values in enumerate((once.x, once.y)):
        table = np.full((len(viewers), once.num_frames), np.nan)
        table[at, once.frame[known]] = values[known]
        for number, own in enumerate(table):
            rest = np.delete(table, number, 0)
            shared = np.isfinite(own) & (np.isfinite(rest).sum(0) >= 2)
            if np.count_nonzero(shared) < LEAST_SHARED:
                continue
            others = np.nanmedian(rest[:, shared], 0)
            if others.std() > SPREAD and own[shared].std() > 0:
                found[axis].append(float(np.corrcoef(others, own[shared])[0, 1]))
    both = found[0] + found[1]
    opposed = tuple(_opposed(np.array(one)) for one in found)
    return (float(np.median(both)) if both else None), opposed


def _opposed(correlations: np.ndarray) -> float:
    """Fraction of viewers who move against the others, provided that the others agree."""
    against = correlations < OPPOSED
    if len(correlations) < 3 or against.all():
        return 0.0
    return float(against.mean()) if np.median(correlations[~against]) > AGREE else 0.0
