"""What TensorBoard shows during training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np

from zoo.datasets import Samples
from zoo.datasets.video.reading import open_record
from zoo.training.options import RunOptions
from zoo.visualize.tensorboard import Sample, TensorBoard


def boards(
    config: RunOptions,
    folder: Path,
    held: Samples | None = None,
    kind: type[TensorBoard] = TensorBoard,
    *,
    shown: int | None = 4,
    **options,
) -> list[TensorBoard]:
    """The run's callback for TensorBoard, in a list; none if the option `tensorboard` is off.

    It draws the predictions for frames of `held`, see `board_samples`; without it, no pictures.
    """
    if not config.tensorboard:
        return []
    if held is not None:
        options["samples"] = board_samples(held, config.image_size, shown=shown)
    return [kind(folder, configuration=dataclasses.asdict(config), **options)]


def board_samples(
    samples: Samples, size: tuple[int, int], *, videos: int = 3, shown: int | None = 4
) -> list[Sample]:
    """Choose frames from one window of each of the first videos, with the model's inputs.

    Args:
        samples: validation samples.
        size: height and width of the pictures, in pixels.
        videos: number of videos.
        shown: frames per video, evenly spread over the window; None for all.
    """
    found = []
    for number, place in enumerate(samples.places):
        if place.video != len(found) or not len(place.scored):
            continue
        inputs = keras.tree.map_structure(lambda part: part[None], samples.in_order(number)[0])
        count = len(place.scored)
        chosen = np.linspace(0, count - 1, count if shown is None else shown).astype(int)
        steps = place.scored[chosen]
        record = samples.records[place.video]
        video = open_record(record)
        found.append(
            Sample(
                name=record.name,
                inputs=inputs if len(inputs) > 1 else next(iter(inputs.values())),
                frames=video.read(samples.frames(place.video, steps), size),
                steps=chosen,
                fixations=samples.truth(place.video)[steps],
            )
        )
        if len(found) == videos:
            break
    return found
