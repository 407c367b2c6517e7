"""Caches features of still images, computed once by the frozen part of a backbone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np

from zoo.datasets.stills import Still
from zoo.files.atomic import atomic_path
from zoo.files.file_state import file_state
from zoo.training.backbone_features import FLOAT16_MAX
from zoo.training.digests import weights_digest

# (height, width) that images are resized to; each image takes the nearest aspect ratio.
CANVASES = ((240, 320), (256, 256), (320, 240))
CELL = 4  # side of a density cell, in pixels
BLUR = 1.0  # standard deviation of the blur of fixation counts, in cells
FOREVER = 1 << 40


def canvas_of(still: Still) -> tuple[int, int]:
    """The canvas whose aspect ratio is nearest to the image's."""
    shape = math.log(still.width / still.height)
    return min(CANVASES, key=lambda c: abs(math.log(c[1] / c[0]) - shape))


class StillFeatures:
    """Features of images and of their mirror images, in memory-mapped files.

    Args:
        stills: the images.
        trunk: the frozen part of the backbone; maps a frame to a feature map.
        folder: folder for the feature files, about 0.2 MB per image. A file that was made of the
            same images with the same weights is reused.
    """

    def __init__(self, stills: Sequence[Still], trunk: keras.Model, folder: str | Path):
        self.stills = list(stills)
        self.groups: dict[tuple[int, int], list[int]] = {}
        for index, still in enumerate(self.stills):
            self.groups.setdefault(canvas_of(still), []).append(index)
        self._places = {i: (c, n) for c, held in self.groups.items() for n, i in enumerate(held)}
        images = [(still.name, *file_state(still.path)) for still in self.stills]
        self._key = weights_digest(trunk, {"images": images})[:16]
        self._files = {c: self._file(c, trunk, Path(folder)) for c in self.groups}

    def features(self, index: int, mirrored: bool = False) -> np.ndarray:
        """Features (rows, columns, channels) of one image, float32."""
        canvas, number = self._places[index]
        return np.asarray(self._files[canvas][number, int(mirrored)], np.float32)

    def target(self, index: int, mirrored: bool = False) -> np.ndarray:
        """Fixation density (height / 4, width / 4) that sums to 1, blurred by one cell."""
        height, width = (side // CELL for side in self._places[index][0])
        counts = np.zeros((height, width), np.float32)
        points = self.stills[index].points
        x = 1.0 - points[:, 0] if mirrored else points[:, 0]
        columns = np.clip((x * width).astype(int), 0, width - 1)
        np.add.at(counts, ((points[:, 1] * height).astype(int), columns), 1.0)
        counts = cv2.GaussianBlur(counts, (0, 0), BLUR, borderType=cv2.BORDER_REFLECT)
        return counts / max(counts.sum(), 1e-9)

    def epoch(self, seed: int, epoch: int, batch_size: int) -> list[list[int]]:
        """The batches of an epoch, as image numbers; all are full and of one canvas each."""
        rng = np.random.default_rng([seed, epoch])
        batches = []
        for held in self.groups.values():
            order = [held[i] for i in rng.permutation(len(held))]
            order += order[: -len(order) % batch_size]  # fill the last batch from the beginning
            while len(order) % batch_size:  # there are fewer images than a batch holds
                order += order[: batch_size - len(order) % batch_size]
            batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def batch(self, seed: int, step: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Features and targets of a step's batch; each image is mirrored with probability 1/2."""
        epoch, number = divmod(step, self.steps(batch_size))
        rng = np.random.default_rng([seed, 1, step])
        chosen = [(i, bool(rng.integers(2))) for i in self.epoch(seed, epoch, batch_size)[number]]
        return (
            np.stack([self.features(*each) for each in chosen]),
            np.stack([self.target(*each) for each in chosen]),
        )

    def steps(self, batch_size: int) -> int:
        """Batches per epoch."""
        return sum(-(-len(held) // batch_size) for held in self.groups.values())

    def stream(self, seed: int, batch_size: int, start_step: int = 0):
        """Endless batches as a `tf.data.Dataset`; each depends only on the seed and the step."""
        import tensorflow as tf

        def read(step):
            kinds = (tf.float32, tf.float32)
            given = tf.numpy_function(
                lambda n: self.batch(seed, int(n), batch_size), [step], kinds, stateful=False
            )
            channels = next(iter(self._files.values())).shape[-1]
            given[0].set_shape((batch_size, None, None, channels))
            given[1].set_shape((batch_size, None, None))
            return given

        return tf.data.Dataset.range(start_step, FOREVER).map(read).prefetch(2)

    def in_order(self) -> Iterator[tuple[Still, np.ndarray]]:
        """Yield each image with its features, not mirrored."""
        for index, still in enumerate(self.stills):
            yield still, self.features(index)

    def _file(self, canvas, trunk, folder: Path) -> np.ndarray:
        path = folder / f"features_{canvas[0]}x{canvas[1]}_{self._key}.npy"
        if not path.exists():
            held = self.groups[canvas]
            with atomic_path(path) as part:
                file = None
                for number, index in enumerate(held):
                    picture = resized(self.stills[index].picture(), canvas)
                    both = np.stack([picture, picture[:, ::-1]]).astype(np.float32)
                    found = np.asarray(trunk.predict_on_batch(both))
                    if file is None:
                        shape = (len(held), *found.shape)
                        file = np.lib.format.open_memmap(part, "w+", np.float16, shape)
                    file[number] = np.clip(found, -FLOAT16_MAX, FLOAT16_MAX)
                file.flush()
        return np.load(path, mmap_mode="r")


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture to (height, width) by area averaging."""
    if picture.shape[:2] == tuple(size):
        return picture
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
