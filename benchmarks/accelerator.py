"""Speed of forward and training steps on an accelerator, relative to its matrix rate.

    KERAS_BACKEND=jax python benchmarks/accelerator.py [--output benchmarks/results]
    KERAS_BACKEND=tensorflow python benchmarks/accelerator.py
    KERAS_BACKEND=torch python benchmarks/accelerator.py --tiny     # a trial on a CPU

Measures the device's rate of bfloat16 matrix products, and then, in bfloat16: forward and training
steps of C3D, I3D and a ConvLSTM head (multiplications are counted from the layers), the frames per
second of a dense RMDN on whole videos, and the largest training batch of C3D that fits into memory.
Writes accelerator_BACKEND.json and .md.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import zoo
from results_page import RESULTS, machine, write_results
from zoo.backbones.c3d import c3d
from zoo.backbones.i3d import i3d
from zoo.inference.streaming.stream import Stream
from zoo.layers import AttentionConvLSTM

import keras
import numpy as np
from keras import ops


def wait(values) -> None:
    """Wait until the device has computed the outputs, by fetching a single number."""
    leaf = keras.tree.flatten(values)[0]
    float(np.asarray(ops.convert_to_numpy(ops.cast(ops.ravel(leaf)[0], "float32"))))


def seconds(function, times: int) -> float:
    """Seconds per call, after two calls that compile."""
    for _ in range(2):
        wait(function())
    start = time.perf_counter()
    for _ in range(times):
        found = function()
    wait(found)
    return (time.perf_counter() - start) / times


def matrix_rate(side: int, times: int) -> float:
    """Floating-point operations per second of a bfloat16 matrix product."""
    a = ops.cast(keras.random.normal((side, side)), "bfloat16")
    return 2 * side**3 / seconds(lambda: ops.matmul(a, a), times)


def multiplications(model: keras.Model, inputs) -> float:
    """Multiply-adds of the convolutions and dense layers in one call."""
    total = 0

    def count(layer, original):
        def counted(x, *args, **kwargs):
            nonlocal total
            out = original(x, *args, **kwargs)
            kernel = layer.kernel
            total += math.prod(out.shape) * math.prod(kernel.shape[:-1])
            return out

        return counted

    kept = []
    for layer in model._flatten_layers():
        if isinstance(layer, (keras.layers.Conv3D, keras.layers.Conv2D, keras.layers.Dense)):
            kept.append((layer, layer.call))
            layer.call = count(layer, layer.call)
    try:
        model(inputs, training=False)
    finally:
        for layer, original in kept:
            layer.call = original
    return float(total)


def conv_lstm_head(tiny: bool) -> tuple[keras.Model, tuple]:
    """The recurrence of the spatiotemporal model, with its attention, on ResNet-50's features."""
    shape = (8, 5, 5, 16) if tiny else (50, 7, 7, 2048)
    filters = 8 if tiny else 512
    inputs = keras.Input(shape)
    layer = AttentionConvLSTM(filters, units=filters)
    states, _ = layer(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling3D()(states)), shape


def recurrence_multiplications(shape, filters: int) -> float:
    """Multiply-adds per sample: frames are convolved once, the state once per step."""
    steps, height, width, channels = shape
    return steps * height * width * 9 * (channels + filters) * 4 * filters


def networks(tiny: bool) -> dict:
    """Name -> (model, shape of a sample, samples in a batch)."""
    if tiny:
        return {
            "C3D": (c3d(image_size=32, width=1 / 32), (16, 32, 32, 3), 2),
            "I3D": (i3d(image_size=32, width=1 / 32), (16, 32, 32, 3), 2),
            "ConvLSTM head": (*conv_lstm_head(True), 2),
        }
    return {
        "C3D": (c3d(), (16, 112, 112, 3), 64),
        "I3D": (i3d(), (64, 224, 224, 3), 16),
        "ConvLSTM head": (*conv_lstm_head(False), 32),
    }


def steps(name, model, shape, batch, rate, times) -> dict:
    """Measure the forward and the training step of one network."""
    pooled = model.output
    if len(pooled.shape) > 2:
        pooled = keras.layers.GlobalAveragePooling3D()(pooled)
    training = keras.Model(model.input, keras.layers.Dense(10, dtype="float32")(pooled))
    jit = keras.config.backend() == "jax"
    training.compile("sgd", keras.losses.MeanSquaredError(), jit_compile=jit)
    rng = np.random.default_rng(0)
    x = ops.convert_to_tensor(rng.uniform(0, 255, (batch, *shape)).astype("float32"))
    y = ops.convert_to_tensor(np.zeros((batch, 10), "float32"))
    if name == "ConvLSTM head":
        macs = recurrence_multiplications(shape, model.output_shape[-1]) * batch
    else:
        macs = multiplications(model, x[:1]) * batch
    forward = seconds(lambda: training.predict_on_batch(x), times)
    step = seconds(lambda: training.train_on_batch(x, y), times)
    return {
        "batch": batch,
        "gmac_a_sample": macs / batch / 1e9,
        "forward_s": forward,
        "forward_share_of_matrix_rate": 2 * macs / forward / rate,
        "training_step_s": step,
        # A backward pass costs two forward ones.
        "training_share_of_matrix_rate": 6 * macs / step / rate,
    }


def largest_batch(make, shape, first: int, most: int) -> int:
    """The largest batch, `first` times a power of two, for which a training step fits."""
    fits = 0
    batch = first
    while batch <= most:
        keras.utils.clear_session()
        model = make()
        out = keras.layers.GlobalAveragePooling3D()(model.output)
        model = keras.Model(model.input, out)
        model.compile("sgd", "mse", jit_compile=keras.config.backend() == "jax")
        x = np.zeros((batch, *shape), "float32")
        try:
            model.train_on_batch(x, np.zeros((batch, model.output_shape[-1]), "float32"))
        except Exception as error:  # every backend raises a different error when memory is full
            text = str(error).lower()
            if "memory" not in text and "resource_exhausted" not in text:
                raise
            break
        fits, batch = batch, batch * 2
    return fits


def whole_video(tiny: bool) -> float:
    """Frames per second of a dense RMDN that processes a video in chunks, in bfloat16."""
    size, step = (32, 16) if tiny else (112, 128)
    model = zoo.rmdn(dense=True, image_size=size, width=1 / 32 if tiny else 1.0)
    stream = Stream(model, precision="bfloat16", step=step)
    frames = np.random.default_rng(0).integers(0, 255, (step, size, size, 3), dtype=np.uint8)
    for _ in range(3 + 2 * (stream.delay // step + 1)):
        stream.push(frames)
    start = time.perf_counter()
    for _ in range(4):
        stream.push(frames)
    return 4 * step / (time.perf_counter() - start)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="small networks, to try the script")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    keras.config.set_dtype_policy("mixed_bfloat16")
    times = 2 if options.tiny else 10
    rate = matrix_rate(256 if options.tiny else 8192, times)
    results: dict = {
        "backend": keras.config.backend(),
        **machine("keras"),
        "device": device(),
        "tiny": options.tiny,
        "matrix_tflops_bfloat16": rate / 1e12,
        "networks": {},
    }
    for name, (model, shape, batch) in networks(options.tiny).items():
        results["networks"][name] = steps(name, model, shape, batch, rate, times)
        print(name, results["networks"][name], flush=True)
    keras.config.set_dtype_policy("float32")
    results["rmdn_dense_frames_a_second"] = whole_video(options.tiny)
    keras.config.set_dtype_policy("mixed_bfloat16")
    if options.tiny:
        limits = (lambda: c3d(image_size=32, width=1 / 32), (16, 32, 32, 3), 1, 2)
    else:
        limits = (c3d, (16, 112, 112, 3), 32, 4096)
    results["largest_batch_c3d_training"] = largest_batch(*limits)
    text = page(results)
    write_results(f"accelerator_{results['backend']}", results, text, options.output)
    print(text)


def device() -> str:
    """Name of the device that the backend uses."""
    if keras.config.backend() == "torch":
        import torch

        return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    if keras.config.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    if not found:
        return "cpu"
    return tf.config.experimental.get_device_details(found[0]).get("device_name", found[0].name)


def page(results: dict) -> str:
    """The tables."""
    lines = [
        f"# On {results['device']}, Keras {results['keras']} on {results['backend']}",
        "",
        f"Matrix products in bfloat16: {results['matrix_tflops_bfloat16']:.3g} TFLOP/s.",
        "",
        "| network | batch | GMAC a sample | forward, ms | share | training step, ms | share |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {r['batch']} | {r['gmac_a_sample']:.3g} | {1000 * r['forward_s']:.1f} "
        f"| {r['forward_share_of_matrix_rate']:.1%} | {1000 * r['training_step_s']:.1f} "
        f"| {r['training_share_of_matrix_rate']:.1%} |"
        for name, r in results["networks"].items()
    ]
    lines += [
        "",
        f"Whole-video dense RMDN: {results['rmdn_dense_frames_a_second']:.1f} frames a second.",
        f"Largest batch of a C3D training step tried that fits: "
        f"{results['largest_batch_c3d_training']}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
