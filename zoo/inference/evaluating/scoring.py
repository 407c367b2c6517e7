"""Metrics of every method on every frame of one video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.truth import blurred, truth_maps
from zoo.datasets.record import Record
from zoo.datasets.video.frame_index import describe_damage
from zoo.datasets.video.reading import Video, open_record
from zoo.inference.evaluating import baselines
from zoo.inference.evaluating.actions import check_length
from zoo.inference.evaluating.digest import digest
from zoo.inference.evaluating.evaluation import METRICS
from zoo.inference.evaluating.report import filmstrip, is_constant
from zoo.inference.evaluating.viewing import viewed
from zoo.inference.streaming.clip_maps import ClipMaps
from zoo.inference.streaming.pipeline import run_model
from zoo.inference.streaming.saliency_outputs import output_maps
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.rendering import render_mixture
from zoo.metrics import saliency_metrics

BASELINES = (
    "uniform",
    "central_bias",
    "trained_central_bias",
    "motion",
    "viewers",
    "true_density",
)
SHOWN = 4  # frames in a strip of pictures
AGAINST_TRUTH = ("cc", "similarity", "kl_divergence")  # metrics that use the blurred truth map


@dataclass
class Scorer:
    """Evaluates all methods on a video; see `zoo.evaluate` for the arguments."""

    streams: dict[str, Stream | ClipMaps]
    baselines: tuple[str, ...]
    bias: np.ndarray | None
    points: dict[str, np.ndarray]
    map_side: int
    sigma: float
    metric_maps: bool
    initial: str
    chunk: int | None
    seed: int
    _notes: list[str] = field(default_factory=list)

    def identity(self) -> str:
        """A hash of the models' graphs and weights and of the gaze used by the baselines."""
        parts = []
        for name, stream in self.streams.items():
            parts += [name, *stream.identity()]
        return digest(*parts, *(value for _, value in sorted(self.points.items())))

    def score(
        self,
        record: Record,
        fixations: Fixations,
        *,
        with_picture: bool = False,
        viewer: Path | None = None,
    ) -> tuple[dict, dict[str, np.ndarray], bytes | None]:
        """Return the video's result, its per-frame values by "method/metric", and a jpeg strip.

        `viewer` is the folder for a viewer page with the first model's maps over the video.
        """
        self._notes = []
        video = open_record(record)
        if video.damage:
            self._notes.append(f"{record.name}: {describe_damage(video.damage)}.")
        if video.num_frames != fixations.num_frames:
            raise ValueError(
                "A video and its gaze must have the same length. Received: "
                f"{record.name!r}, {video.num_frames} frames, gaze of {fixations.num_frames}"
            )
        height, width = _map_size(video.height, video.width, self.map_side)
        before = max((stream.missing for stream in self.streams.values()), default=0)
        after = max((stream.trailing for stream in self.streams.values()), default=0)
        check_length(record, video.num_frames, before + after + 1, self.initial)
        first, stop = 0, video.num_frames
        if self.initial == "omit":
            first, stop = before, video.num_frames - after
        used = np.flatnonzero(fixations.per_frame[first:stop]) + first
        shown = used[np.linspace(0, len(used) - 1, SHOWN).astype(int)] if len(used) else used
        measure = _Measure(self, record, used, shown, height, width)
        for name, stream in self.streams.items():
            maps = self._model_maps(stream, video, height, width)
            if viewer is not None and name == next(iter(self.streams)):
                maps = viewed(maps, viewer, record, video, fixations, name)
            measure.add(name, maps, fixations)
        for name in self.baselines:
            self._add_baseline(measure, name, record, video, fixations)
        empty = np.flatnonzero(fixations.per_frame[first:stop] == 0) + first
        frames = {"frame": np.arange(video.num_frames), "fixations": fixations.per_frame}
        frames.update(measure.values)
        result = {
            "name": record.name,
            "num_frames": int(video.num_frames),
            "damage": [str(damage) for damage in video.damage],
            "first_frame": int(first),
            "frames_evaluated": len(used),
            "frames_without_fixations": empty.tolist(),
            "gaze_issues": {why: int(n) for why, n in fixations.issues.items() if n},
            "map_size": [height, width],
            "metrics": measure.summary(),
            "constant_maps": measure.constant,
            "notes": self._notes,
        }
        strip = None
        if with_picture and len(shown):
            # `shown` is sorted, like `used`; a short video may repeat a frame.
            pictures = video.read(shown)
            gaze = [fixations.in_frames(f, f + 1).padded()[0] for f in shown]
            strip = filmstrip(shown, pictures, gaze, measure.shown)
        return result, frames, strip

    def _model_maps(self, stream, video, height, width) -> baselines.Maps:
        for piece in run_model(stream, video, initial=self.initial, chunk=self.chunk):
            if piece.outputs is not None:
                numbers = np.arange(piece.start, piece.start + piece.count)
                for start in range(0, piece.count, baselines.PIECE):
                    part = slice(start, start + baselines.PIECE)
                    yield numbers[part], output_maps(piece.outputs, part, height, width)

    def reference(self, height: int, width: int) -> np.ndarray:
        """The baseline density of the information gain."""
        if self.bias is None:
            return baselines.central_map(height, width)
        return render_mixture(self.bias, height, width)

    def others(self, record: Record, height: int, width: int) -> np.ndarray | None:
        """Fixations of all other videos, counted per pixel."""
        rest = [value for name, value in self.points.items() if name != record.name]
        if not rest or not sum(len(part) for part in rest):
            self._notes.append("No other video has fixations, so there is no shuffled AUC.")
            return None
        points = np.concatenate(rest)
        nothing = np.zeros(len(points), np.int64)
        together = Fixations(nothing, points[:, 0], points[:, 1], nothing, num_frames=1)
        return together.counts(height, width)[0]

    def _add_baseline(self, measure, name, record: Record, video: Video, fixations) -> None:
        height, width, count = measure.height, measure.width, video.num_frames
        if name == "uniform":
            maps = baselines.constant_maps(baselines.uniform_map(height, width), count)
        elif name == "central_bias":
            maps = baselines.constant_maps(baselines.central_map(height, width), count)
        elif name == "trained_central_bias":
            if self.bias is None:
                return
            maps = baselines.constant_maps(render_mixture(self.bias, height, width), count)
        elif name == "motion":
            maps = baselines.motion_maps(video, height, width)
        elif name == "viewers":
            if len(fixations.viewers) < 2:
                self._notes.append("Some videos have fewer than two known viewers.")
                return
            first, second = fixations.halves(self.seed)
            for seen, judged in ((first, second), (second, first)):
                maps = baselines.viewer_maps(seen, height, width, sigma=self.sigma)
                measure.add(name, maps, judged)
            return
        else:
            maps = baselines.true_maps(record, height, width)
            if maps is None:
                return
        measure.add(name, maps, fixations)


class _Measure:
    """Collects the metrics of each method, frame by frame."""

    def __init__(self, scorer: Scorer, record: Record, used, shown, height: int, width: int):
        self.height, self.width = height, width
        self.sigma = scorer.sigma
        self.metric_maps = scorer.metric_maps
        self.used, self.wanted = set(used.tolist()), shown
        self.reference = scorer.reference(height, width)
        self.others = scorer.others(record, height, width)
        self.values: dict[str, np.ndarray] = {}
        self.shown: dict[str, dict[int, np.ndarray]] = {}
        self.constant: dict[str, int] = {}  # number of frames with a constant map, by method

    def add(self, method: str, pieces: Iterator, fixations: Fixations) -> None:
        """Evaluate a method; a second call with the same name averages the two results."""
        found = {name: np.full(fixations.num_frames, np.nan) for name in METRICS}
        watched = fixations.per_frame > 0
        for frames, maps in pieces:
            chosen = [i for i, f in enumerate(frames) if f in self.used and watched[f]]
            if not chosen:
                continue
            numbers = frames[chosen]
            part = fixations.take(numbers)
            truth = truth_maps(part, self.height, self.width, sigma_pixels=self.sigma * self.width)
            counts = part.counts(self.height, self.width)
            values = saliency_metrics(maps[chosen], counts, truth, self.others, self.reference)
            if self.metric_maps and method != "viewers":
                soft = np.stack([blurred(m, self.sigma * self.width) for m in maps[chosen]])
                against = saliency_metrics(soft, counts, truth)
                values.update((name, against[name]) for name in AGAINST_TRUTH)
            for name, value in values.items():
                found[name][numbers] = value
            count = sum(is_constant(maps[i]) for i in chosen)
            if count and method != "uniform":
                self.constant[method] = self.constant.get(method, 0) + count
            for i in chosen:
                if frames[i] in self.wanted:
                    self.shown.setdefault(method, {})[int(frames[i])] = np.array(maps[i])
        for name, value in found.items():
            if np.isnan(value).all():
                continue
            key = f"{method}/{name}"
            if key in self.values:
                value = _mean(self.values[key], value)
            self.values[key] = value

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """Sum, count and mean over the frames with a defined value, by method and metric."""
        summary: dict = {}
        for key, values in self.values.items():
            method, name = key.rsplit("/", 1)
            held = values[np.isfinite(values)]
            summary.setdefault(method, {})[name] = {
                "sum": float(held.sum()),
                "count": len(held),
                "mean": float(held.mean()),
            }
        return summary


def _mean(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    both = np.where(np.isnan(second), first, (first + second) / 2)
    return np.where(np.isnan(first), second, both)


def _map_size(height: int, width: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
