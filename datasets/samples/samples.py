"""Training samples of videos; each one depends only on the seed and its number."""

from __future__ import annotations

import functools
import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from zoo.datasets.gaze.store import GazeStore
from zoo.datasets.record import Record
from zoo.datasets.samples.inputs import Features, Flow, Frames
from zoo.datasets.samples.reader import Reader
from zoo.datasets.samples.sampling import Windows
from zoo.datasets.samples.targets import Boxes, Mixture, Saliency
from zoo.datasets.samples.transforms import Sample
from zoo.datasets.video.index import VideoFacts, VideoIndex
from zoo.datasets.video.reading import FrameRateWarning, VideoError
from zoo.files.first_few import SHOWN, first_few
from zoo.files.interface import advised

Transform = Callable[[Sample, np.random.Generator], Sample]
INDEX, GAZE = "videos.npz", "gaze"


class Sampling(Protocol):
    """Interface of `zoo.datasets.Windows`, `zoo.datasets.Segments`, or a sampling of your own."""

    steps: int

    def draw(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray: ...

    def all(self, times: np.ndarray) -> np.ndarray: ...


class Place(NamedTuple):
    """The position of one sample when samples are taken in order.

    Args:
        video: Number of the record.
        steps: (time,) the sample's steps in the video; those after its end are padding.
        scored: Steps that no earlier sample predicts. The sample's first `len(scored)` predictions
            belong to them; its other predictions are not evaluated.
    """

    video: int
    steps: np.ndarray
    scored: np.ndarray


def cache_folder() -> Path:
    """The cache folder: `$ZOO_CACHE`, or `zoo/datasets` in the user's cache folder."""
    if folder := os.environ.get("ZOO_CACHE"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "zoo" / "datasets"


class Samples:
    """Samples of videos: inputs, targets, and a weight for each target.

    Videos of different data sets may be mixed. A sample that lacks a target gets zero weight for
    it; the weights of the other samples are divided by the fraction of videos that have the
    target, so that each loss is a mean over the samples that have it.

    All videos are first looked up in a persistent index, so a video that is unreadable or too
    short is reported before training starts. Frames are decoded when a sample is read and are not
    kept.

    Args:
        records: Videos in files, folders or shards.
        sampling: Which frames (or rows of features) form a sample: `Windows`, `Segments`.
        inputs: `Frames`, `Flow`, `Features` of `zoo.datasets.samples.inputs`.
        targets: `Mixture`, `Saliency`, `Action`, `Boxes` of `zoo.datasets.samples.targets`.
        per_video: Number of random samples per video and epoch; None: all samples of
            `sampling.all`, once each.
        transforms: Augmentations of training samples, in order (`zoo.datasets.samples.transforms`).
        points: Name of a record -> fixations (frames, points, 2), for videos without gaze of
            their own, whose names must then be unique.
        points_weight: Weight of such fixations relative to measured gaze.
        cache: Folder of the index and of parsed gaze; default `$ZOO_CACHE`, or the user's cache.
        skip_bad: Leave out videos that are unreadable or too short, with a warning, instead of
            raising an error.
        progress: Called with (videos done, videos to do) while new videos are indexed.
        seed: Random seed for the order, positions, fixations and transforms.

    Attributes:
        records: The usable records.
        fault: The last error that occurred in `stream` or `validation`.

    Raises:
        ValueError: There are no videos, arguments are out of range or do not fit together, or no
            video has one of the targets.
        VideoError: Videos are unreadable or too short; the error counts and names them.

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
        _check(records, inputs, targets, per_video, transforms, points or {})
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
        self._warn_of_assumed_rates()
        self._scale = self._scales()

    @functools.cached_property
    def spec(self) -> tuple[dict, dict, dict]:
        """Name -> (shape, dtype), for a sample's inputs, targets and weights."""
        steps = self.sampling.steps
        inputs = {part.name: part.spec(steps) for part in self.inputs}
        targets = {part.name: part.spec(steps) for part in self.targets}
        for part in self.targets:
            if isinstance(part, Mixture) and part.teacher is not None:
                inputs["fixations"] = targets[part.name]
        return inputs, targets, dict.fromkeys(targets, ((), "float32"))

    def __len__(self) -> int:
        """Number of training samples in an epoch."""
        if self.per_video is None:
            return int(self._counts[-1])
        return len(self.records) * self.per_video

    @functools.cached_property
    def _counts(self) -> np.ndarray:
        """With `per_video=None`: the number of samples before each video, and in total."""
        counts = [len(self._all(video)) for video in range(len(self.records))]
        return np.cumsum([0, *counts])

    def draw(self, number: int, step: int = 0) -> tuple[dict, dict, dict]:
        """A training sample: inputs, targets, weights.

        Args:
            number: Number of the sample, counted from 0 over all epochs.
            step: The training step that uses it, for the schedule of teacher forcing.
        """
        video, steps, rng = self.choose(number)
        return self._sample(video, steps, rng, step=step)

    def choose(self, number: int) -> tuple[int, np.ndarray, np.random.Generator]:
        """The video and steps of a training sample, and the generator for its other choices."""
        epoch, at = divmod(int(number), len(self))
        place = int(_order(self.seed, epoch, len(self))[at])
        rng = np.random.default_rng([self.seed, epoch, place])
        if self.per_video is not None:
            video = place // self.per_video
            return video, self.sampling.draw(self._times(video), rng), rng
        video = int(np.searchsorted(self._counts, place, side="right")) - 1
        return video, self._all(video)[place - self._counts[video]], rng

    def facts(self, video: int) -> VideoFacts:
        """The facts about a video from the index."""
        return self._facts[self.records[video].video]

    @functools.cached_property
    def places(self) -> list[Place]:
        """The samples in order, for validation.

        With `Windows` and a `Mixture` target, these are windows in which each step of a video is
        predicted once; otherwise the samples of `sampling.all`.
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
        """The sample at `places[number]`, without transforms: inputs, targets, weights."""
        place = self.places[number]
        rng = np.random.default_rng([self.seed, 1 << 20, number])
        return self._sample(place.video, place.steps, rng, step=None)

    def truth(self, video: int) -> np.ndarray:
        """Fixations of all steps of a video, (steps, points, 2), NaN-padded."""
        return self._reader.fixations(self.records[video], np.arange(len(self._times(video))))

    def frames(self, video: int, steps: np.ndarray) -> np.ndarray:
        """The frames of the record that correspond to steps of its inputs."""
        return self._reader.frames(self.records[video], steps)

    def _times(self, video: int) -> np.ndarray:
        return self._reader.times(self.records[video])

    def _all(self, video: int) -> np.ndarray:
        return self.sampling.all(self._times(video))

    def _usable(self, records: Sequence[Record], skip_bad: bool) -> list[Record]:
        kept, bad = [], []
        checked: dict[tuple, str | None] = {}  # videos of the same length are checked once
        for record in records:
            facts = self._facts.get(record.video)
            if facts is None:
                continue  # already reported by the index
            like = (facts.count, facts.step, facts.fps, record.start, record.end)
            if facts.own is not None or self._reader.features is not None:
                like = (id(record),)
            if like not in checked:
                checked[like] = self._too_short(record)
            if checked[like] is None:
                kept.append(record)
            else:
                bad.append(f"{record.name} ({checked[like]})")
        if bad:
            short = f"{len(bad)} of {len(records)} are not: {first_few(bad, '; ')}"
            if not skip_bad or not kept:
                raise VideoError(
                    "Every video must be long enough for a sample; use shorter samples, or leave "
                    f"short videos out{advised(' with `skip_bad=True`', '')}. Received: {short}"
                )
            warnings.warn(f"Videos too short for a sample are left out: {short}", stacklevel=3)
        return kept

    def _warn_of_assumed_rates(self) -> None:
        """Warn of videos without a frame rate if the samples depend on seconds."""
        timed = getattr(self.sampling, "fps", None) is not None
        names = [
            record.name
            for record in self.records
            if not self._facts[record.video].rated
            and (timed or record.start is not None or record.end is not None)
        ]
        if names:
            warnings.warn(
                f"{len(names)} of {len(self.records)} videos do not state their frame rate; 25 "
                "frames per second are assumed. Set the rate in the column `fps` of a "
                f"table. Received: {first_few(names)}",
                FrameRateWarning,
                stacklevel=3,
            )

    def _too_short(self, record: Record) -> str | None:
        """Why a record is too short for a sample; None if it is not."""
        times = self._reader.times(record)
        try:
            self.sampling.draw(times, np.random.default_rng(0))
        except ValueError as error:
            return str(error)
        # Another target, and gaze that a model will draw, may come from such a video too.
        lag = min((getattr(part, "lag", 0) for part in self.targets), default=0)
        if len(times) <= lag and record.gaze is not None:
            return f"{len(times)} frames, of which the first {lag} have no prediction"
        return None

    def _scales(self) -> dict[str, float]:
        """Target -> factor of its weights, to make up for the videos that lack it."""
        found = {}
        for target in self.targets:
            own = [target.held_by(r) for r in self.records]
            held = own if any(own) else [self._given(r, target) for r in self.records]
            if not any(held):
                raise ValueError(
                    "Each target must be available for at least one video. "
                    f"Received: `{target.name}`, which none of {len(held)} videos has"
                )
            found[target.name] = len(held) / sum(held)
        return found

    def _given(self, record: Record, target) -> bool:
        """Whether the target comes from `points`."""
        return isinstance(target, (Mixture, Saliency)) and self._reader.given(record)

    def _sample(self, video: int, steps: np.ndarray, rng, step: int | None):
        record = self.records[video]
        last = len(self._times(video)) - 1
        inside = steps <= last  # past its end, a short video repeats its last frame without targets
        shown = np.minimum(steps, last)
        held = self._reader.inputs_of(record, shown, inside, None if step is None else rng)
        if any(isinstance(target, (Mixture, Saliency)) for target in self.targets):
            held["fixations"] = self._reader.fixations(record, shown)
            held["fixations"][~inside] = np.nan
        for count in (target.count for target in self.targets if isinstance(target, Boxes)):
            held["boxes"] = self._reader.boxes(record, shown, count)
            held["boxes"][~inside] = np.nan
        for transform in self.transforms if step is not None else ():
            held = transform(held, rng)
        inputs = {part.name: np.ascontiguousarray(held[part.kind]) for part in self.inputs}
        targets, weights = {}, {}
        for target in self.targets:
            found, known = target.of(record, held, rng)
            weight = self._scale[target.name] * known
            if self._given(record, target):
                weight *= self.points_weight
            targets[target.name], weights[target.name] = found, np.float32(weight)
            if isinstance(target, Mixture) and target.teacher is not None:
                share = 0.0 if step is None else target.teacher(step)
                shown = rng.random(len(found)) < share
                inputs["fixations"] = np.where(shown[:, None, None], found, np.float32(np.nan))
        return inputs, targets, weights


@functools.lru_cache(maxsize=16)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of an epoch's samples."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def _check(records, inputs, targets, per_video, transforms, points) -> None:
    if not len(records):
        raise ValueError("There must be at least one video. Received: none")
    given = Counter(r.name for r in records if r.gaze is None and r.name in points)
    if twice := [name for name, count in given.items() if count > 1]:
        raise ValueError(
            "Names of videos whose fixations are in `points` must be unique. "
            f"Received: {len(twice)} names more than once: {twice[:SHOWN]}"
        )
    if per_video is not None and per_video < 1:
        raise ValueError(f"`per_video` must be at least 1, or None. Received: {per_video}")
    for name, parts in (("inputs", inputs), ("targets", targets)):
        found = [part.name for part in parts]
        if not found or len(set(found)) < len(found):
            raise ValueError(
                f"`{name}` must not be empty, and its names must be unique. Received: {found}"
            )
    features = any(isinstance(part, Features) for part in inputs)
    boxes = [part.name for part in targets if isinstance(part, Boxes)]
    if len(boxes) > 1 or (boxes and features):
        raise ValueError(
            "There may be one `Boxes` target, and it needs frames or flow as input, whose pixels "
            f"its boxes are in. Received: targets {boxes}, inputs {[p.name for p in inputs]}"
        )
    if features and (len(inputs) > 1 or transforms):
        raise ValueError(
            "Stored features cannot be transformed or combined with other inputs; to use "
            "`transforms`, compute features from frames during training. "
            f"Received: {len(inputs)} inputs, {len(transforms)} transforms"
        )
    sizes = {part.size for part in inputs if not isinstance(part, Features)}
    if len(sizes) > 1:
        raise ValueError(f"Frames and flow must have the same size. Received: {sorted(sizes)}")
