"""Speed and memory of `zoo.predict` on a video file.

    python benchmarks/predict.py [--frames 47] [--dense-frames 96] [--output benchmarks/results]

Measures, each in its own process: seconds per frame of the full-width RMDN on sliding clips, from a
640x360 file to written maps, in float32 and in bfloat16; the same for the dense form; peak memory
for a video and for one ten times as long; and the time to render one map.
Writes predict.json and predict.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path

from results_page import RESULTS, as_text, load_average, machine, write_results

BARS = {"clip float32": 0.36, "clip bfloat16": 0.20}


def write_video(path: str, frames: int) -> None:
    """A moving texture, 640x360."""
    from zoo.datasets.video.writer import VideoWriter

    import numpy as np

    rng = np.random.default_rng(0)
    base = np.kron(rng.integers(0, 255, (45, 80, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    with VideoWriter(path, fps=25, height=360, width=640) as writer:
        for index in range(frames):
            writer.write(np.ascontiguousarray(np.roll(base, 3 * index, axis=1)))


def run(task: dict, results) -> None:
    """Predict in this process; put the measurements into the queue."""
    import zoo
    from zoo.inference.predict import predict
    from zoo.inference.streaming.stream import Stream

    import keras

    keras.utils.set_random_seed(0)
    model = zoo.rmdn(**task["model"])
    stream = Stream(model, precision=task.get("precision"))
    arguments = {"progress": False, "film": task.get("film", False)}
    # A first, short run builds the graphs; it is not measured.
    predict(stream, task["warm"], **arguments)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        prediction = predict(stream, task["video"], output=Path(folder) / "out", **arguments)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results.put(
        {
            "name": task["name"],
            "frames": prediction.num_frames,
            "predicted_by_model": int(prediction.num_frames - (0 if task["dense"] else 15)),
            "seconds": seconds,
            "processor_seconds": busy,
            "peak_mib": after / 1024,
            "peak_before_mib": before / 1024,
        }
    )


def in_process(task: dict) -> dict:
    """`run` in a new process, so that its peak memory can be measured."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=run, args=(task, results))
    process.start()
    found = results.get(timeout=1800)
    process.join()
    for name in ("seconds", "processor_seconds"):
        found[f"{name}_a_frame"] = found[name] / found["predicted_by_model"]
    found["load_average"] = load_average()
    return found


def rendering() -> dict:
    """Milliseconds for one map of 20 components, 640x360."""
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
    taken = {}
    for threads in (1, 2):
        times = []
        for _ in range(40):
            start = time.perf_counter()
            render_mixture(mixture, 360, 640, threads=threads)
            times.append(1000 * (time.perf_counter() - start))
        taken[f"{threads} threads"] = {"best": min(times), "median": sorted(times)[20]}
    return taken


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=47, help="frames of the timed video")
    parser.add_argument("--dense-frames", type=int, default=96)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    import keras

    about = {**machine("keras", "numpy"), "backend": keras.config.backend()}
    results: dict = {"machine": about, "rendering_ms": rendering(), "speed": [], "memory": []}
    with tempfile.TemporaryDirectory() as folder:
        lengths = {options.frames, options.dense_frames, 34, 60, 600}
        videos = {n: os.path.join(folder, f"{n}.mp4") for n in lengths}
        for frames, path in videos.items():
            write_video(path, frames)
        for dense in (False, True):
            for precision in ("float32", "bfloat16"):
                frames = options.dense_frames if dense else options.frames
                task = {
                    "name": f"{'dense' if dense else 'clip'} {precision}",
                    "dense": dense,
                    "model": {"dense": dense},
                    "precision": precision,
                    "video": videos[frames],
                    "warm": videos[34],
                }
                found = in_process(task)
                results["speed"].append(found)
                print(found, flush=True)
        for frames in (60, 600):
            task = {
                "name": f"clip, a twentieth of the width, film, {frames} frames",
                "dense": False,
                "model": {"width": 0.05, "units": 16},
                "film": True,
                "video": videos[frames],
                "warm": videos[34],
            }
            results["memory"].append(in_process(task))
            print(results["memory"][-1], flush=True)
    short, long = (found["peak_mib"] for found in results["memory"])
    results["memory_of_ten_times_the_length"] = long / short
    write_results("predict", results, page(results), options.output)


def page(results: dict) -> str:
    """The tables."""
    lines = [
        "# `zoo.predict`: full-width RMDN, 640x360 file to maps",
        "",
        as_text(results["machine"]),
        "",
        "Seconds are wall time, which grows with the load of other programs. Processor seconds are",
        "the sum over both cores, so the wall time of a frame is at least half of them.",
        "",
        "| model | frames | seconds a frame | bar | processor seconds a frame | peak MiB | load |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results["speed"]:
        bar = BARS.get(row["name"], "")
        lines.append(
            f"| {row['name']} | {row['frames']} | {row['seconds_a_frame']:.3f} | {bar} "
            f"| {row['processor_seconds_a_frame']:.3f} "
            f"| {row['peak_mib']:.0f} | {row['load_average']:.1f} |"
        )
    lines += ["", "| memory | peak MiB |", "|---|---|"]
    lines += [f"| {row['name']} | {row['peak_mib']:.0f} |" for row in results["memory"]]
    lines += [
        "",
        "A video ten times as long takes "
        f"{results['memory_of_ten_times_the_length']:.3f} times the memory.",
        "",
        "One map of 20 components, 640x360: "
        + ", ".join(
            f"{name} {taken['best']:.1f} ms (median {taken['median']:.1f})"
            for name, taken in results["rendering_ms"].items()
        )
        + ".",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
