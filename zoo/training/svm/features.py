"""Video descriptors for a linear classifier: C3D features, optionally weighted by saliency."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import keras
import numpy as np

from zoo.backbones.c3d import CLIP_LENGTH
from zoo.datasets import Samples
from zoo.datasets.video.reading import open_record
from zoo.files.atomic import atomic_path
from zoo.inference.streaming.stream import Stream
from zoo.layers.saliency.central_bias_diffusion import CentralBiasDiffusion
from zoo.layers.saliency.saliency_weighting import saliency_weights
from zoo.training.digests import fingerprint, video_key

CHUNK = 8  # clips per call of the extractor


@dataclasses.dataclass(frozen=True)
class VideoToDescribe:
    """One video of `Samples`; its frames are decoded on demand.

    Args:
        samples: samples whose input is frames, with fixations.
        number: index of the video in `samples`.
    """

    samples: Samples
    number: int

    @property
    def key(self) -> str:
        """A key that identifies the video and the version of its file."""
        return video_key(self.samples.records[self.number])

    @property
    def points(self) -> np.ndarray:
        """Fixations of all frames, (T, A, 2), NaN-padded."""
        return self.samples.truth(self.number)

    def frames(self) -> np.ndarray:
        """All frames, (T, height, width, 3)."""
        record = self.samples.records[self.number]
        video = open_record(record)
        return np.stack(list(video.frames(self.samples.inputs[0].size)))


class Descriptors:
    """Max-pooled features of whole videos for each kind of saliency weighting, cached on disk.

    Args:
        folder: folder of the cache.
        extractor: maps a clip (16, h, w, 3), or a video of any length at regular steps, to
            {"conv5": feature map, "fc6": vector}, or to one of the two.
        saliency: model with the output "mixture", or None.
        central_bias: fitted mixture (K, 6) for the diffusion of the saliency, or None.
        stride: frames between the starts of successive clips; 1 in the paper.
        sigma: standard deviation of the Gaussian around a true fixation, relative to the frame's
            sides.

    Raises:
        ValueError: if the saliency model and the extractor take frames of different sizes.

    Example: `Descriptors("cache", extractor, rmdn).get(source, "predicted", "clip")`.
    """

    def __init__(
        self,
        folder: str | Path,
        extractor: keras.Model,
        saliency: keras.Model | None,
        *,
        central_bias: np.ndarray | None = None,
        stride: int = 1,
        sigma: float = 0.06,
    ):
        self.extractor = extractor
        self.saliency = saliency
        self.stride = stride
        self.sigma = sigma
        self.diffusion = None
        if central_bias is not None:
            self.diffusion = CentralBiasDiffusion(len(central_bias))
            self.diffusion.build((None, 1, 6))
            self.diffusion.set_bias(central_bias)
        self.stream = None if saliency is None else Stream(saliency)
        size = tuple(extractor.input_shape[2:4])
        if self.stream is not None and self.stream.frame_shape[:2] != size:
            raise ValueError(
                "The saliency model and the feature network must take frames of the same size. "
                f"Received: {self.stream.frame_shape[:2]} and {size}"
            )
        self.dense = extractor.input_shape[1] is None
        key = _digest(extractor) + ("" if saliency is None else _digest(saliency))
        if central_bias is not None:
            key += hashlib.sha256(np.ascontiguousarray(central_bias).tobytes()).hexdigest()
        settings = f"{key} {stride} {sigma}".encode()
        self.folder = Path(folder) / hashlib.sha256(settings).hexdigest()[:24]

    def get(self, source: VideoToDescribe, kind: str, mode: str = "clip") -> dict[str, np.ndarray]:
        """Descriptors of a video, {"conv5": (d,), "fc6": (e,)}.

        Args:
            source: the video.
            kind: the weighting: "original" (none), "truth", "predicted", "diffused" (predicted
                saliency diffused with the central bias) or "central_bias" (the bias alone).
            mode: "clip" weights the frames; "feature" weights the feature map "conv5" and
                returns it alone.

        Raises:
            ValueError: if the kind needs a model, a central bias or gaze that is missing.
        """
        name = f"{source.key} {kind} {mode if kind != 'original' else 'clip'}"
        if kind == "truth":
            name += hashlib.sha256(np.ascontiguousarray(source.points).tobytes()).hexdigest()
        path = self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.npz"
        if not path.exists():
            found = self._describe(source, kind, mode)
            with atomic_path(path) as part, open(part, "wb") as file:
                np.savez(file, **found)
        with np.load(path) as held:
            return dict(held)

    def _describe(self, source, kind, mode):
        frames = source.frames()
        if kind == "original":
            return self._pooled(frames)
        mixture = self._mixture(source, kind, frames)
        if mode == "feature":
            return self._pooled(frames, mixture)
        weights = keras.ops.convert_to_numpy(saliency_weights(mixture, *frames.shape[1:3]))
        return self._pooled(frames * weights[..., None])

    def _mixture(self, source, kind, frames) -> np.ndarray:
        """The saliency of each frame as a mixture, (T, C, 6)."""
        count = len(frames)
        if kind == "truth":
            return _fixation_mixture(source.points, self.sigma)
        if kind == "central_bias":
            self._need(self.diffusion, kind)
            bias = keras.ops.convert_to_numpy(self.diffusion.bias.value)
            return np.repeat(bias[None], count, axis=0)
        self._need(self.stream, kind)
        self.stream.reset()
        parts = [self.stream.push(frames).get("mixture"), self.stream.finish().get("mixture")]
        mixture = np.concatenate([part for part in parts if part is not None])
        # A model of clips has no output for the first frames; they take its first mixture.
        mixture = np.concatenate([mixture[:1].repeat(count - len(mixture), axis=0), mixture])
        if kind == "diffused":
            self._need(self.diffusion, kind)
            mixture = keras.ops.convert_to_numpy(self.diffusion(mixture))
        return mixture

    @staticmethod
    def _need(held, kind):
        if held is None:
            raise ValueError(
                "Predicted saliency needs a saliency model, and diffusion a central bias. "
                f"Received: kind={kind!r} without it"
            )

    def _pooled(self, frames, mixture=None) -> dict[str, np.ndarray]:
        """The maximum of each feature over time; `mixture`, if given, weights "conv5"."""
        best: dict[str, np.ndarray] = {}
        for features, at in self._steps(frames):
            if mixture is not None:
                features = {"conv5": self._weighted(features["conv5"], mixture[at])}
            for name, values in features.items():
                flat = np.asarray(values, np.float32).reshape(len(values), -1).max(axis=0)
                best[name] = np.maximum(best[name], flat) if name in best else flat
        return best

    @staticmethod
    def _weighted(maps, mixture):
        height, width = maps.shape[-3:-1]
        weights = keras.ops.convert_to_numpy(saliency_weights(mixture, height, width))
        shape = (len(maps), *(1,) * (maps.ndim - 4), height, width, 1)
        return maps * weights.reshape(shape)

    def _steps(self, frames):
        """Yield the features of some steps, and the frame whose saliency weights each step."""
        if self.dense:
            found = self._named(self.extractor.predict_on_batch(frames[None]))
            found = {name: values[0] for name, values in found.items()}
            steps = len(next(iter(found.values())))
            middles = (2 * np.arange(steps) + 1) * len(frames) // (2 * steps)
            yield found, middles
            return
        starts = np.arange(0, len(frames) - CLIP_LENGTH + 1, self.stride)
        if not len(starts):
            raise ValueError(
                f"A video must have at least {CLIP_LENGTH} frames. Received: {len(frames)}"
            )
        for first in range(0, len(starts), CHUNK):
            chosen = starts[first : first + CHUNK]
            clips = np.stack([frames[at : at + CLIP_LENGTH] for at in chosen])
            yield self._named(self.extractor.predict_on_batch(clips)), chosen + CLIP_LENGTH - 1

    @staticmethod
    def _named(outputs):
        outputs = outputs if isinstance(outputs, dict) else {"fc6": outputs}
        return {name: np.asarray(value) for name, value in outputs.items()}


def _digest(model: keras.Model) -> str:
    if isinstance(model.output, dict):
        first = next(iter(model.output.values()))
        return fingerprint(keras.Model(model.inputs, first)) + " ".join(sorted(model.output))
    return fingerprint(model)


def _fixation_mixture(points: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian around each fixation, (T, A, 6); frames without any take the preceding ones."""
    points = points.astype(np.float32)
    seen = np.isfinite(points).all(-1)
    if not seen.any():
        raise ValueError("True saliency needs gaze. Received: a video without any fixation")
    frames = np.arange(len(points))
    last = np.maximum.accumulate(np.where(seen.any(1), frames, -1))
    last = np.where(last < 0, np.argmax(seen.any(1)), last)
    points, seen = points[last], seen[last]
    mixture = np.zeros((*points.shape[:2], 6), np.float32)
    mixture[..., 0] = np.where(seen, 0.0, -1e4)
    mixture[..., 1:3] = np.where(seen[..., None], points, 0.5)
    mixture[..., 3:5] = np.log(sigma)
    return mixture
