"""Was the gaze of a video read right? Told by what is plausible for people who watch a video.

Gaze that was read by a wrong unit, origin, place or numbering still gives numbers. What they say
about the viewers shows it: that they looked past the picture, all in one frame, or faster than
eyes move.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.likely import likely_option
from zoo.datasets.gaze.reading import read_fixations, video_shape
from zoo.datasets.listing.check_motion import mirrored_gaze
from zoo.datasets.listing.listing import LOG
from zoo.datasets.record import Record
from zoo.datasets.video.reading import Video, VideoError, open_video
from zoo.files.interface import advised

# Limits, as shares. Of real recordings (SMI 500 Hz, EyeLink): outside 0 to 5%, jumps 2 to 12%.
LEAST_SAMPLES = 20  # fewer say nothing
LEAST_FRAMES = 10
OUTSIDE = 0.3  # of the samples in the video's time that lie beyond its picture
OFF_TIME = 0.3  # of all samples, before the first frame or after the last
ONE_FRAME = 0.5  # of the samples used, in a single frame
CORNER = 0.9  # within 1.5 pixels of the upper left corner: fractions taken for pixels
EMPTY = 0.5  # of the frames, without a sample although there are enough for all
JUMPS = 0.35  # of a viewer's steps from frame to frame that are longer than `JUMP`
JUMP = 0.1  # of the width and height: saccades are as long, but only three or four come a second
LOST = 0.7  # of all samples, lost or no number
OPPOSED = -0.5  # correlation of a viewer with the median of the others: the axis is upside down
OPPOSED_VIEWERS = 0.2  # of the viewers, where
AGREE = 0.5  # is the median correlation of the rest
LEAST_SHARED = 60  # frames in which a viewer is compared with others
SPREAD = 0.03  # standard deviation of the others' median below which nothing can be compared
UNEQUAL = 2.0  # times as many samples in a frame as another viewer
MOST_VIEWERS = 40  # that are compared with each other
SHOWN = 3


@dataclass(frozen=True)
class GazeFacts:
    """What the gaze of a video looks like, as shares between 0 and 1.

    Args:
        samples: All samples that the files hold.
        used: Those that are in the frames of the video.
        viewers: Number of viewers.
        outside: Of the samples in the video's time, beyond its picture.
        off_time: Of all samples, before the first frame or after the last.
        lost: Of all samples, lost or no number.
        one_frame: Of the samples used, in the fullest frame.
        corner: Of the samples used, within 1.5 pixels of the upper left corner.
        empty: Of the frames, without a sample.
        jumps: Of a viewer's steps from frame to frame, longer than a tenth of the picture.
        agreement: Median correlation of a viewer's place with the median of the others'; None
            where that cannot be said.
        opposed_x: Of the viewers, those that move against the others.
        opposed_y: Likewise, upwards and downwards.
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

    def to_dict(self) -> dict:
        return asdict(self)


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
    """What is implausible, a phrase each, with the limit.

    Args:
        facts: Of one video's gaze.
        num_frames: Frames of the video.
        judge_time: Whether samples before and after the video are a fault: they are not where
            the description says at which time of a longer recording the video began.
    """
    if facts.samples < LEAST_SAMPLES:
        return []
    enough = facts.used >= num_frames >= LEAST_FRAMES
    long = num_frames >= LEAST_FRAMES
    shares = [
        (facts.lost, LOST, "of the samples are lost or no numbers", True),
        (facts.off_time, OFF_TIME, "of the samples are before or after the video", judge_time),
        (facts.outside, OUTSIDE, "of the samples lie outside the frame", True),
        (facts.one_frame, ONE_FRAME, "of the samples are in one frame", long),
        (facts.corner, CORNER, "of the samples are in the upper left corner", True),
        (facts.empty, EMPTY, "of the frames have no gaze", enough),
        (facts.jumps, JUMPS, "of the steps from frame to frame are faster than eyes move", True),
        (facts.opposed_x, OPPOSED_VIEWERS, "of the viewers move sideways against the others", True),
        (
            facts.opposed_y,
            OPPOSED_VIEWERS,
            "of the viewers move upwards as others go down",
            True,
        ),
    ]
    return [
        f"{100 * share:.0f}% {what} (limit {100 * limit:.0f}%)"
        for share, limit, what, judged in shares
        if judged and share > limit
    ]


@dataclass(frozen=True)
class GazeLook:
    """The gaze of one record: what it looks like, what is implausible, and what is likely wrong.

    Args:
        name: Of the record.
        facts: None where the gaze could not be read.
        doubts: What is implausible; an error where it could not be read.
        advice: The option that is likely wrong, or nothing.
        issues: Counted samples that were left out, and why.
        notes: What was done to the samples.
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
    """Judge the gaze of a record's whole video; errors of its files become doubts.

    Args:
        record: The record.
        video: Its whole video, where it is open.
        fixations: Its gaze, where it is read.
    """
    try:
        if video is None:
            video = open_video(record.video, folder_fps=record.fps)
        shape = video_shape(video)
        if fixations is None:
            whole = replace(record, start=None, end=None)
            fixations = read_fixations(whole, shape=shape, warn=False)
        facts = gaze_facts(fixations, shape.width, shape.height)
        judge_time = not (_of_session(record) and facts.used)
        found = doubts(facts, fixations.num_frames, judge_time=judge_time)
        if not len(fixations):
            found = ["no sample can be used", *found]
        found += [note for note in fixations.notes if note.startswith("maps ")]
        advice = ""
        if found and record.gaze.format == "csv":
            advice = likely_option(record, shape)
        elif not found:
            mirrored = mirrored_gaze(video, fixations)
            if mirrored is not None and mirrored.doubt:
                found, advice = [mirrored.doubt], mirrored.advice
    except (VideoError, ValueError, OSError) as error:
        return GazeLook(record.name, None, (str(error),))
    notes = (*fixations.notes, *_unequal_rates(fixations))
    return GazeLook(record.name, facts, tuple(found), advice, dict(fixations.issues), notes)


def _unequal_rates(fixations: Fixations) -> tuple[str, ...]:
    """A note where a viewer weighs more than another only because his tracker was faster."""
    rates = {}
    for viewer in fixations.viewers:
        frames = fixations.frame[fixations.viewer == viewer]
        rates[viewer] = len(frames) / len(np.unique(frames))
    if len(rates) < 2 or max(rates.values()) < UNEQUAL * min(rates.values()):
        return ()
    fast, slow = (choose(rates, key=rates.get) for choose in (max, min))
    option = advised('`samples="one_per_frame"`', '"samples": "one_per_frame" in gaze.json')
    return (
        f"viewer {fixations.name_of(fast)} has {rates[fast]:.1f} samples in a frame, "
        f"{fixations.name_of(slow)} has {rates[slow]:.1f}: {option} weighs them alike",
    )


def _of_session(record: Record) -> bool:
    """Whether the gaze is that of a longer recording, in which the video began at a known time."""
    form = record.gaze.csv
    told = form.time_start != 0 or form.start_file is not None or form.start_message is not None
    return record.gaze.format == "csv" and told


def tell_gaze(records: Sequence[Record], most: int = 10) -> None:
    """Log what the gaze of some of the records looks like, evenly spread over them."""
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
    """One line about the gaze of some videos, said by the check and before a training."""
    wrong = [look for look in looks if look.doubts]
    seen = f"gaze of {len(looks)} video{'' if len(looks) == 1 else 's'} looked at"
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
    told = f", viewers agree by {np.median(agree):.2f}" if agree else ""
    return f" ({', '.join(shares)}{told})"


def _jumps(once: Fixations) -> float:
    """Share of steps between neighbouring frames that are longer than `JUMP`."""
    order = np.lexsort((once.frame, once.viewer))
    viewer, frame = once.viewer[order], once.frame[order]
    next_to = (np.diff(viewer) == 0) & (np.diff(frame) == 1) & (viewer[1:] >= 0)
    if np.count_nonzero(next_to) < LEAST_SAMPLES:
        return 0.0
    step = np.hypot(np.diff(once.x[order]), np.diff(once.y[order]))
    return float(np.mean(step[next_to] > JUMP))


def _agreement(once: Fixations) -> tuple[float | None, tuple[float, float]]:
    """Median correlation with the median of the others, and the share of opposed viewers."""
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
    """Share of viewers that move against the others, where those agree with each other."""
    against = correlations < OPPOSED
    if len(correlations) < 3 or against.all():
        return 0.0
    return float(against.mean()) if np.median(correlations[~against]) > AGREE else 0.0
