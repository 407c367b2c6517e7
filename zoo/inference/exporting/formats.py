"""Export formats: how each is written, and how an exported model is run."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.inference.exporting.lowering import plain_operations, unrolled_scans

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Format:
    """How to write and run one export format.

    Args:
        ending: File extension; "" for a folder.
        packages: Packages required in addition to the zoo's own dependencies.
        fixed: Whether the batch size and the number of frames must be fixed at export.
        write: Takes the model, the path and the signature of the inputs.
        run: Takes the path and the inputs by name; returns the outputs by name.
    """

    ending: str
    packages: tuple[str, ...]
    fixed: bool
    write: Callable[[keras.Model, Path, Any], None]
    run: Callable[[Path, Arrays], Arrays]


def missing_packages(format: Format) -> list[str]:
    """The packages of a format that are not installed."""
    return [name for name in format.packages if importlib.util.find_spec(name) is None]


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Silence the converters and collect the errors that they log."""
    said: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage().strip())

    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl")]
    handler = Collect(logging.ERROR)
    kept = [(logger, logger.propagate, logger.handlers) for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.propagate, logger.handlers = False, [handler]
            yield said
        finally:
            for logger, propagate, handlers in kept:
                logger.propagate, logger.handlers = propagate, handlers


def _write_keras(model, path, signature):
    model.save(path)


def _run_keras(path, inputs):
    model = keras.saving.load_model(path, compile=False)
    outputs = call(model, inputs)
    return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}


def call(model: keras.Model, inputs: dict[str, Any]) -> dict[str, Any]:
    """A model's outputs by name, from its inputs by name."""
    if isinstance(model.input, dict):
        given = inputs
    else:
        given = [inputs[tensor.name] for tensor in model.inputs]
        given = given if isinstance(model.input, (list, tuple)) else given[0]
    outputs = model(given, training=False)
    return outputs if isinstance(outputs, dict) else {"output": outputs}


def _write_saved_model(model, path, signature):
    model.export(path, format="tf_saved_model", input_signature=signature, verbose=False)


def _run_saved_model(path, inputs):
    import tensorflow as tf

    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    named = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in served(**named).items()}


def _write_onnx(model, path, signature):
    with unrolled_scans():
        model.export(path, format="onnx", input_signature=signature, verbose=False)


def _run_onnx(path, inputs):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs)))


def _write_openvino(model, path, signature):
    with unrolled_scans():
        model.export(str(path), format="openvino", input_signature=signature, verbose=False)


def _run_openvino(path, inputs):
    import openvino

    # Otherwise processors with bfloat16 support compute in bfloat16.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", exact)
    results = compiled(inputs)
    return {_plain(output.names): np.array(results[output]) for output in compiled.outputs}


def _plain(names: set[str]) -> str:
    """The model's own name for an output; its other names are paths in the converted graph."""
    return min(names, key=lambda name: ("/" in name or ":" in name, name))


def _write_litert(model, path, signature):
    import tensorflow as tf

    # Not `model.export`, because Keras would also trace the model with free dimensions.
    @tf.function
    def serve(**inputs):
        return call(model, inputs)

    specs = {
        spec.name: tf.TensorSpec(spec.shape, spec.dtype, spec.name)
        for spec in keras.tree.flatten(signature)
    }
    variables = tf.Module()
    variables.kept = [variable.value for variable in model.variables]
    with plain_operations(model), tempfile.TemporaryDirectory() as folder:
        traced = serve.get_concrete_function(**specs)
        tf.saved_model.save(variables, folder, signatures={"serving_default": traced})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        # Only LiteRT's own operations, so that programs can run the file without TensorFlow.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = True
        path.write_bytes(converter.convert())


def _run_litert(path, inputs):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=str(path)).get_signature_runner()
    return {name: np.array(value) for name, value in run(**inputs).items()}


FORMATS = {
    "keras": Format(".keras", (), False, _write_keras, _run_keras),
    "savedmodel": Format("", ("tensorflow",), False, _write_saved_model, _run_saved_model),
    "onnx": Format(".onnx", ("tf2onnx", "onnx", "onnxruntime"), False, _write_onnx, _run_onnx),
    "litert": Format(".tflite", ("tensorflow", "ai_edge_litert"), True, _write_litert, _run_litert),
    "openvino": Format(".xml", ("openvino",), False, _write_openvino, _run_openvino),
}
