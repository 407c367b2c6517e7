"""Speed of the optical flow methods, and agreement of TV-L1 with OpenCV-contrib's DualTVL1.

    python benchmarks/flow.py --clips FOLDER_OR_FILE ...

Writes `benchmarks/results/flow.json` and `flow.md`: milliseconds per pair at 112x112, the mean
end-point difference from DualTVL1 where both flows are consistent forward and backward, and the
projected hours for the training videos of DHF1K (600 videos, 249,497 clips). The difference needs
`opencv-contrib-python`; without it only the speeds are written. With `--features`, the speed of I3D
on one 79-frame clip of 224x224 is measured too. The hours for both streams of LSTS are then
projected from the measured rates, for one clip every 1, 4 and 16 frames.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from results_page import load_average, machine, write_results
from zoo.datasets.video.flow import PRESETS, dis_flow
from zoo.datasets.video.reading import open_video
from zoo.inference.streaming.adapt import adapt
from zoo.layers import tvl1_function
from zoo.models.lsts import lsts_features

import cv2
import keras
import numpy as np

SIZE = (112, 112)
# DHF1K: 249,497 clips of 79 frames in 600 training videos, so 249,497 + 600 * 78 frames.
VIDEOS, CLIPS = 600, 249_497
FRAMES = CLIPS + VIDEOS * 78


def _pairs(paths, places=(10, 30, 50, 60)):
    first, second, names = [], [], []
    for path in paths:
        video = open_video(path)
        starts = [place for place in places if place + 1 < video.num_frames]
        frames = video.read([i for start in starts for i in (start, start + 1)], size=SIZE)
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        first += grey[0::2]
        second += grey[1::2]
        names += [Path(path).name] * len(starts)
    return np.stack(first), np.stack(second), np.array(names)


def _timed(method, first, second, repeats):
    method(first, second)  # compiles, and warms the caches
    wall, processor = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        flow = method(first, second)
        wall.append(1000 * (time.perf_counter() - began) / len(first))
        processor.append(1000 * (time.process_time() - used) / len(first))
    return flow, {"ms_a_pair": min(wall), "processor_ms_a_pair": min(processor)}


def _consistent(forward, backward):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]].astype("float32")
    out = []
    for f, b in zip(forward, backward):
        there = cv2.remap(
            b, columns + f[..., 0], rows + f[..., 1], cv2.INTER_LINEAR, borderValue=(99.0, 99.0)
        )
        out.append(np.hypot(*(f + there).transpose(2, 0, 1)) < 0.5)
    return np.stack(out)


def _seconds_a_clip(precision):
    model = adapt(lsts_features(), precision=precision, any_length=False)
    model.compile(jit_compile=False)
    clip = np.random.default_rng(0).uniform(0, 255, (1, 79, 224, 224, 3)).astype("float32")
    model.predict_on_batch(clip)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        model.predict_on_batch(clip)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _projection(results) -> list[dict]:
    """Hours for DHF1K's 600 training videos: flow once per pair, I3D once per clip and stream."""
    ways = {"TV-L1": "tvl1 (this zoo)", "DIS fast": "DIS fast (OpenCV)"}
    flow = {way: results["methods"][name]["dhf1k_hours"] for way, name in ways.items()}
    rows = []
    for stride in (1, 4, 16):
        for precision, seconds in results["i3d"].items():
            stream = CLIPS / stride * seconds / 3600
            totals = {f"total with {way}": hours + 2 * stream for way, hours in flow.items()}
            rows.append({"stride": stride, "precision": precision, "I3D, a stream": stream})
            rows[-1] |= {f"flow by {way}": hours for way, hours in flow.items()} | totals
    return rows


def main() -> dict:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", nargs="+", required=True, help="video files, or folders of them")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--features", action="store_true", help="measure I3D as well")
    options = parser.parse_args()
    paths = []
    for name in map(Path, options.clips):
        endings = (".avi", ".mp4", ".mkv", ".mov")
        inside = sorted(p for p in name.rglob("*") if p.suffix in endings) if name.is_dir() else []
        paths += inside or [name]
    first, second, names = _pairs(paths)
    tvl1 = tvl1_function(SIZE)
    methods = {"tvl1 (this zoo)": tvl1}
    contrib = hasattr(cv2, "optflow")
    if contrib:
        dual = cv2.optflow.DualTVL1OpticalFlow_create()

        def dual_tvl1(a, b):
            return np.stack([dual.calc(x, y, None) for x, y in zip(a, b)])

        methods["DualTVL1 (OpenCV-contrib)"] = dual_tvl1
    methods |= {f"DIS {preset} (OpenCV)": dis_flow(preset) for preset in PRESETS}
    flows, results = {}, {"pairs": len(first), "size": list(SIZE), "methods": {}}
    for name, method in methods.items():
        flows[name], timing = _timed(method, first, second, options.repeats)
        hours = FRAMES * timing["ms_a_pair"] / 3.6e6
        results["methods"][name] = {**timing, "dhf1k_hours": hours}
    if contrib:
        theirs, ours = flows["DualTVL1 (OpenCV-contrib)"], flows["tvl1 (this zoo)"]
        sure = _consistent(theirs, dual_tvl1(second, first))
        sure &= _consistent(ours, tvl1(second, first))
        difference = np.hypot(*(ours - theirs).transpose(3, 0, 1, 2))
        results["difference_px"] = {
            "mean": float(difference[sure].mean()),
            "p95": float(np.percentile(difference[sure], 95)),
            "share_of_pixels": float(sure.mean()),
            "by_clip": {
                str(clip): float(difference[names == clip][sure[names == clip]].mean())
                for clip in dict.fromkeys(names)
            },
        }
    if options.features:
        results["i3d"] = {p: _seconds_a_clip(p) for p in ("float32", "bfloat16")}
        results["projection"] = _projection(results)
    results["machine"] = {
        **machine(),
        "backend": keras.config.backend(),
        "opencv": cv2.__version__,
        "opencv_threads": cv2.getNumThreads(),
        "load_at_the_end": load_average(),
    }
    write_results("flow", results, _report(results))
    print(_report(results))
    return results


def _report(results) -> str:
    about = results["machine"]
    lines = [
        "# Optical flow at 112x112",
        "",
        f"{results['pairs']} pairs of real clips; {about['processors']} cores "
        f"({about['processor']}), {about['backend']} backend, OpenCV {about['opencv']}, "
        f"load {about['load_at_the_end']:.1f}. Written by `benchmarks/flow.py`.",
        "",
        "| method | ms a pair | processor ms a pair | hours for DHF1K's training videos |",
        "|---|---|---|---|",
    ]
    for name, row in results["methods"].items():
        lines.append(
            f"| {name} | {row['ms_a_pair']:.2f} | {row['processor_ms_a_pair']:.2f} "
            f"| {row['dhf1k_hours']:.2f} |"
        )
    if "difference_px" in results:
        row = results["difference_px"]
        lines += [
            "",
            f"Mean end-point difference of TV-L1 from DualTVL1 where both are consistent forward "
            f"and backward ({row['share_of_pixels']:.0%} of the pixels): {row['mean']:.4f} px, "
            f"95th percentile {row['p95']:.3f} px.",
        ]
    if "i3d" in results:
        rates = ", ".join(f"{seconds:.2f} s in {p}" for p, seconds in results["i3d"].items())
        rows = results["projection"]
        lines += [
            "",
            "## Hours for DHF1K's 600 training videos",
            "",
            f"Projected from the rates above and I3D's on a clip of 79 frames of 224x224: {rates}.",
            "A clip every `stride` frames; both streams in the total.",
            "",
            "| " + " | ".join(rows[0]) + " |",
            "|---" * len(rows[0]) + "|",
        ]
        for row in rows:
            cells = [f"{v:.1f}" if isinstance(v, float) else str(v) for v in row.values()]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
