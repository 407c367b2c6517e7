"""LSTS's clips: which frames they hold, their pooled features on disk, and training batches."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from zoo.datasets.video.flow import read_flow, video_flow
from zoo.training.checkpoint import write_atomically
from zoo.training.features import weights_digest
from zoo.training.scores import TruthMap, point_counts
from zoo.training.windows import Source


def clip_frames(targets: Sequence[int], num_frames: int, target: str = "last") -> np.ndarray:
    """Gives the frames of the clip of each target frame, (n, num_frames); some may not exist."""
    last = np.asarray(targets)[:, None]
    if target == "centre":
        last = last + num_frames - 1 - num_frames // 2
    return last + np.arange(1 - num_frames, 1)


def predicted_frames(total: int, num_frames: int, target: str, streams: str, stride: int = 1):
    """Gives the frames whose clip lies within the video.

    The flow of frame t is the motion from t - 1, so frame 0 has none and a flow clip begins at
    frame 1, as in the paper, which drops the first RGB frame for the same reason.
    """
    frames = clip_frames(np.arange(total), num_frames, target)
    first = 0 if streams == "rgb" else 1
    whole = np.flatnonzero((frames[:, 0] >= first) & (frames[:, -1] < total))
    return whole[::stride]


def stream_frames(frames: np.ndarray, stream: str, **flow_options) -> np.ndarray:
    """Gives a video as a stream sees it: RGB, or one field a frame, zero for frame 0."""
    if stream == "rgb":
        return frames
    fields = list(video_flow(frames, output_size=frames.shape[1:3], **flow_options))
    if len(fields) != len(frames) - 1:
        raise ValueError(
            "The flow must have one field fewer than the video has frames. "
            f"Received: {len(fields)} fields, {len(frames)} frames"
        )
    still = np.zeros((1, *frames.shape[1:3], 2), np.float32)
    return np.concatenate([still, *(field[None] for field in fields)])


class ClipFeatures:
    """Pooled features of clips in a folder, a file a video, stream and list of frames.

    The folder's name comes from the extractor's weights and output shape and from `settings`:
    features of another backbone, pooling or flow are never met.

    Args:
        root: Folder of all caches.
        extractor: `zoo.models.lsts_features(...)`.
        settings: Everything besides the weights that the features depend on.
        flow_options: Of `zoo.datasets.video.flow.video_flow`, for the flow stream.
        flow_dir: Folder of stored flow, see `zoo.datasets.video.flow.store_flow`: NAME.npy a video.
        batch_size: Clips in one call of the extractor.
    """

    def __init__(
        self,
        root: str | Path,
        extractor: keras.Model,
        settings: dict,
        *,
        flow_options: dict | None = None,
        flow_dir: str | Path | None = None,
        batch_size: int = 8,
    ):
        self.extractor = extractor
        self.stream = extractor.input.name
        self.num_frames = extractor.input_shape[1]
        self.flow_options = flow_options or {}
        self.flow_dir = None if flow_dir is None else Path(flow_dir)
        self.batch_size = batch_size
        self.folder = Path(root) / weights_digest(extractor, settings)[:24]

    def get(self, source: Source, targets: np.ndarray, target: str) -> np.ndarray:
        """Gives memory-mapped float16 features (len(targets), ...) of the targets' clips.

        Frames before the first or after the last repeat it; their flow is zero.
        """
        facts = [source.key, self.stream, target, np.asarray(targets).tolist()]
        name = hashlib.sha256(repr(facts).encode()).hexdigest()[:24]
        path = self.folder / f"{name}.npy"
        if not path.exists():
            write_atomically(path, lambda part: self._write(part, source, targets, target))
        found = np.load(path, mmap_mode="r")
        if found.shape != (len(targets), *self.extractor.output_shape[1:]):
            raise ValueError(
                "A cache must hold the features of this backbone and pooling. Received: "
                f"{path} of shape {found.shape}, wanted "
                f"{(len(targets), *self.extractor.output_shape[1:])}"
            )
        return found

    def clips(self, source: Source, targets: np.ndarray, target: str) -> Iterator[np.ndarray]:
        """Gives batches of clips as the extractor takes them."""
        images = self._images(source)
        frames = clip_frames(targets, self.num_frames, target)
        for start in range(0, len(frames), self.batch_size):
            part = frames[start : start + self.batch_size]
            clips = np.asarray(images)[np.clip(part, 0, len(images) - 1)]
            if self.stream == "flow":
                clips[(part < 0) | (part >= len(images))] = 0
            yield clips

    def _images(self, source: Source) -> np.ndarray:
        if self.stream == "flow" and self.flow_dir is not None:
            return read_flow(
                self.flow_dir / f"{source.name}.npy",
                num_frames=len(source.inputs),
                output_size=source.inputs.shape[1:3],
                scale_vectors=self.flow_options.get("scale_vectors", True),
            )
        return stream_frames(source.inputs, self.stream, **self.flow_options)

    def _write(self, path: Path, source: Source, targets: np.ndarray, target: str) -> None:
        shape = (len(targets), *self.extractor.output_shape[1:])
        out = np.lib.format.open_memmap(path, "w+", np.float16, shape)
        limit, start = float(np.finfo(np.float16).max), 0
        for clips in self.clips(source, targets, target):
            part = keras.ops.convert_to_numpy(self.extractor.predict_on_batch(clips))
            out[start : start + len(part)] = np.clip(part, -limit, limit)
            start += len(part)
        out.flush()
        del out


class ClipBatches:
    """Training batches of cached features; each is a function of (seed, epoch, step).

    Args:
        features: One array (n, ...) a video.
        points: One array of fixations (n, A, 2) a video, of the same clips' target frames.
        size: (height, width) of the truth maps.
        truth_map: Fixation counts to maps.
        batch_size: Clips in a batch.
        seed: Of the order.
    """

    def __init__(
        self,
        features: Sequence[np.ndarray],
        points: Sequence[np.ndarray],
        size: tuple[int, int],
        truth_map: Callable[[np.ndarray], np.ndarray] | None = None,
        *,
        batch_size: int = 128,
        seed: int = 0,
    ):
        self.features, self.points, self.size = list(features), list(points), size
        self.truth_map = truth_map or TruthMap(uniform=0.0)
        self.seed = seed
        # A frame that nobody looked at has no truth.
        self.places = np.array(
            [
                (video, clip)
                for video, gaze in enumerate(self.points)
                for clip in np.flatnonzero(np.isfinite(gaze).all(-1).any(-1))
            ]
        )
        if not len(self.places):
            raise ValueError("At least one clip must have fixations. Received: none")
        self.batch_size = min(batch_size, len(self.places))
        self.steps = len(self.places) // self.batch_size

    def batches(self, epoch: int, step: int = 0) -> Iterator[tuple]:
        """Gives the epoch's batches from a step on, every clip at most once."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.places))
        for number in range(step, self.steps):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield self._batch(self.places[chosen])

    def in_order(self) -> Iterator[tuple]:
        """Gives every clip once, in order."""
        for start in range(0, len(self.places), self.batch_size):
            yield self._batch(self.places[start : start + self.batch_size])

    def _batch(self, places):
        features = np.stack([self.features[v][c] for v, c in places]).astype("float32")
        counts = np.concatenate(
            [point_counts(np.asarray(self.points[v][c])[None], *self.size) for v, c in places]
        )
        truth = np.stack([self.truth_map(counts), counts], axis=-1)
        return features, {"saliency": truth}


def halved(base: float, iteration: int, every: int | None) -> float:
    """The printed schedule: the rate is halved after every so many iterations."""
    return base if not every else base * math.pow(0.5, iteration // every)
