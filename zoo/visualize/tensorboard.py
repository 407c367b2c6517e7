"""TensorBoard callback for any Keras backend: event files are written without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from zoo.layers import mixture_map
from zoo.visualize.overlay import overlay

LEAST_HEIGHT = 192  # minimum height of a picture, in pixels


@dataclasses.dataclass(frozen=True)
class Sample:
    """Fixed frames on which the predictions are drawn during training.

    Args:
        name: title above the picture.
        inputs: the model's inputs for one video, (1, T, ...).
        frames: the frames to draw on, (n, H, W, 3) uint8 RGB.
        steps: the index of the model's time step for each frame, n numbers.
        fixations: recorded gaze on those frames, (n, A, 2) in [0, 1], NaN-padded, or None.
    """

    name: str
    inputs: np.ndarray
    frames: np.ndarray
    steps: Sequence[int]
    fixations: np.ndarray | None = None


class TensorBoard(keras.callbacks.Callback):
    """Writes losses, metrics, learning rate, overlays and the configuration for TensorBoard.

    Values whose name starts with `val_` go to the run `validation`, all others to `train`, so
    that TensorBoard plots both in one chart. Works in `model.fit` and in the recipes.

    Args:
        log_dir: folder for the event files.
        samples: `Sample`s whose predicted saliency is drawn over their frames, see `image_epochs`.
        configuration: the run's options, shown under "Text".
        image_epochs: number of epochs between drawings of the samples.
        output: name of the model's mixture output.

    Example:

    ```python
    board = TensorBoard("logs", configuration={"units": 256})
    model.fit(dataset, epochs=10, callbacks=[board])
    ```
    """

    def __init__(
        self,
        log_dir: str | Path,
        *,
        samples: Sequence[Sample] = (),
        configuration: Mapping | None = None,
        image_epochs: int = 1,
        output: str = "mixture",
    ):
        super().__init__()
        if image_epochs < 1:
            raise ValueError(
                f"`image_epochs` must be at least 1. Received: image_epochs={image_epochs}"
            )
        self.log_dir = Path(log_dir)
        self.samples = tuple(samples)
        self.configuration = configuration
        self.image_epochs = image_epochs
        self.output = output
        self._writers: dict[str, EventFileWriter] = {}

    def on_train_begin(self, logs=None):
        if self.configuration is not None:
            self._write("train", 0, [_text("configuration", _table(self.configuration))])

    def on_epoch_end(self, epoch, logs=None):
        values = dict(logs or {})
        if "learning_rate" not in values and getattr(self.model, "optimizer", None) is not None:
            rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
            values["learning_rate"] = float(rate)
        for run in ("train", "validation"):
            chosen = {
                name.removeprefix("val_"): value
                for name, value in values.items()
                if name.startswith("val_") == (run == "validation")
            }
            if chosen:
                scalars = [
                    Summary.Value(tag=name, simple_value=float(value))
                    for name, value in sorted(chosen.items())
                ]
                self._write(run, epoch + 1, scalars)
        if self.samples and (epoch + 1) % self.image_epochs == 0:
            pictures = [_image(sample.name, self.draw(sample)) for sample in self.samples]
            self._write("validation", epoch + 1, pictures)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs=None):
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def draw(self, sample: Sample) -> np.ndarray:
        """The sample's frames in a row, with the predicted saliency and the gaze drawn on them."""
        predicted = self.model(sample.inputs, training=False)
        mixture = predicted[self.output] if isinstance(predicted, dict) else predicted
        # Enlarge small frames, so that the gaze dots do not cover what they mark.
        factor = max(1, round(LEAST_HEIGHT / sample.frames.shape[1]))
        height, width = (factor * side for side in sample.frames.shape[1:3])
        maps = keras.ops.convert_to_numpy(
            mixture_map(mixture[0, :], height, width)  # (T, height, width)
        )
        gaze = sample.fixations if sample.fixations is not None else [None] * len(sample.frames)
        row = [
            overlay(cv2.resize(frame, (width, height)), maps[step], fixations=points)
            for frame, step, points in zip(sample.frames, sample.steps, gaze)
        ]
        return np.concatenate(row, axis=1)

    def _write(self, run: str, step: int, values: list[Summary.Value]) -> None:
        if run not in self._writers:
            self._writers[run] = EventFileWriter(str(self.log_dir / run))
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self._writers[run].add_event(event)


def _image(tag: str, picture: np.ndarray) -> Summary.Value:
    done, png = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise ValueError(f"A picture must be encodable as PNG. Received: shape={picture.shape}")
    height, width = picture.shape[:2]
    image = Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=png.tobytes()
    )
    return Summary.Value(tag=tag, image=image)


def _text(tag: str, markdown: str) -> Summary.Value:
    plugin = SummaryMetadata.PluginData(
        plugin_name="text", content=TextPluginData(version=0).SerializeToString()
    )
    tensor = TensorProto(
        dtype="DT_STRING",
        string_val=[markdown.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=tensor)


def _table(configuration: Mapping) -> str:
    rows = [
        f"| {name} | {json.dumps(value, default=str)} |" for name, value in configuration.items()
    ]
    return "\n".join(["| option | value |", "|---|---|", *rows])
