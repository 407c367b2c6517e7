"""Labelled videos as the action recipes train on them: blocks of frames, or of their features."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.video.clips import FrameCache
from zoo.training.checkpoint import write_atomically
from zoo.training.named_data import class_names as class_names_of
from zoo.training.named_data import labelled

OWN = ("csv", "moving_targets", "shards")


@dataclasses.dataclass(frozen=True)
class ActionVideo:
    """A video's frames (or features), (time, ...), its label and the record it comes from."""

    record: Record
    inputs: np.ndarray
    target: int | np.ndarray


def load_labelled(dataset: str, data_dir: str | Path, split: str, **options) -> list[Record]:
    """Records with a label of a split; `csv` takes the table's path as folder."""
    if dataset not in OWN:
        return labelled(dataset, data_dir, split, **options)
    name = "your_own" if dataset == "csv" else dataset
    module = importlib.import_module(f"zoo.datasets.{name}")
    if dataset == "csv":
        records = [r for r in module.load(data_dir) if (r.split or "train") == split]
    else:
        records = module.load(data_dir, split=split, **options)
    return [record for record in records if record.label is not None]


def class_count(dataset: str, data_dir: str | Path) -> int:
    """Number of classes of a data set."""
    if dataset not in OWN:
        return len(class_names_of(dataset, data_dir))
    if dataset == "csv":
        from zoo.datasets.your_own import class_names

        return len(class_names(data_dir))
    if dataset == "shards":
        from zoo.datasets.shards.reading import open_shards

        return len(open_shards(str(data_dir)).manifest["classes"])
    return len(importlib.import_module(f"zoo.datasets.{dataset}").CLASSES)


def targets(records: Sequence[Record], num_classes: int, multi_label: bool) -> list:
    """Every record's label as a training target: an index, or multi-hot."""
    found = []
    for record in records:
        labels = record.label if isinstance(record.label, tuple) else (record.label,)
        if not multi_label and len(labels) != 1:
            raise ValueError(
                "A video must have one label; set `multi_label` for several. "
                f"Received: label={record.label} of {record.name!r}"
            )
        outside = [label for label in labels if not 0 <= int(label) < num_classes]
        if outside:
            raise ValueError(
                f"Labels must be from 0 to {num_classes - 1}, below `num_classes`. "
                f"Received: {outside} of {record.name!r}"
            )
        if multi_label:
            hot = np.zeros(num_classes, "float32")
            hot[list(labels)] = 1.0
            found.append(hot)
        else:
            found.append(int(labels[0]))
    return found


def read_videos(
    records: Sequence[Record],
    cache: str | Path,
    size: tuple[int, int],
    *,
    num_classes: int,
    multi_label: bool = False,
    fps: float | None = None,
    least: int = 1,
) -> list[ActionVideo]:
    """Decode every video once into a memory map; too short ones are an error that names them."""
    if not records:
        raise ValueError("There must be at least one labelled video. Received: none")
    frames_of = FrameCache(cache, fps=fps)
    found = [
        ActionVideo(record, frames_of.get(record, size), target)
        for record, target in zip(records, targets(records, num_classes, multi_label))
    ]
    short = [f"{v.record.name} ({len(v.inputs)})" for v in found if len(v.inputs) < least]
    if short:
        raise ValueError(
            f"Every video must have {least} frames or more; lower `num_frames`. "
            f"Received: {len(short)} of {len(found)} shorter: {', '.join(short[:10])}"
        )
    return found


def with_features(
    videos: Sequence[ActionVideo], backbone: keras.Model, folder: str | Path, chunk: int = 16
) -> list[ActionVideo]:
    """The videos as a frozen backbone sees them, computed once and kept as float16.

    A backbone of frames is applied to each, one of videos to the whole.
    """
    of_videos = len(backbone.input_shape) == 5
    digest = hashlib.sha256()
    for weight in backbone.get_weights():
        digest.update(weight.tobytes())
    folder = Path(folder) / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for video in videos:
        stamp = f"{video.record.video} {video.record.start} {video.record.end} {len(video.inputs)}"
        path = folder / f"{hashlib.sha256(stamp.encode()).hexdigest()[:24]}.npy"
        if not path.is_file():
            if of_videos:
                parts = [backbone.predict_on_batch(video.inputs[None].astype("float32"))[0]]
            else:
                parts = [
                    backbone(video.inputs[at : at + chunk].astype("float32"), training=False)
                    for at in range(0, len(video.inputs), chunk)
                ]
            parts = [keras.ops.convert_to_numpy(part).astype("float16") for part in parts]

            def save(temporary, parts=parts):
                with open(temporary, "wb") as file:
                    np.save(file, np.concatenate(parts))

            write_atomically(path, save)
        found.append(dataclasses.replace(video, inputs=np.load(path, mmap_mode="r")))
    return found


def spread(length: int, count: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """`count` frames over a whole video, one from each equal part: its middle, or drawn."""
    edges = np.linspace(0, length, count + 1)
    share = 0.5 if rng is None else rng.random(count)
    return np.minimum((edges[:-1] + share * np.diff(edges)).astype(int), length - 1)


def block_starts(length: int, count: int, stride: int = 1) -> list[int]:
    """First frames of the blocks of `count` frames in a video."""
    return list(range(0, max(1, length - count + 1), stride))


@dataclasses.dataclass(frozen=True)
class Batches:
    """Training batches that are a function of (epoch, step) alone.

    Args:
        videos: What is drawn from, each once a round.
        num_frames: Frames in a sample.
        batch_size: Samples in a batch.
        sampling: "spread" takes frames over the whole video, "block" consecutive ones.
        rounds: Samples a video gives in an epoch.
        flips: Mirror half of the samples.
        seed: Of all draws.
    """

    videos: Sequence[ActionVideo]
    num_frames: int
    batch_size: int
    sampling: str = "spread"
    rounds: int = 1
    flips: bool = False
    seed: int = 0

    @property
    def steps(self) -> int:
        return max(1, len(self.videos) * self.rounds // self.batch_size)

    def __call__(self, epoch: int, start: int = 0) -> Iterator[tuple[np.ndarray, dict]]:
        rng = np.random.default_rng([self.seed, epoch])
        order = np.concatenate([rng.permutation(len(self.videos)) for _ in range(self.rounds)])
        for step in range(start, self.steps):
            rng = np.random.default_rng([self.seed, epoch, step])
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            samples = [self._sample(self.videos[index], rng) for index in chosen]
            labels = np.stack([np.asarray(self.videos[index].target) for index in chosen])
            yield np.stack(samples).astype("float32"), {"action": labels}

    def _sample(self, video: ActionVideo, rng: np.random.Generator) -> np.ndarray:
        length = len(video.inputs)
        if self.sampling == "spread":
            sample = video.inputs[spread(length, self.num_frames, rng)]
        else:
            first = int(rng.integers(length - self.num_frames + 1))
            sample = video.inputs[first : first + self.num_frames]
        if self.flips and rng.random() < 0.5:
            sample = sample[:, :, ::-1]
        return sample


def predict_videos(
    model: keras.Model,
    videos: Sequence[ActionVideo],
    num_frames: int,
    *,
    sampling: str,
    stride: int = 1,
    batch_size: int = 16,
) -> list[dict[str, np.ndarray]]:
    """Whole videos' outputs, "action" as (classes,).

    Of one spread sample, or of the video's blocks: their mean for "action", for "spatial_attention"
    the maps of all frames, each from the first block that holds it.
    """
    plan = [
        (index, frames)
        for index, video in enumerate(videos)
        for frames in sampled_frames(len(video.inputs), num_frames, sampling, stride)
    ]
    found: list[dict[str, np.ndarray]] = [{} for _ in videos]
    counts = np.bincount([index for index, _ in plan], minlength=len(videos))
    for at in range(0, len(plan), batch_size):
        chosen = plan[at : at + batch_size]
        given = np.stack([videos[index].inputs[frames] for index, frames in chosen])
        outputs = model.predict(given.astype("float32"), batch_size=batch_size, verbose=0)
        for row, (index, _) in enumerate(chosen):
            action = outputs["action"][row]
            action = action.reshape(-1, action.shape[-1]).mean(axis=0) / counts[index]
            if found[index]:
                found[index]["action"] = found[index]["action"] + action
                if "spatial_attention" in outputs:
                    held, maps = found[index]["spatial_attention"], outputs["spatial_attention"]
                    new = maps[row][len(held) - chosen[row][1].start :]
                    found[index]["spatial_attention"] = np.concatenate([held, new])
            else:
                found[index] = {name: value[row] for name, value in outputs.items()}
                found[index]["action"] = action
    return found


def sampled_frames(length: int, num_frames: int, sampling: str, stride: int = 1) -> list:
    """The frames of each sample that a whole video is tested on."""
    if sampling == "spread":
        return [spread(length, num_frames)]
    return [slice(at, at + num_frames) for at in block_starts(length, num_frames, stride)]
