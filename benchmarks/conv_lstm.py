"""Time and memory of the attention-driven ConvLSTM, compared with keras.layers.ConvLSTM2D.

    python benchmarks/conv_lstm.py
    python benchmarks/conv_lstm.py --layer ours --steps 10 --channels 256 --filters 64

Each layer runs in its own process, so that its peak memory can be measured. Our layer computes the
temporal attention over all frames at every step; the Keras layer has no attention, and needs 11 GB
at the default size. Prints the seconds of a training step (forward and backward, best of the
repeats after the first; also in processor time, which other programs disturb less), the peak memory
of the process, and the ratios, and writes them to `conv_lstm.json` and `conv_lstm.md` in RESULTS.
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

from results_page import RESULTS, as_text, machine, write_results

MEASURED = ("forward_s", "forward_cpu_s", "step_s", "step_cpu_s", "peak_gb")


def measure(arguments) -> dict:
    from zoo.layers import AttentionConvLSTM

    import keras
    import numpy as np
    import tensorflow as tf

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
            # Only one number of each result is fetched, and none is kept, so the peak is that of
            # the step.
            for value in tf.nest.flatten(function(frames)):
                tf.reshape(value, [-1])[0].numpy()
            del value
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
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.layer:
        print(json.dumps(measure(arguments)))
        return
    results = {}
    root = str(Path(__file__).resolve().parent.parent)
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for layer in ("ours", "stock"):
        command = [sys.executable, *sys.argv, "--layer", layer]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True, text=True
        )
        results[layer] = json.loads(done.stdout.strip().splitlines()[-1])
        print(layer, results[layer], flush=True)
    ratios = {name: results["ours"][name] / results["stock"][name] for name in MEASURED}
    setting = {k: v for k, v in vars(arguments).items() if k not in ("layer", "results")}
    about = machine("keras", "tensorflow")
    lines = [
        "# ConvLSTM with temporal attention beside keras.layers.ConvLSTM2D\n",
        f"`python {' '.join(['benchmarks/conv_lstm.py', *sys.argv[1:]])}`\n",
        as_text(setting) + "\n",
        "| | ours | stock | ours / stock |",
        "|---|---|---|---|",
    ]
    for name in MEASURED:
        ours, stock = (results[layer][name] for layer in ("ours", "stock"))
        lines.append(f"| {name} | {ours:.2f} | {stock:.2f} | {ratios[name]:.3f} |")
    lines.append("\n" + as_text(about))
    print("\n".join(lines))
    content = {"about": about, "setting": setting, "results": results, "ours/stock": ratios}
    write_results("conv_lstm", content, "\n".join(lines), arguments.results)


if __name__ == "__main__":
    main()
