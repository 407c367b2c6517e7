"""How fast videos are decoded, which readers are frame-exact, and how much shards save.

    python benchmarks/decode.py [--clips ../shared/data/clips] [--output benchmarks/results]

Decodes every clip to 112x112, all frames in order and 16 random ones, with these readers:
`zoo.datasets.video` with a known frame index, as in training, and without ("zoo, first"); OpenCV in
order ("ordered", without seeks, frames are resized in two threads); and plain OpenCV, PyAV, decord2
and torchcodec, if they are installed. The readers take turns, and the best of several rounds
counts, so that other programs hardly disturb the ratios. A reader is frame-exact if random access
to a frame number gives the same frame as reading in order. Then 16-frame windows at random
positions are read from video files and from shards of JPEG pictures. Writes decode.json and
decode.md. An environment for it:

    pip install av opencv-python decord2 torch==2.13.0 torchcodec==0.13.0
    pip install keras scikit-learn rich tyro h5py matplotlib
    KERAS_BACKEND=torch python benchmarks/decode.py

torchcodec needs FFmpeg's shared libraries; from 0.14 on, its wheels also need those of CUDA.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from results_page import RESULTS, as_text, load_average, machine, write_results
from zoo.datasets.record import Record
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import ShardSet
from zoo.datasets.shards.streams import FrameStream
from zoo.datasets.video import file_source
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.resizing import in_order, to_rgb

import cv2
import numpy as np

SIDE = 112
DRAWS = 16
WINDOW = 16
PACKAGES = ("opencv-python", "opencv-python-headless", "av", "decord2", "torchcodec", "numpy")
VIDEOS = (".avi", ".mp4", ".mkv", ".webm", ".mov")


class Ours:
    """`zoo.datasets.video.reading`"""

    def prepare(self, path):
        """Index the file, as training does once."""
        _ = open_video(path).num_frames

    def sequential(self, path):
        return list(open_video(path).frames((SIDE, SIDE)))

    def random(self, path, indices):
        return open_video(path).read(indices, (SIDE, SIDE))


class First(Ours):
    """The same reader for a file that is not in the index yet."""

    def prepare(self, path):
        """Prepare nothing: the file is not in the index."""

    def sequential(self, path):
        file_source.forget()
        return super().sequential(path)

    def random(self, path, indices):
        file_source.forget()
        return super().random(path, indices)


class Ordered:
    """`cv2.VideoCapture` without seeks; frames are resized in two threads."""

    def _decoded(self, path, indices):
        capture, position = cv2.VideoCapture(path, cv2.CAP_FFMPEG), -1
        try:
            for index in indices:
                while position < index:
                    if not capture.grab():
                        return
                    position += 1
                yield capture.retrieve()[1]
        finally:
            capture.release()

    def _read(self, path, indices):
        return list(in_order(self._decoded(path, indices), lambda bgr: to_rgb(bgr, (SIDE, SIDE))))

    def sequential(self, path):
        return self._read(path, itertools.count())

    def random(self, path, indices):
        return self._read(path, indices)


class OpenCV:
    """`cv2.VideoCapture`, a seek for every frame."""

    @staticmethod
    def _rgb(bgr):
        small = cv2.resize(bgr, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)

    def sequential(self, path):
        capture, out = cv2.VideoCapture(path), []
        while True:
            ok, bgr = capture.read()
            if not ok:
                return out
            out.append(self._rgb(bgr))

    def random(self, path, indices):
        capture, out = cv2.VideoCapture(path), []
        for index in indices:
            capture.set(cv2.CAP_PROP_POS_FRAMES, int(index))
            ok, bgr = capture.read()
            out.append(self._rgb(bgr) if ok else None)
        return out


class PyAV:
    """PyAV, scaled by FFmpeg; a seek by time for every frame."""

    def __init__(self):
        import av

        self.av = av

    def _rgb(self, frame):
        return frame.to_ndarray(format="rgb24", width=SIDE, height=SIDE)

    def sequential(self, path):
        with self.av.open(path) as container:
            container.streams.video[0].thread_type = "AUTO"
            return [self._rgb(frame) for frame in container.decode(video=0)]

    def random(self, path, indices):
        out = []
        with self.av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            start = stream.start_time or 0
            tick = 1 / (stream.average_rate * stream.time_base)
            for index in indices:
                wanted = start + round(int(index) * tick)
                container.seek(wanted, stream=stream)
                found = None
                for frame in container.decode(stream):
                    if frame.pts is None or frame.pts >= wanted - tick / 2:
                        found = self._rgb(frame)
                        break
                out.append(found)
        return out


class Decord:
    """decord2"""

    def __init__(self):
        import decord

        self.decord = decord

    def _open(self, path):
        return self.decord.VideoReader(path, width=SIDE, height=SIDE)

    def sequential(self, path):
        reader = self._open(path)
        return [reader.next().asnumpy() for _ in range(len(reader))]

    def random(self, path, indices):
        return list(self._open(path).get_batch([int(i) for i in indices]).asnumpy())


class TorchCodec:
    """torchcodec, exact seeking, resized by OpenCV."""

    def __init__(self):
        from torchcodec.decoders import VideoDecoder

        self.make = VideoDecoder

    def _open(self, path):
        return self.make(path, dimension_order="NHWC", num_ffmpeg_threads=0, seek_mode="exact")

    @staticmethod
    def _small(batch):
        return [
            cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for rgb in batch.numpy()
        ]

    def sequential(self, path):
        decoder = self._open(path)
        out = []
        for first in range(0, len(decoder), 64):
            frames = decoder.get_frames_in_range(first, min(first + 64, len(decoder)))
            out += self._small(frames.data)
        return out

    def random(self, path, indices):
        return self._small(self._open(path).get_frames_at([int(i) for i in indices]).data)


READERS = {
    "zoo": Ours,
    "zoo, first": First,
    "ordered": Ordered,
    "opencv": OpenCV,
    "pyav": PyAV,
    "decord2": Decord,
    "torchcodec": TorchCodec,
}


def timed(action: Callable) -> tuple[float, float, object]:
    """Wall time, processor time, and the result."""
    clock, busy = time.perf_counter(), time.process_time()
    found = action()
    return time.perf_counter() - clock, time.process_time() - busy, found


def wrong_frames(sequence: list, drawn, indices) -> int:
    """Number of random frames that differ from those with the same number in order."""
    whole = np.stack(sequence).astype(np.int16)
    wrong = 0
    for index, frame in zip(indices, drawn):
        if frame is None or index >= len(whole):
            wrong += 1
            continue
        away = np.abs(whole - np.asarray(frame, np.int16)).mean((1, 2, 3))
        wrong += int(away[index] > away.min() + 1e-9)
    return wrong


def measure_clip(path: Path, readers: dict, rounds: int, seed: int) -> dict:
    """Times and errors of every reader on one clip."""
    total = open_video(path).num_frames
    draws = [
        np.sort(np.random.default_rng([seed, n]).choice(total, DRAWS, False)) for n in range(rounds)
    ]
    found = {name: {"sequential": [], "random": [], "wrong": 0, "of": 0} for name in readers}
    sequences = {}
    for turn in range(rounds):
        for name, reader in readers.items():
            held = found[name]
            if "error" in held:
                continue
            try:
                if hasattr(reader, "prepare"):
                    reader.prepare(str(path))
                clock, busy, frames = timed(lambda reader=reader: reader.sequential(str(path)))
                held["sequential"].append((clock, busy))
                held["frames"] = len(frames)
                sequences.setdefault(name, frames)
                if not frames:
                    raise ValueError("no frames")
                clock, busy, drawn = timed(
                    lambda reader=reader, turn=turn: reader.random(str(path), draws[turn])
                )
                held["random"].append((clock, busy))
                held["wrong"] += wrong_frames(sequences[name], drawn, draws[turn])
                held["of"] += DRAWS
            except Exception as error:
                held["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
    for held in found.values():
        for kind in ("sequential", "random"):
            times = held.pop(kind)
            if times:
                held[f"{kind}_seconds"] = min(clock for clock, _ in times)
                held[f"{kind}_processor_seconds"] = min(busy for _, busy in times)
    return {"clip": f"{path.parent.name}/{path.name}", "frames": total, "readers": found}


def measure_shards(paths: list[Path], windows: int, rounds: int) -> list[dict]:
    """Measure random windows from files and from shards."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        records = [Record(f"{path.parent.name}/{path.name}", str(path)) for path in paths]
        prepare(records, folder, [FrameStream((SIDE, SIDE))], workers=1)
        shards = ShardSet(folder)
        for record in records:
            video, rgb = open_video(record.video), shards[record.name].stream("rgb")
            starts = np.random.default_rng(0).integers(0, video.num_frames - WINDOW + 1, windows)

            def direct(video=video, starts=starts):
                return [video.read(range(s, s + WINDOW), (SIDE, SIDE)) for s in starts]

            def stored(rgb=rgb, starts=starts):
                return [rgb[s : s + WINDOW] for s in starts]

            taken = {"direct": [], "shards": []}
            for _ in range(rounds):
                for name, action in (("direct", direct), ("shards", stored)):
                    taken[name].append(timed(action)[:2])
            row = {"clip": record.name, "frames": video.num_frames}
            for name, times in taken.items():
                row[f"{name}_ms"] = 1000 * min(clock for clock, _ in times) / windows
                row[f"{name}_processor_ms"] = 1000 * min(busy for _, busy in times) / windows
            row["faster"] = row["direct_ms"] / row["shards_ms"]
            row["faster_processor"] = row["direct_processor_ms"] / row["shards_processor_ms"]
            rows.append(row)
    return rows


def summary(clips: list[dict]) -> dict:
    """Ratios to plain OpenCV and to the fastest other reader, geometric means over the clips."""
    found = {}
    for kind in ("sequential", "random"):
        for unit in ("seconds", "processor_seconds"):
            key = f"{kind}_{unit}"
            opencv, fastest, ordered, unknown = [], [], [], []
            for clip in clips:
                times = {
                    name: held[key]
                    for name, held in clip["readers"].items()
                    if key in held and "error" not in held
                }
                mine, first = times.pop("zoo"), times.pop("zoo, first")
                ordered.append(mine / times["ordered"])
                unknown.append(first / times.pop("ordered"))
                if "opencv" in times:
                    opencv.append(mine / times["opencv"])
                others = [times[n] for n in times if n != "opencv"]
                if others:
                    fastest.append(mine / min(others))
            for name, ratios in (
                ("ordered", ordered),
                ("ordered_at_first", unknown),
                ("opencv", opencv),
                ("fastest_other", fastest),
            ):
                if ratios:
                    found[f"{key}_by_{name}"] = {
                        "mean": float(np.exp(np.mean(np.log(ratios)))),
                        "worst": max(ratios),
                    }
    return found


def page(results: dict) -> str:
    """The tables."""
    names = results["readers"]
    lines = [
        "# Decoding to 112x112",
        "",
        as_text(results["machine"]),
        "",
        f"Best of {results['rounds']} rounds in which the readers took turns. Frames per second in"
        " order, wall time / milliseconds for 16 random frames; in brackets the number of random"
        " frames that differ from the frame with that number in order.",
        "",
        "If the load average is above the number of processors, other programs were running: then"
        " compare the rows of processor seconds, not those of wall time.",
        "",
        "| clip | frames | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for clip in results["clips"]:
        cells = []
        for name in names:
            held = clip["readers"][name]
            if "error" in held:
                cells.append(held["error"].split(":")[0])
                continue
            rate = held["frames"] / held["sequential_seconds"]
            odd = "" if held["frames"] == clip["frames"] else f", {held['frames']} frames"
            cells.append(
                f"{rate:.0f} / {1000 * held['random_seconds']:.1f} "
                f"({held['wrong']} of {held['of']}{odd})"
            )
        lines.append(f"| {clip['clip']} | {clip['frames']} | " + " | ".join(cells) + " |")
    lines += ["", "Time of zoo divided by that of the other reader (below 1: zoo is faster):", ""]
    lines += ["| | geometric mean | worst clip |", "|---|---|---|"]
    lines += [
        f"| {key.replace('_', ' ')} | {held['mean']:.2f} | {held['worst']:.2f} |"
        for key, held in results["summary"].items()
    ]
    lines += [
        "",
        "# Windows of 16 frames at random places, 112x112",
        "",
        "| clip | frames | from the video, ms | from JPEG shards, ms | times faster "
        "| (processor time) |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['clip']} | {row['frames']} | {row['direct_ms']:.2f} | {row['shards_ms']:.2f} "
        f"| {row['faster']:.1f} | {row['faster_processor']:.1f} |"
        for row in results["windows"]
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).resolve().parent
    parser.add_argument("--clips", type=Path, default=here.parents[1] / "shared" / "data" / "clips")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    paths = sorted(path for path in options.clips.rglob("*") if path.suffix in VIDEOS)
    if not paths:
        raise SystemExit(f"`--clips` must hold videos. Received: {options.clips}")
    readers = {}
    for name, make in READERS.items():
        try:
            readers[name] = make()
        except Exception as error:
            print(f"{name} is not measured: {error}")
    about = {**machine(*PACKAGES), "load_average": load_average()}
    results = {"machine": about, "rounds": options.rounds, "readers": list(readers)}
    results["windows"] = measure_shards(paths, options.windows, options.rounds)
    results["clips"] = []
    for path in paths:
        results["clips"].append(measure_clip(path, readers, options.rounds, 0))
        print(json.dumps(results["clips"][-1]), flush=True)
        results["summary"] = summary(results["clips"])
        # Keeps the rows so far if the run is stopped.
        write_results("decode", results, page(results), options.output)
    print(page(results))


if __name__ == "__main__":
    main()
