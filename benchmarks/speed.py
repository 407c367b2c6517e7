"""Frames per second and peak memory of every model, on one page.

    python benchmarks/speed.py [--only NAME ...] [--output benchmarks/results] [--list]

Each row is measured in its own process, after a first run that builds the graphs. Rows that were
measured earlier are kept, so the page can be made in several runs. "file" rows run `zoo.predict` on
a 640x360 file and write the maps; the others run only the model on frames in memory. "torch" rows
are the same network written in plain PyTorch, if it is installed (or with --torch-python PATH, the
interpreter of another environment). Writes speed.json, speed.md and speed.png.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_page import RESULTS, machine, write_results

PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python", "torch")
SMALL = {"width": 0.05, "units": 16, "num_components": 3, "dense": True, "image_size": 32}
# name: (what runs, its arguments, frames)
ROWS: dict[str, tuple] = {
    "rmdn clip float32, file": ("file", {}, None, 47),
    "rmdn clip bfloat16, file": ("file", {}, "bfloat16", 47),
    "rmdn dense float32, file": ("file", {"dense": True}, None, 160),
    "rmdn dense bfloat16, file": ("file", {"dense": True}, "bfloat16", 160),
    "rmdn dense float32": ("rmdn", {"dense": True}, None, 224),
    "rmdn dense bfloat16": ("rmdn", {"dense": True}, "bfloat16", 224),
    "rmdn dense local float32, file": ("file", {"dense": True, "local": True}, None, 160),
    "rmdn dense local bfloat16, file": ("file", {"dense": True, "local": True}, "bfloat16", 160),
    "rmdn dense causal float32, frame by frame": (
        "live",
        {"dense": True, "causal": True},
        None,
        40,
    ),
    "rmdn dense causal bfloat16, frame by frame": (
        "live",
        {"dense": True, "causal": True},
        "bfloat16",
        40,
    ),
    "lsts clip float32": ("lsts clip", {}, None, 2),
    "lsts dense float32": ("lsts", {"dense": True}, None, 48),
    "lsts clip bfloat16": ("lsts clip", {}, "bfloat16", 2),
    "lsts dense bfloat16": ("lsts", {"dense": True}, "bfloat16", 48),
    "joint clip float32": ("joint", {}, None, 23),
    "joint clip bfloat16": ("joint", {}, "bfloat16", 23),
    "joint dense float32": ("joint", {"dense": True}, None, 64),
    "joint dense bfloat16": ("joint", {"dense": True}, "bfloat16", 64),
    "soft_attention float32": ("soft_attention", {}, None, 30),
    "soft_attention bfloat16": ("soft_attention", {}, "bfloat16", 30),
    "spatiotemporal_attention float32": ("spatiotemporal_attention", {}, None, 50),
    "spatiotemporal_attention bfloat16": ("spatiotemporal_attention", {}, "bfloat16", 50),
    "small rmdn dense, 300 frames, file": ("long", SMALL, None, 300),
    "small rmdn dense, 1000 frames, file": ("long", SMALL, None, 1000),
    "small rmdn dense, 10000 frames, file": ("long", SMALL, None, 10000),
    "small rmdn dense, 30000 frames, file": ("long", SMALL, None, 30000),
    "small rmdn dense, 100000 frames, file": ("long", SMALL, None, 100000),
    "LSTM 8x50x8192 to 256, training step, Keras": ("lstm", {"kind": "keras"}, None, 400),
    "LSTM 8x50x8192 to 256, training step, projected": ("lstm", {"kind": "projected"}, None, 400),
    "torch C3D dense float32": ("torch video", {"name": "c3d", "dense": True}, None, 64),
    "torch C3D dense bfloat16": ("torch video", {"name": "c3d", "dense": True}, "bfloat16", 64),
    "torch C3D clip float32": ("torch video", {"name": "c3d", "dense": False}, None, 16),
    "torch C3D clip bfloat16": ("torch video", {"name": "c3d", "dense": False}, "bfloat16", 16),
    "torch I3D dense float32": ("torch video", {"name": "i3d", "dense": True}, None, 48),
    "torch I3D dense bfloat16": ("torch video", {"name": "i3d", "dense": True}, "bfloat16", 48),
    "torch I3D clip float32": ("torch video", {"name": "i3d", "dense": False}, None, 79),
    "torch I3D clip bfloat16": ("torch video", {"name": "i3d", "dense": False}, "bfloat16", 79),
    "torch ResNet-50 float32": ("torch frames", {}, None, 50),
    "torch ResNet-50 bfloat16": ("torch frames", {}, "bfloat16", 50),
    "torch LSTM 8x50x8192 to 256, training step": ("torch lstm", {}, None, 400),
    "rendering 640x360, 20 components": ("render", {}, None, 100),
}
BARS = {  # target, in seconds per frame
    "rmdn clip float32, file": 0.36,
    "rmdn clip bfloat16, file": 0.20,
    "rmdn dense float32, file": 0.065,
    "rmdn dense bfloat16, file": 0.040,
    "rendering 640x360, 20 components": 0.005,
}


def write_video(path: str, frames: int, size=(360, 640)) -> None:
    """A moving texture."""
    from zoo.datasets.video.writer import VideoWriter

    import numpy as np

    rng = np.random.default_rng(0)
    rows, columns = size[0] // 8, size[1] // 8
    base = np.kron(rng.integers(0, 255, (rows, columns, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    with VideoWriter(path, fps=25, height=size[0], width=size[1]) as writer:
        for index in range(frames):
            writer.write(np.ascontiguousarray(np.roll(base, 3 * index, axis=1)))


def best(function, times: int = 3) -> float:
    """Seconds of the fastest of several calls, after one that builds the graphs."""
    function()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return min(taken)


def measure(name: str) -> dict:
    """One row, in this process."""
    kind, arguments, precision, frames = ROWS[name]
    functions = {
        "file": measure_file,
        "long": measure_file,
        "rmdn": measure_stream,
        "live": measure_live,
        "lsts": measure_stream,
        "lsts clip": measure_lsts_clip,
        "joint": measure_batch,
        "soft_attention": measure_batch,
        "spatiotemporal_attention": measure_batch,
        "lstm": measure_lstm,
        "torch video": torch_video,
        "torch frames": torch_frames,
        "torch lstm": torch_lstm,
        "render": measure_rendering,
    }
    before = time.process_time()
    found = functions[kind](kind, dict(arguments), precision, frames)
    found["processor_seconds"] = time.process_time() - before
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def measure_file(kind, arguments, precision, frames) -> dict:
    import zoo
    from zoo.inference.streaming.stream import Stream

    import keras

    keras.utils.set_random_seed(0)
    stream = Stream(zoo.rmdn(**arguments), precision=precision)
    size = (360, 640) if kind == "file" else (96, 128)
    with tempfile.TemporaryDirectory() as folder:
        warm, video = os.path.join(folder, "warm.mp4"), os.path.join(folder, "video.mp4")
        # Long enough for every graph: a first, two middle and a last step.
        write_video(warm, 120 if arguments.get("dense") else 34, size)
        write_video(video, frames, size)
        options = {"progress": False, "film": False}
        zoo.predict(stream, warm, output=os.path.join(folder, "warm"), **options)
        start = time.perf_counter()
        prediction = zoo.predict(stream, video, output=os.path.join(folder, "out"), **options)
        seconds = time.perf_counter() - start
    predicted = prediction.num_frames - stream.missing
    return {"seconds_a_frame": seconds / predicted, "frames": frames}


def measure_stream(kind, arguments, precision, frames) -> dict:
    import zoo
    from zoo.inference.streaming.stream import Stream

    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    model = zoo.rmdn(**arguments) if kind == "rmdn" else zoo.lsts(**arguments)
    step = 32 if kind == "rmdn" else 16
    stream = Stream(model, precision=precision, step=step)
    shape = model.inputs[0].shape[2:]
    video = np.random.default_rng(0).integers(0, 255, (frames, *shape), dtype=np.uint8)
    taken, fed = [], 0
    # Steady state: the seconds of a step, once the first steps have built the graphs.
    for _number in range(40):
        part = video[np.arange(fed, fed + step) % frames]
        start = time.perf_counter()
        outputs = stream.push(part)
        if outputs and len(next(iter(outputs.values()))) == step:
            taken.append(time.perf_counter() - start)
        fed += step
        if len(taken) == 6:
            break
    return {"seconds_a_frame": sorted(taken[1:])[len(taken[1:]) // 2] / step, "frames": fed}


def measure_live(kind, arguments, precision, frames) -> dict:
    import zoo
    from zoo.inference.live import predict_live

    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    video = rng.integers(0, 255, (frames, 360, 640, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        got = predict_live(zoo.rmdn(**arguments), _paced(video), output=folder, precision=precision)
    latency = np.sort(got.latency[10:])
    return {
        "seconds_a_frame": float(np.median(latency)),
        "latency_95_of_100_s": float(latency[int(0.95 * len(latency))]),
        "delay_frames": got.delay,
        "frames": frames,
    }


def _paced(video):
    """Frames that arrive one at a time, so that none waits for an earlier one."""
    for frame in video:
        time.sleep(0.3)
        yield frame


def measure_lsts_clip(kind, arguments, precision, frames) -> dict:
    import zoo
    from zoo.inference.streaming.adapt import compile_for_inference

    import numpy as np

    model = compile_for_inference(_as(zoo.lsts(**arguments), precision))
    clip = np.random.default_rng(0).integers(0, 255, (1, 79, 224, 224, 3)).astype("float32")
    return {"seconds_a_frame": best(lambda: model.predict_on_batch(clip), frames), "frames": frames}


def _as(model, precision):
    """The model in another precision, with the same time axis."""
    if precision is None:
        return model
    from zoo.inference.streaming import adapt

    config = model.get_config()
    policy = adapt.PRECISIONS[precision]
    adapt._set_policy(config, policy, {"saliency", "action"})
    copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    return copy


def measure_batch(kind, arguments, precision, frames) -> dict:
    import zoo
    from zoo.inference.streaming.adapt import compile_for_inference

    import numpy as np

    builder = getattr(zoo, kind)
    model = compile_for_inference(
        _as(builder(num_classes=10, num_frames=frames, **arguments), precision)
    )
    shape = model.inputs[0].shape[1:]
    video = np.random.default_rng(0).integers(0, 255, (1, *shape)).astype("float32")
    # 16-frame clips leave the first 15 frames without a prediction.
    answers = model.output["mixture"].shape[1] if kind == "joint" else frames
    return {
        "seconds_a_frame": best(lambda: model.predict_on_batch(video), 1) / answers,
        "frames": frames,
    }


def measure_lstm(kind, arguments, precision, frames) -> dict:
    from zoo.layers import ProjectedLSTM

    import keras
    import numpy as np

    layer = {"keras": keras.layers.LSTM, "projected": ProjectedLSTM}[arguments["kind"]]
    inputs = keras.Input((50, 8192))
    model = keras.Model(inputs, layer(256, return_sequences=True)(inputs))
    model.compile("sgd", "mse", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(8, 50, 8192)).astype("float32")
    y = np.zeros((8, 50, 256), "float32")
    seconds = best(lambda: model.train_on_batch(x, y), 5)
    return {"seconds_a_frame": seconds / frames, "seconds_a_step": seconds, "frames": frames}


def torch_video(kind, arguments, precision, frames) -> dict:
    """Time per frame: a dense network predicts all frames of its input, a clip network one."""
    import torch_models

    import torch

    model = getattr(torch_models, arguments["name"])(arguments["dense"])
    side = {"c3d": 112, "i3d": 224}[arguments["name"]]
    seconds = torch_seconds(model, torch.rand(1, 3, frames, side, side), precision)
    answers = frames if arguments["dense"] else 1
    return {"seconds_a_frame": seconds / answers, "frames": frames}


def torch_frames(kind, arguments, precision, frames) -> dict:
    """ResNet-50 on each frame."""
    import torch_models

    import torch

    seconds = torch_seconds(torch_models.resnet50(), torch.rand(frames, 3, 224, 224), precision)
    return {"seconds_a_frame": seconds / frames, "frames": frames}


def torch_seconds(model, inputs, precision) -> float:
    import torch

    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model, inputs = model.eval().to(dtype), inputs.to(dtype)
    with torch.inference_mode():
        return best(lambda: model(inputs), 2)


def torch_lstm(kind, arguments, precision, frames) -> dict:
    import torch

    layer = torch.nn.LSTM(8192, 256, batch_first=True)
    optimizer = torch.optim.SGD(layer.parameters(), 0.01)
    x = torch.randn(8, 50, 8192)

    def step():
        optimizer.zero_grad()
        layer(x)[0].square().mean().backward()
        optimizer.step()

    seconds = best(step, 5)
    return {"seconds_a_frame": seconds / frames, "seconds_a_step": seconds, "frames": frames}


def measure_rendering(kind, arguments, precision, frames) -> dict:
    from zoo.inference.writing.rendering import render_mixture

    import numpy as np

    rng = np.random.default_rng(0)
    mixture = np.column_stack(
        [
            rng.normal(size=20),
            rng.uniform(0.1, 0.9, (20, 2)),
            rng.uniform(-3.5, -1.2, (20, 2)),
            rng.normal(size=20) * 0.5,
        ]
    )
    taken = []
    for _ in range(frames):
        start = time.perf_counter()
        render_mixture(mixture, 360, 640)
        taken.append(time.perf_counter() - start)
    return {"seconds_a_frame": sorted(taken)[frames // 2], "best": min(taken), "frames": frames}


def page(rows: dict) -> str:
    """The tables."""
    lines = [
        "# Speed and memory",
        "",
        "One row a process, by `python benchmarks/speed.py`. The load is that of the whole machine",
        "when the row began; seconds by the clock grow with it.",
        "",
        "| what | seconds a frame | frames a second | bar, s | peak MiB | load | date |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        seconds = row["seconds_a_frame"]
        lines.append(
            f"| {name} | {seconds:.4f} | {1 / seconds:.1f} | {BARS.get(name, '')} "
            f"| {row['peak_mib']:.0f} | {row['load']:.1f} | {row['date']} |"
        )
    live = {name: row for name, row in rows.items() if "delay_frames" in row}
    if live:
        lines += ["", "| live | median latency, ms | 95 of 100 within, ms | delay, frames |"]
        lines.append("|---|---|---|---|")
        for name, row in live.items():
            lines.append(
                f"| {name} | {1000 * row['seconds_a_frame']:.0f} "
                f"| {1000 * row['latency_95_of_100_s']:.0f} | {row['delay_frames']} |"
            )
    steps = {name: row["seconds_a_step"] for name, row in rows.items() if "seconds_a_step" in row}
    if steps:
        lines += ["", "| training step | ms |", "|---|---|"]
        lines += [f"| {name} | {1000 * seconds:.0f} |" for name, seconds in steps.items()]
    machines = {row["environment"] for row in rows.values()}
    lines += ["", *sorted(machines), "", "![frames a second](speed.png)"]
    return "\n".join(lines)


def draw(rows: dict, path: Path) -> None:
    """Draw frames per second as bars, on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = {n: r for n, r in rows.items() if "LSTM" not in n and "rendering" not in n}
    figure, axes = pyplot.subplots(figsize=(9, 0.35 * len(shown) + 1))
    names = list(shown)[::-1]
    rates = [1 / shown[name]["seconds_a_frame"] for name in names]
    axes.barh(names, rates, color=["#888888" if "torch" in n else "#3366aa" for n in names])
    axes.set_xscale("log")
    axes.set_xlim(0.5 * min(rates), 2 * max(rates))
    axes.axvline(25, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlabel("frames a second (dotted: 25)")
    for place, rate in enumerate(rates):
        axes.text(rate, place, f" {rate:.1f}", va="center", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    """Measure the rows, each in its own process, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], help="rows whose name holds one of these")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        found = {**measure(options.row), "environment": str(machine(*PACKAGES))}
        print("RESULT " + json.dumps(found), flush=True)
        return
    if options.list:
        print("\n".join(ROWS))
        return
    path = options.output / "speed.json"
    results = json.loads(path.read_text()) if path.exists() else {"rows": {}}
    for name in ROWS:
        if options.only and not any(part in name for part in options.only):
            continue
        load = os.getloadavg()[0]
        python = options.torch_python if name.startswith("torch") else sys.executable
        command = [python, __file__, "--row", name]
        done = subprocess.run(command, capture_output=True, text=True)
        result = [line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if not result:
            print(f"{name}: not measured: {done.stderr[-1500:]}", flush=True)
            continue
        row = {**json.loads(result[0]), "load": load}
        row["date"] = datetime.date.today().isoformat()
        results["rows"][name] = row
        print(f"{name}: {row['seconds_a_frame']:.4f} s a frame", flush=True)
        known = {name: results["rows"][name] for name in ROWS if name in results["rows"]}
        write_results("speed", results, page(known), options.output)
        draw(known, options.output / "speed.png")


if __name__ == "__main__":
    main()
