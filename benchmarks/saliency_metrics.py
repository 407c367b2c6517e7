"""Time for the full set of saliency metrics of a frame, compared with pysaliency in the same run.

    python benchmarks/saliency_metrics.py
    python benchmarks/saliency_metrics.py --pysaliency ENVIRONMENT/bin/python

The set is AUC-Judd, exact shuffled AUC, NSS, CC, SIM, KL and information gain on 640x360 float32
maps. pysaliency 0.2.22 needs NumPy < 2, so it needs its own environment
(`pip install "pysaliency==0.2.22" "numpy<2" torch`). Both read the same arrays and take turns, and
their values are compared. Writes benchmarks/results/saliency_metrics.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_page import RESULTS, machine, write_results

import numpy as np

SIZE = (360, 640)
OTHERS = 1000  # Fixations of other frames: about 60 frames with 17 fixations each.


def make_frames(folder: Path, fixations: int, frames: int) -> Path:
    """Blurred blobs on noise, with gaze near the blobs: no ties, as in a network's maps."""
    rng = np.random.default_rng(fixations)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype("float32")

    def blobs(centres):
        return sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 3000) for cx, cy in centres)

    data = {name: [] for name in ("saliency", "truth", "fixations")}
    for _ in range(frames):
        centres = rng.uniform((80, 50), (560, 310), (4, 2))
        data["saliency"].append(blobs(centres) + 0.2 * rng.random(SIZE))
        data["truth"].append(blobs(centres + rng.normal(0, 30, centres.shape)))
        counts = np.zeros(SIZE, "uint8")
        while counts.sum() < fixations:
            gaze = centres[rng.integers(4)] + rng.normal(0, 40, 2)
            column, row = np.clip(gaze, 0, (SIZE[1] - 1, SIZE[0] - 1)).astype(int)
            counts[row, column] = 1
        data["fixations"].append(counts)
    others = np.zeros(SIZE, "uint8")
    others.ravel()[rng.choice(others.size, OTHERS, replace=False)] = 1
    base = np.exp(-(((x - 320) / 150) ** 2) - ((y - 180) / 90) ** 2) + 0.05
    path = folder / f"frames_{fixations}.npz"
    arrays = {
        k: np.stack(v).astype("uint8" if k == "fixations" else "float32") for k, v in data.items()
    }
    np.savez(path, others=others, baseline=base.astype("float32"), **arrays)
    return path


def clocks() -> np.ndarray:
    """Wall time and processor time; on a busy machine, compare the second."""
    return np.array([time.perf_counter(), time.process_time()])


def ours(data) -> tuple[list[dict], list[np.ndarray]]:
    from zoo.metrics import saliency_metrics

    names = ("saliency", "fixations", "truth")
    rows, seconds = [], []
    for i in range(len(data["saliency"])):
        frame = [data[name][i : i + 1] for name in names]
        # Prepared for each frame, as if the other frames' fixations changed every time.
        start = clocks()
        result = saliency_metrics(*frame, data["others"], data["baseline"])
        seconds.append(clocks() - start)
        rows.append({name: float(values[0]) for name, values in result.items()})
    return rows, seconds


def theirs(data) -> tuple[list[dict], list[np.ndarray]]:
    from pysaliency import metrics
    from pysaliency.roc import general_roc

    rows, seconds = [], []
    other_y, other_x = np.nonzero(data["others"])
    base = data["baseline"]
    for s, counts, truth in zip(data["saliency"], data["fixations"], data["truth"]):
        start = clocks()
        ys, xs = np.nonzero(counts)
        hits = s[ys, xs].astype("float64")
        row = {
            "auc_judd": general_roc(hits, s[counts == 0].astype("float64"), judd=1)[0],
            "auc_shuffled": general_roc(hits, s[other_y, other_x].astype("float64"), judd=0)[0],
            "nss": metrics.NSS(s, xs, ys).mean(),
            "cc": metrics.CC(s, truth),
            "similarity": metrics.SIM(s, truth),
            "kl_divergence": metrics.MIT_KLDiv(s, truth),
        }
        p = metrics.convert_saliency_map_to_density(s)
        b = metrics.convert_saliency_map_to_density(base)
        row["information_gain"] = (np.log2(p[ys, xs]) - np.log2(b[ys, xs])).mean()
        seconds.append(clocks() - start)
        rows.append({name: float(value) for name, value in row.items()})
    return rows, seconds


def worker(tool: str, path: Path) -> dict:
    with np.load(path) as file:
        data = dict(file)
    run = {"zoo": ours, "pysaliency": theirs}[tool]
    run({k: v[:2] if v.ndim == 3 else v for k, v in data.items()})  # Warms up compilers and caches.
    rows, seconds = run(data)
    return {"rows": rows, "ms": list(np.median(seconds, axis=0) * 1e3), "numpy": np.__version__}


def call(python: str, tool: str, path: Path) -> dict:
    command = [python, __file__, "--worker", tool, str(path)]
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"`{python}` must be able to run {tool}. Received: {done.stderr[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(pysaliency: str | None, frames: int, rounds: int) -> dict:
    report = {
        **machine(),
        "load_before": os.getloadavg()[0],
        "frames": frames,
        "rounds": rounds,
        "fixations": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for fixations in (17, 300):
            path = make_frames(Path(folder), fixations, frames)
            tools = {"zoo": sys.executable, **({"pysaliency": pysaliency} if pysaliency else {})}
            found = {tool: [] for tool in tools}
            for _ in range(rounds):
                for tool, python in tools.items():
                    found[tool].append(call(python, tool, path))
            entry = {}
            for tool, runs in found.items():
                wall, processor_time = np.transpose([run["ms"] for run in runs])
                entry[tool] = {
                    "ms": min(wall),
                    "processor_ms": min(processor_time),
                    "ms_each_round": list(wall),
                    "processor_ms_each_round": list(processor_time),
                    "numpy": runs[0]["numpy"],
                }
            if pysaliency:
                for key in ("ms", "processor_ms"):
                    ratio = entry["pysaliency"][key] / entry["zoo"][key]
                    entry["speed_up_" + key.removesuffix("ms") + "time"] = ratio
                entry["largest_difference"] = differences(found["zoo"], found["pysaliency"])
            report["fixations"][fixations] = entry
    return report


def differences(own: list[dict], other: list[dict]) -> dict:
    """The largest difference in each metric that both define in the same way."""
    pairs = list(zip(own[0]["rows"], other[0]["rows"]))
    # SIM is left out: by default, ours scales maps to [0, 1] first.
    names = [name for name in pairs[0][1] if name != "similarity"]
    return {name: max(abs(a[name] - b[name]) for a, b in pairs) for name in names}


def page(report: dict) -> str:
    lines = [
        "# Saliency metrics: time for the full set",
        "",
        "AUC-Judd, exact shuffled AUC, NSS, CC, SIM, KL and information gain of a 640x360 frame;",
        f"median over {report['frames']} frames, best of {report['rounds']} rounds in turn, one",
        "thread; wall time and processor time (the steadier one where others use the machine).",
        f"{report['processor']}, {report['processors']} cores, load {report['load_before']:.1f}",
        f"at the start, Python {report['python']}.",
        "",
        "| fixations | tool | wall ms a frame | processor ms a frame |",
        "|---|---|---|---|",
    ]
    for fixations, entry in report["fixations"].items():
        for tool in ("zoo", "pysaliency"):
            if tool in entry:
                row = f"{entry[tool]['ms']:.2f} | {entry[tool]['processor_ms']:.2f}"
                lines.append(f"| {fixations} | {tool} | {row} |")
        if "pysaliency" in entry:
            row = f"{entry['speed_up_time']:.1f} | {entry['speed_up_processor_time']:.1f}"
            lines.append(f"| {fixations} | zoo, times as fast | {row} |")
        else:
            lines.append(f"| {fixations} | pysaliency | not installed | |")
    entry = report["fixations"][17]
    tools = [tool for tool in ("zoo", "pysaliency") if tool in entry]
    versions = ", ".join(f"{tool} with NumPy {entry[tool]['numpy']}" for tool in tools)
    lines += ["", f"Versions: {versions}."]
    if "largest_difference" in entry:
        worst = max(max(e["largest_difference"].values()) for e in report["fixations"].values())
        lines += [
            f"Largest difference between the two tools' values: {worst:.1e} (SIM aside: its",
            "default definition differs).",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pysaliency", help="a Python interpreter that can import pysaliency")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(worker(arguments.worker[0], Path(arguments.worker[1]))))
        return
    report = compare(arguments.pysaliency, arguments.frames, arguments.rounds)
    write_results("saliency_metrics", report, page(report), arguments.output)
    print(page(report))


if __name__ == "__main__":
    main()
