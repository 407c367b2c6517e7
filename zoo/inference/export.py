"""Export a trained model to another format and compare its outputs with the original model."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from zoo.files.interface import advised
from zoo.inference.exporting.formats import FORMATS, Arrays, call, missing_packages, quiet
from zoo.models.loading import load

# Range of the random values of each input in the comparison.
_RANGES = {"rgb": (0.0, 255.0), "flow": (-20.0, 20.0), "features": (0.0, 1.0)}
_FREE_BATCH, _FREE_FRAMES, _FREE_SIDE = (1, 2), (20, 23), 64


@dataclass(frozen=True)
class Exported:
    """An exported model whose outputs were compared with the original model.

    Args:
        path: The exported file or folder.
        format: One of `FORMATS`.
        inputs: Shape of each input; None marks a free dimension.
        differences: Largest difference of each output from the Keras model, relative to the
            output's largest absolute value.
    """

    path: Path
    format: str
    inputs: dict[str, tuple[int | None, ...]]
    differences: dict[str, float]


class ExportError(ValueError):
    """The model cannot be exported to the format; the message gives the reason."""


def export(
    model: keras.Model | str | os.PathLike,
    path: str | os.PathLike,
    *,
    format: str = "keras",
    frames: int | None = None,
    batch: int | None = None,
    size: tuple[int, int] | None = None,
    tolerance: float = 1e-4,
    overwrite: bool = False,
) -> Exported:
    """Export a model to another format, run the result, and compare it with the model.

    If the exported model does not run or its outputs differ, no files are left behind.

    Args:
        model: A model, or the path of a `.keras` file.
        path: The file to write; the format's file extension is appended if missing.
        format: "keras"; "savedmodel" for TensorFlow; "onnx"; "litert"; or "openvino".
        frames: Fixed number of frames per video, for models that accept any number. LiteRT
            requires one, and so does ONNX for some models.
        batch: Fixed batch size; None allows any batch size (for LiteRT, which requires a fixed
            one, None means 1).
        size: Fixed (height, width) of the frames, for models that accept any; every format except
            "keras" requires it then.
        tolerance: Largest accepted difference of an output, relative to its largest absolute
            value.
        overwrite: Replace an existing file or folder at `path`.

    Returns:
        An `Exported` with the measured differences.

    Raises:
        ExportError: The format does not support the model, or its outputs differ.

    Example:

    ```python
    zoo.export("runs/rmdn/best.keras", "rmdn.onnx", format="onnx")
    ```
    """
    if format not in FORMATS:
        raise ValueError(f"`format` must be one of {tuple(FORMATS)}. Received: {format!r}")
    for name, value in (("frames", frames), ("batch", batch)):
        if value is not None and value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
    if size is not None and min(size) < 1:
        raise ValueError(f"`size` must be positive integers. Received: size={tuple(size)}")
    form = FORMATS[format]
    path = Path(path)
    if form.ending and path.suffix != form.ending:
        path = path.with_name(path.name + form.ending)
    if path.exists() and not overwrite:
        raise FileExistsError(f"`path` must not exist, or pass overwrite=True. Received: {path}")
    if not isinstance(model, keras.Model):
        model = load(model)
    _check_possible(model, format)
    shapes = _shapes(model, frames, batch or (1 if form.fixed else None), size, format)
    inputs = [_random_inputs(model, shapes, sample) for sample in (0, 1)]
    if all(None not in shape for shape in shapes.values()):
        inputs = inputs[:1]
    expected = [_outputs(model, given) for given in inputs]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        written = Path(folder) / path.name
        said = _write(_of_sizes(model, shapes), written, format, shapes)
        found = [_run(written, format, given, shapes, said) for given in inputs]
        differences = _compare(expected, found, format, tolerance)
        if overwrite and path.is_dir():
            shutil.rmtree(path)
        for part in sorted(Path(folder).iterdir()):
            os.replace(part, path.parent / part.name)
    return Exported(path, format, shapes, differences)


def _check_possible(model: keras.Model, format: str) -> None:
    missing = missing_packages(FORMATS[format])
    if missing:
        raise ExportError(
            f"The format {format} needs {', '.join(missing)}: "
            "pip install 'video-attention-zoo[export]'."
        )
    if format == "keras":
        return
    if keras.config.backend() != "tensorflow":
        raise ExportError(
            f"The format {format} is written with the TensorFlow backend; a .keras file of any "
            "backend can be loaded in it (KERAS_BACKEND=tensorflow). "
            f"Received: backend={keras.config.backend()}"
        )
    policies = {
        layer.dtype_policy.name
        for layer in model._flatten_layers()
        if layer.compute_dtype not in (None, "float32") and layer.weights
    }
    if policies:
        raise ExportError(
            f"The format {format} needs a model that computes in float32: "
            "zoo.inference.streaming.adapt.adapt(model, precision='float32') converts it. "
            f"Received: {', '.join(sorted(policies))}"
        )


def _shapes(model, frames, batch, size, format) -> dict[str, tuple[int | None, ...]]:
    shapes = {}
    for tensor in model.inputs:
        _, time, *rest = tensor.shape
        own = tuple(rest[:2])
        if size is not None and len(rest) == 3:
            if None not in own and own != tuple(size):
                raise ExportError(
                    f"The model's frame size is {own}, so `size` must be left out. "
                    f"Received: size={tuple(size)}"
                )
            rest[:2] = size
        if None in rest and format != "keras":
            raise ExportError(
                "A model that accepts frames of any size needs a fixed one: set "
                f"{advised('`size`', '--size HEIGHT WIDTH')}. Received: input {tensor.name!r} of "
                f"shape {tuple(tensor.shape)}"
            )
        if frames is not None and time not in (None, frames):
            raise ExportError(
                f"The model's number of frames is {time}, so `frames` must be left out. "
                f"Received: frames={frames}"
            )
        shapes[tensor.name] = (batch, time or frames, *rest)
    free = {name: shape for name, shape in shapes.items() if None in shape}
    if FORMATS[format].fixed and free:
        raise ExportError(
            f"The format {format} needs fixed sizes: set the number of frames with `frames`. "
            f"Received: inputs {free}"
        )
    return shapes


def _of_sizes(model: keras.Model, shapes) -> keras.Model:
    """The model, or a copy with these input shapes, since exporters also trace the inputs."""
    if all(tuple(tensor.shape) == shapes[tensor.name] for tensor in model.inputs):
        return model
    config = model.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "InputLayer":
            layer["config"]["batch_shape"] = shapes[layer["config"]["name"]]
    copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    return copy


def _random_inputs(model, shapes, sample) -> Arrays:
    random, inputs = np.random.default_rng(sample), {}
    for tensor in model.inputs:
        batch, time, *rest = shapes[tensor.name]
        rest = [side or _FREE_SIDE for side in rest]
        shape = (batch or _FREE_BATCH[sample], time or _FREE_FRAMES[sample], *rest)
        values = random.uniform(*_RANGES.get(tensor.name, (0.0, 1.0)), shape)
        if tensor.name == "present":
            values = np.ones(shape)
        inputs[tensor.name] = values.astype(tensor.dtype)
    return inputs


def _outputs(model, inputs) -> Arrays:
    return {name: keras.ops.convert_to_numpy(value) for name, value in call(model, inputs).items()}


def _write(model, path, format, shapes) -> list[str]:
    """Write the model and return the errors that the converter logged.

    Some converters only log an error and still write a file, which then does not run.
    """

    def spec(tensor):
        return keras.InputSpec(shape=shapes[tensor.name], dtype=tensor.dtype, name=tensor.name)

    signature = [keras.tree.map_structure(spec, model.input)]
    with quiet() as said:
        try:
            FORMATS[format].write(model, path, signature)
        except Exception as error:
            raise ExportError(_reason(format, "be written", shapes, said, error)) from error
    return said


def _run(path, format, inputs, shapes, said) -> Arrays:
    with quiet():
        try:
            return FORMATS[format].run(path, inputs)
        except Exception as error:
            raise ExportError(_reason(format, "run", shapes, said, error)) from error


def _reason(format, what, shapes, said, error) -> str:
    words = " ".join(" ".join([*said[:1], f"{type(error).__name__}: {error}"]).split())[:600]
    advice = ""
    if any(shape[1] is None for shape in shapes.values()):
        advice = " The usual cause is a variable number of frames; set it with `frames`."
    return f"The model cannot {what} as {format}.{advice} Received: {words}"


def _compare(expected, found, format, tolerance) -> dict[str, float]:
    differences: dict[str, float] = {}
    for want, have in zip(expected, found):
        if len(want) == len(have) == 1:  # a single output may have lost its name
            have = dict(zip(want, have.values()))
        if set(want) != set(have):
            raise ExportError(
                f"The exported outputs must be {sorted(want)}. Received: {sorted(have)}"
            )
        for name, value in want.items():
            if have[name].shape != value.shape:
                raise ExportError(
                    f"The exported output {name} must have the shape {value.shape}. "
                    f"Received: {have[name].shape}"
                )
            scale = float(np.abs(value).max()) or 1.0
            difference = float(np.abs(have[name] - value).max()) / scale
            differences[name] = float(np.maximum(differences.get(name, 0.0), difference))
    wrong = {name: f"{d:.2g}" for name, d in differences.items() if not d <= tolerance}  # or NaN
    if wrong:
        raise ExportError(
            f"The exported outputs must differ from the model's by at most {tolerance:g}. "
            f"Received: as {format}, differences of {wrong}"
        )
    return differences
