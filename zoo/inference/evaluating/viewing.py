"""A viewer page of an evaluated video: a model's maps, and where the viewers looked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.record import Record
from zoo.datasets.video.reading import Video
from zoo.visualize.viewer import Viewer


def viewed(
    maps: Iterator[tuple[np.ndarray, np.ndarray]],
    folder: Path,
    record: Record,
    video: Video,
    fixations: Fixations,
    model: str,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (frames, maps) unchanged while writing them to a viewer page in `folder`."""
    times = video.source_times
    with Viewer(
        folder,
        record.video,
        times[video.source_indices],
        video.height,
        video.width,
        title=record.name,
        about=model,
        origin=times[0],
    ) as viewer:
        for frames, part in maps:
            for frame, saliency in zip(frames, part):
                viewer.add(int(frame), saliency)
            yield frames, part
        gaze = [
            fixations.in_frames(frame, frame + 1).padded()[0] for frame in range(video.num_frames)
        ]
        viewer.finish(gaze=[points[np.isfinite(points).all(-1)] for points in gaze])
