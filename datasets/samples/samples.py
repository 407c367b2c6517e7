"""Training samples of videos: what is drawn depends on the seed and the sample's number alone."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from zoo.datasets.gaze.store import GazeStore
from zoo.datasets.record import Record
from zoo.datasets.samples.inputs import Features, Flow, Frames
from zoo.datasets.samples.targets import Mixture
from zoo.datasets.sampling import Windows, resampled
from zoo.datasets.transforms import Sample
from zoo.datasets.video.index import VideoFacts, VideoIndex, check_unchanged
from zoo.datasets.video.reading import VideoError, open_video
from zoo.files.interface import advised

Transform = Callable[[Sample, np.random.Generator], Sample]
SHOWN = 10
INDEX, GAZE = "videos.npz", "gaze"


class Sampling(Protocol):
    """`zoo.datasets.sampling.Windows`, `Segments`, or your own."""

    steps: int

    def draw(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray: ...

    def all(self, times: np.ndarray) -> np.ndarray: ...


class Place(NamedTuple):
    """One of the samples in order.

    Args:
        video: Number of the record.
        steps: The sample's steps in the video, (time,); those after its end are padding.
        scored: Those that no sample before it holds as a predicted step: the first `len(scored)`
            predictions of the sample are theirs, the others are not counted.
    """

    video: int
    steps: np.ndarray
    scored: np.ndarray


def cache_folder() -> Path:
    """`$ZOO_CACHE`, or `zoo/datasets` in the user's cache folder."""
    if folder := os.environ.get("ZOO_CACHE"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "zoo" / "datasets"


class Samples:
    """Which samples videos give: inputs, targets, and the weight of each target.

    Videos of different data sets may be mixed: a sample without one of the targets carries zero
    weight for it, and the weights of the others are scaled by the share of the videos that have
    the target, so that each loss is a mean over those that do.

    All videos are looked up in a persistent index first: one that cannot be read or is too short
    is an error before anything is trained. Frames are decoded when a sample is read; nothing
    decoded is kept.

    Args:
        records: Videos in files, folders or shards.
        sampling: Which frames (or rows of features) make a sample, see `zoo.datasets.sampling`.
        inputs: `Frames`, `Flow`, `Features` of `zoo.datasets.samples.inputs`.
        targets: `Mixture`, `Saliency`, `Action`, `Boxes` of `zoo.datasets.samples.targets`.
        per_video: Samples of a video in an epoch, drawn at random; None: every one that
            `sampling.all` gives, each once.
        transforms: Changes of training samples, in this order (`zoo.datasets.transforms`).
        points: Fixations (frames, points, 2) of videos without gaze of their own, by name.
        points_weight: How much such a video's fixations count beside those of the others.
        cache: Folder of the index and of parsed gaze; default `$ZOO_CACHE`, or the user's cache.
        skip_bad: Leave out videos that cannot be read or are too short, with a warning.
        progress: Called with (videos counted, videos to count) while new videos are indexed.
        seed: Random seed for order, places, fixations and transforms.

    Example:

    ```python
    samples = Samples(records, Windows(48), targets=[Mixture(max_points=20)], seed=1)
    model.fit(stream(samples, batch_size=4), steps_per_epoch=100)
    ```
    """

    def __init__(
        self,
        records: Sequence[Record],
        sampling: Sampling,
        *,
        inputs: Sequence[Frames | Flow | Features] = (Frames(),),
        targets: Sequence[Any] = (Mixture(),),
        per_video: int | None = 1,
        transforms: Sequence[Transform] = (),
        points: Mapping[str, np.ndarray] | None = None,
        points_weight: float = 1.0,
        cache: str | os.PathLike | None = None,
        skip_bad: bool = False,
        progress: Callable[[int, int], None] | None = None,
        seed: int = 0,
    ):
        _check(records, inputs, targets, per_video, transforms)
        folder = cache_folder() if cache is None else Path(cache)
        self.sampling, self.inputs, self.targets = sampling, tuple(inputs), tuple(targets)
        self.per_video, self.transforms = per_video, tuple(transforms)
        self.points, self.points_weight = dict(points or {}), points_weight
        self.seed = seed
        self.fault: Exception | None = None
        self._gaze = GazeStore(folder / GAZE)
        index = VideoIndex(folder / INDEX)
        names = [record.video for record in records]
        self._facts = index.scan(names, skip_bad=skip_bad, progress=progress)
        self.records = self._usable(records, skip_bad)
        self._scale = self._scales()

    @functools.cached_property
    def spec(self) -> tuple[dict, dict, dict]:
        """Shapes and dtypes of a sample's inputs, targets and weights, each by name."""
        steps = self.sampling.steps
        inputs = {part.name: part.spec(steps) for part in self.inputs}
        targets = {part.name: part.spec(steps) for part in self.targets}
        for part in self.targets:
            if isinstance(part, Mixture) and part.teacher is not None:
                inputs["fixations"] = targets[part.name]
        return inputs, targets, dict.fromkeys(targets, ((), "float32"))

    def __len__(self) -> int:
        """Training samples in an epoch."""
        if self.per_video is None:
            return int(self._counts[-1])
        return len(self.records) * self.per_video

    @functools.cached_property
    def _counts(self) -> np.ndarray:
        """For `per_video=None`: how many samples the videos before each give, and all."""
        counts = [len(self._all(video)) for video in range(len(self.records))]
        return np.cumsum([0, *counts])

    def draw(self, number: int, step: int = 0) -> tuple[dict, dict, dict]:
        """Training sample `number` of the endless row of epochs: inputs, targets, weights.

        Args:
            number: Its number, counted over all epochs from 0.
            step: The training step that it is for; a teacher's schedule depends on it.
        """
        video, steps, rng = self.choose(number)
        return self._sample(video, steps, rng, step=step)

    def choose(self, number: int) -> tuple[int, np.ndarray, np.random.Generator]:
        """The video of training sample `number`, its steps, and the generator for the rest."""
        epoch, at = divmod(int(number), len(self))
        place = int(_order(self.seed, epoch, len(self))[at])
        rng = np.random.default_rng([self.seed, epoch, place])
        if self.per_video is not None:
            video = place // self.per_video
            return video, self.sampling.draw(self._times(video), rng), rng
        video = int(np.searchsorted(self._counts, place, side="right")) - 1
        return video, self._all(video)[place - self._counts[video]], rng

    def facts(self, video: int) -> VideoFacts:
        """What the index knows of a video."""
        return self._facts[self.records[video].video]

    @functools.cached_property
    def places(self) -> list[Place]:
        """The samples in order, for validation.

        With the target `Mixture` and `Windows` these are windows that cover each predicted step
        of every video once; else what `sampling.all` gives.
        """
        lag = next((part.lag for part in self.targets if isinstance(part, Mixture)), None)
        covers = isinstance(self.sampling, Windows) and lag is not None
        found = []
        for video in range(len(self.records)):
            if covers:
                for steps, count in self.sampling.cover(self._times(video), lag):
                    found.append(Place(video, steps, steps[lag : lag + count]))
            else:
                found += [Place(video, steps, steps) for steps in self._all(video)]
        return found

    def in_order(self, number: int) -> tuple[dict, dict, dict]:
        """Sample `number` of `places`, without transforms: inputs, targets, weights."""
        place = self.places[number]
        rng = np.random.default_rng([self.seed, 1 << 20, number])
        return self._sample(place.video, place.steps, rng, step=None)

    def truth(self, video: int) -> np.ndarray:
        """Fixations of all steps of a video, (steps, points, 2), NaN-padded."""
        return self._fixations(video, np.arange(len(self._times(video))))

    def frames(self, video: int, steps: np.ndarray) -> np.ndarray:
        """The frames of the record that steps of its inputs stand for."""
        features = self._features
        if features is None:
            return np.asarray(steps)
        fps = getattr(features.store, "fps", None)
        return resampled(self._part(video)[1], fps)[features.frames(steps)]

    # What a step is: a frame of the record's part of the video, or a row of its features.

    @functools.cached_property
    def _features(self) -> Features | None:
        return next((part for part in self.inputs if isinstance(part, Features)), None)

    def _times(self, video: int) -> np.ndarray:
        return self._steps(self.records[video])

    def _steps(self, record: Record) -> np.ndarray:
        """The times of a record's steps."""
        times = _part_of(record, self._facts[record.video])[1]
        if self._features is None:
            return times
        rows = np.arange(len(self._features.store.rows(record)))
        return times[np.minimum(self._features.frames(rows), len(times) - 1)]

    def _part(self, video: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers in the file, and times, of the frames that belong to the record."""
        return _part_of(self.records[video], self.facts(video))

    def _all(self, video: int) -> np.ndarray:
        return self.sampling.all(self._times(video))

    def _usable(self, records: Sequence[Record], skip_bad: bool) -> list[Record]:
        kept, bad = [], []
        checked: dict[tuple, str | None] = {}  # videos of one length are checked once
        for record in records:
            facts = self._facts.get(record.video)
            if facts is None:
                continue  # named already
            like = (facts.count, facts.step, facts.fps, record.start, record.end)
            if facts.own is not None or self._features is not None:
                like = (id(record),)
            if like not in checked:
                checked[like] = self._lacking(record)
            if checked[like] is None:
                kept.append(record)
            else:
                bad.append(f"{record.name} ({checked[like]})")
        if bad:
            more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
            told = f"{len(bad)} of {len(records)} do not: {'; '.join(bad[:SHOWN])}{more}"
            if not skip_bad or not kept:
                raise VideoError(
                    "Every video must hold a sample; take shorter samples, or leave those out"
                    f"{advised(' with `skip_bad=True`', '')}. Received: {told}"
                )
            warnings.warn(f"Videos without a sample are left out: {told}", stacklevel=3)
        return kept

    def _lacking(self, record: Record) -> str | None:
        """Why a record holds no sample, or None: it does."""
        try:
            self.sampling.draw(self._steps(record), np.random.default_rng(0))
        except ValueError as error:
            return str(error)
        return None

    def _scales(self) -> dict[str, float]:
        """By how much the weights of a target grow where only some videos have it."""
        found = {}
        for target in self.targets:
            own = [target.held_by(r) for r in self.records]
            held = own if any(own) else [self._given(r, target) for r in self.records]
            if not any(held):
                raise ValueError(
                    "Every target must be known of some video. "
                    f"Received: `{target.name}` of none of {len(held)} videos"
                )
            found[target.name] = len(held) / sum(held)
        return found

    def _given(self, record: Record, target) -> bool:
        """Whether the target comes from `points`."""
        return target.name in ("mixture", "saliency") and record.name in self.points

    # Reading a sample.

    def _sample(self, video: int, steps: np.ndarray, rng, step: int | None):
        record = self.records[video]
        last = len(self._times(video)) - 1
        inside = steps <= last  # beyond its end a short video stands still, and has no targets
        shown = np.minimum(steps, last)
        held = self._read(video, shown, inside, None if step is None else rng)
        names = {target.name for target in self.targets}
        if names & {"mixture", "saliency"}:
            held["fixations"] = self._fixations(video, shown)
            held["fixations"][~inside] = np.nan
        if "boxes" in names:
            held["boxes"] = self._boxes(video, shown)
            held["boxes"][~inside] = np.nan
        for transform in self.transforms if step is not None else ():
            held = transform(held, rng)
        inputs = {part.name: np.ascontiguousarray(held[part.name]) for part in self.inputs}
        targets, weights = {}, {}
        for target in self.targets:
            found, known = target.of(record, held, rng)
            weight = self._scale[target.name] * known
            if self._given(record, target):
                weight *= self.points_weight
            targets[target.name], weights[target.name] = found, np.float32(weight)
            if isinstance(target, Mixture) and target.teacher is not None:
                share = 0.0 if step is None else target.teacher(step)
                told = rng.random(len(found)) < share
                inputs["fixations"] = np.where(told[:, None, None], found, np.float32(np.nan))
        return inputs, targets, weights

    def _read(self, video: int, steps: np.ndarray, inside: np.ndarray, rng) -> Sample:
        record, facts = self.records[video], self.facts(video)
        held: Sample = {}
        if self._features is not None:
            rows = self._features.store.rows(record)[steps]
            held["features"] = rows[0] if self._features.single else rows
            return held
        check_unchanged(record.video, facts)
        numbers = self._part(video)[0][steps]
        opened = open_video(record.video, stamps=facts.stamps)
        for part in self.inputs:
            if isinstance(part, Frames):
                held[part.name] = part.read(opened, numbers, record, rng)
            else:
                held[part.name] = _flow(part, record, opened, numbers)
                held[part.name][~inside] = 0
        return held

    def _fixations(self, video: int, steps: np.ndarray) -> np.ndarray:
        record = self.records[video]
        frames = self.frames(video, steps)
        if record.name in self.points:
            return np.array(self.points[record.name][frames], np.float32)
        if record.gaze is None:
            return np.full((len(frames), 1, 2), np.nan, np.float32)
        gaze = self._gaze.get(record, self._facts[record.video])
        found = gaze.take(self._part(video)[0][frames]).padded()
        return found if found.shape[1] else np.full((len(frames), 1, 2), np.nan, np.float32)

    def _boxes(self, video: int, steps: np.ndarray) -> np.ndarray:
        record = self.records[video]
        count = next(target.count for target in self.targets if target.name == "boxes")
        size = next(part.size for part in self.inputs if part.name in ("rgb", "flow"))
        facts = self._facts[record.video]
        frames = self._part(video)[0][steps]
        out = np.full((len(frames), count, 4), np.nan, np.float32)
        grow = np.array([size[1] / facts.width, size[0] / facts.height] * 2)
        for place, tube in enumerate((record.boxes or ())[:count]):
            rows = frames - tube.start
            there = (rows >= 0) & (rows < len(tube.boxes))
            out[there, place] = np.asarray(tube.boxes, float)[rows[there]] * grow
        return out


def _flow(flow: Flow, record: Record, opened, numbers: np.ndarray) -> np.ndarray:
    stored = flow.stored(record)
    if stored is not None:
        return np.asarray(stored[numbers], np.float32)
    wanted = np.unique(np.concatenate([numbers, np.maximum(numbers - 1, 0)]))
    fields = flow.compute(opened.read(wanted, flow.size), wanted)
    fields = np.concatenate([np.zeros_like(fields[:1]), fields]) if len(fields) else fields
    if not len(fields):
        fields = np.zeros((1, *flow.size, 2), np.float32)
    found = fields[np.searchsorted(wanted, numbers)]
    found[numbers == 0] = 0
    return found


def _part_of(record: Record, facts: VideoFacts) -> tuple[np.ndarray, np.ndarray]:
    times = facts.times
    if record.start is None and record.end is None:
        return np.arange(len(times)), times
    begin = -np.inf if record.start is None else record.start
    end = np.inf if record.end is None else record.end
    numbers = np.flatnonzero((times >= begin - 1e-6) & (times < end - 1e-6))
    if not len(numbers):
        raise VideoError(
            f"A record's part must lie inside its video of {times[-1]:.3f} s. "
            f"Received: start={record.start}, end={record.end}"
        )
    return numbers, times[numbers]


@functools.lru_cache(maxsize=16)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of an epoch's samples."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def _check(records, inputs, targets, per_video, transforms) -> None:
    if not len(records):
        raise ValueError("There must be at least one video. Received: none")
    if per_video is not None and per_video < 1:
        raise ValueError(f"`per_video` must be at least 1, or None. Received: {per_video}")
    for name, parts in (("inputs", inputs), ("targets", targets)):
        found = [part.name for part in parts]
        if not found or len(set(found)) < len(found):
            raise ValueError(
                f"`{name}` must hold at least one, and each name once. Received: {found}"
            )
    features = any(isinstance(part, Features) for part in inputs)
    if features and (len(inputs) > 1 or transforms):
        raise ValueError(
            "Stored features cannot be changed or mixed with frames; compute them on the way for "
            f"`transforms`. Received: {len(inputs)} inputs, {len(transforms)} transforms"
        )
    sizes = {part.size for part in inputs if not isinstance(part, Features)}
    if len(sizes) > 1:
        raise ValueError(f"Frames and flow must be of one size. Received: {sorted(sizes)}")
