"""Time and memory of the attention-driven ConvLSTM beside keras.layers.ConvLSTM2D.

    python benchmarks/conv_lstm.py
    python benchmarks/conv_lstm.py --layer ours --steps 10 --channels 256 --filters 64

Each layer runs in a process of its own, so that the peak memory is its own; ours carries the
temporal attention over all frames at every step, the stock layer has none. The stock layer needs
12 GB at the default size. Prints the seconds of a training step (forward, backward, best of the
repeats after the first; also of the processor, which other programs disturb less), the peak memory
of the process, and the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path


def measure(arguments) -> dict:
    import keras
    import numpy as np
    import tensorflow as tf

    from zoo.layers import AttentionConvLSTM

    if arguments.precision != "float32":
        keras.config.set_dtype_policy(arguments.precision)
    shape = (arguments.batch, arguments.steps, arguments.size, arguments.size, arguments.channels)
    started = peak()
    frames = tf.constant(np.random.default_rng(0).normal(size=shape), "float32")
    if arguments.layer == "ours":
        layer = AttentionConvLSTM(arguments.filters, steps=arguments.steps)
    else:
        layer = keras.layers.ConvLSTM2D(arguments.filters, 3, padding="same", return_sequences=True)
    layer.build(shape)

    @tf.function
    def forward(frames):
        states = layer(frames, training=True)
        states = states[0] if isinstance(states, (tuple, list)) else states
        return tf.reduce_mean(tf.square(tf.cast(states, "float32")))

    @tf.function
    def step(frames):
        with tf.GradientTape() as tape:
            loss = forward(frames)
        return tape.gradient(loss, layer.trainable_weights)

    def best(function):
        times = []
        for _ in range(arguments.repeats + 1):
            began, used = time.perf_counter(), time.process_time()
            result = function(frames)
            tf.nest.map_structure(lambda t: t.numpy() if t is not None else None, result)
            times.append((time.perf_counter() - began, time.process_time() - used))
        return [min(column) for column in zip(*times[1:])]

    result = dict(zip(("forward_s", "forward_cpu_s"), best(forward)))
    result.update(zip(("step_s", "step_cpu_s"), best(step)))
    return {**result, "peak_gb": peak(), "before_gb": started}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layer", choices=["ours", "stock"], help="measure one, print JSON")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--size", type=int, default=7)
    parser.add_argument("--channels", type=int, default=2048)
    parser.add_argument("--filters", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--precision", default="float32")
    arguments = parser.parse_args()
    if arguments.layer:
        print(json.dumps(measure(arguments)))
        return
    results = {}
    root = str(Path(__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for layer in ("ours", "stock"):
        command = [sys.executable, *sys.argv, "--layer", layer]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True, text=True
        )
        results[layer] = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"{layer:6}", "  ".join(f"{k} {v:.2f}" for k, v in results[layer].items()))
    for name in ("forward_s", "step_s", "step_cpu_s", "peak_gb"):
        print(f"ours / stock, {name}: {results['ours'][name] / results['stock'][name]:.3f}")


if __name__ == "__main__":
    main()
