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
from zoo.datasets.samples.reader import Reader
from zoo.datasets.samples.targets import Mixture
from zoo.datasets.sampling import Windows
from zoo.datasets.transforms import Sample
from zoo.datasets.video.index import VideoFacts, VideoIndex
from zoo.datasets.video.reading import FrameRateWarning, VideoError
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
        self.points_weight = points_weight
        self.seed = seed
        self.fault: Exception | None = None
        index = VideoIndex(folder / INDEX)
        names = [record.video for record in records]
        rates = {record.video: record.fps for record in records if record.fps is not None}
        scan = {"rates": rates, "skip_bad": skip_bad, "progress": progress}
        self._facts = index.scan(names, **scan)
        gaze = GazeStore(folder / GAZE)
        self._reader = Reader(self.inputs, self._facts, gaze, points or {})
        self.records = self._usable(records, skip_bad)
        self._tell_assumed_rates()
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
        return self._reader.fixations(self.records[video], np.arange(len(self._times(video))))

    def frames(self, video: int, steps: np.ndarray) -> np.ndarray:
        """The frames of the record that steps of its inputs stand for."""
        return self._reader.frames(self.records[video], steps)

    def _times(self, video: int) -> np.ndarray:
        return self._reader.times(self.records[video])

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
            if facts.own is not None or self._reader.features is not None:
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

    def _tell_assumed_rates(self) -> None:
        """Warn of videos without a frame rate where seconds matter."""
        timed = getattr(self.sampling, "fps", None) is not None
        names = [
            record.name
            for record in self.records
            if not self._facts[record.video].rated
            and (timed or record.start is not None or record.end is not None)
        ]
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            warnings.warn(
                f"{len(names)} of {len(self.records)} videos do not state their frame rate: 25 "
                "frames a second are assumed. A folder's rate is the column `fps` of a table. "
                f"Received: {', '.join(names[:SHOWN])}{more}",
                FrameRateWarning,
                stacklevel=3,
            )

    def _lacking(self, record: Record) -> str | None:
        """Why a record holds no sample, or None: it does."""
        try:
            self.sampling.draw(self._reader.times(record), np.random.default_rng(0))
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
        return target.name in ("mixture", "saliency") and record.name in self._reader.points

    def _sample(self, video: int, steps: np.ndarray, rng, step: int | None):
        record = self.records[video]
        last = len(self._times(video)) - 1
        inside = steps <= last  # beyond its end a short video stands still, and has no targets
        shown = np.minimum(steps, last)
        held = self._reader.inputs_of(record, shown, inside, None if step is None else rng)
        names = {target.name for target in self.targets}
        if names & {"mixture", "saliency"}:
            held["fixations"] = self._reader.fixations(record, shown)
            held["fixations"][~inside] = np.nan
        for count in (target.count for target in self.targets if target.name == "boxes"):
            held["boxes"] = self._reader.boxes(record, shown, count)
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
