"""The input path on data of the size of UCF101 and DHF1K: start, memory, disk, speed.

    python benchmarks/input.py [--output benchmarks/results]

Makes two data sets from real clips (`../shared/data/clips`): 13,320 links to clips of UCF101, read
as 30 frames of 224x224 spread over the video; and 600 links to films of 640x360 with 600 frames,
encoded from a real clip, with the gaze of 17 synthetic viewers, read as windows of 65 frames of
112x112. For each data set it measures, in separate processes:

- the start, from the launch of Python to the end of the first training step, if the
  index exists;
- the peak memory of that process, and the disk space of the cache relative to that of the videos;
- batches per second of the stream, and of only the decoder, which reads the same frames
  of the same videos with `open_video` in as many threads and stacks them. Both take turns, and
  processor time is measured too, because other programs disturb it less.

To index a large data set, the first videos are indexed and timed; links to the same files get the
same entries. `benchmarks/pipeline.py` measures how long training waits for its input. Writes
input.json and input.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from results_page import RESULTS, as_text, load_average, machine, write_results

import numpy as np

CLIPS = Path(__file__).resolve().parents[2] / "shared" / "data" / "clips"
INDEXED = 16  # videos that are counted and timed
VIEWERS = 17
BATCH = 4


def links(sources: list[Path], count: int, folder: Path) -> list[Path]:
    """Make `count` links to the files, in turn."""
    folder.mkdir(parents=True)
    made = []
    for number in range(count):
        source = sources[number % len(sources)]
        path = folder / f"{number:05d}{source.suffix}"
        os.symlink(source, path)
        made.append(path)
    return made


def film(path: Path, frames: int = 600) -> Path:
    """A film of 640x360 from a real clip, played forwards and backwards."""
    from zoo.datasets.video.reading import open_video
    from zoo.datasets.video.writer import VideoWriter

    source = open_video(CLIPS / "kinetics" / "arm_wrestling_demo.mp4").read(range(200), (360, 640))
    order = np.abs((np.arange(frames) + 199) % 398 - 199)
    with VideoWriter(path, fps=30, height=360, width=640, quality=23) as writer:
        for number in order:
            writer.write(source[number])
    return path


def gaze(path: Path, frames: int = 600) -> Path:
    """Gaze of synthetic viewers that wander over the frame."""
    rng = np.random.default_rng(0)
    places = 0.5 + 0.2 * np.cumsum(rng.normal(size=(frames, VIEWERS, 2)), 0) / np.sqrt(frames)
    lines = ["viewer,frame,x,y"]
    for frame in range(frames):
        for viewer in range(VIEWERS):
            x, y = np.clip(places[frame, viewer] * [640, 360], 0, [639, 359])
            lines.append(f"{viewer},{frame},{x:.2f},{y:.2f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def make_tree(case: str, root: Path) -> None:
    """Make the videos and, if the data set has some, the gaze."""
    if case == "ucf101":
        clips = sorted((CLIPS / "ucf101").glob("*.avi"))
        if not clips:
            raise SystemExit(f"The real clips must be beside this checkout. Received: {CLIPS}")
        links(clips, 13_320, root / "videos")
    else:
        (root / "made").mkdir(parents=True)
        links([film(root / "made" / "film.mp4")], 600, root / "videos")
        links([gaze(root / "made" / "gaze.csv")], 600, root / "gaze")


def records(case: str, root: Path):
    """The records of the data set."""
    from zoo.datasets.record import GazeSource, Record

    found = []
    for number, path in enumerate(sorted((root / "videos").iterdir())):
        source = GazeSource((str(root / "gaze" / f"{path.stem}.csv"),)) if case == "dhf1k" else None
        label = number % 101 if case == "ucf101" else None
        found.append(Record(path.stem, str(path), "train", label, source))
    return found


def index_tree(case: str, root: Path) -> dict[str, float]:
    """Index some videos, and copy their entries for the links to the same files."""
    from zoo.datasets.video.index import VideoIndex

    paths = [record.video for record in records(case, root)]
    began = time.perf_counter()
    index = VideoIndex(root / "cache" / "videos.npz")
    facts = index.scan(paths[:INDEXED])
    seconds = time.perf_counter() - began
    of_file = {os.path.realpath(path): held for path, held in facts.items()}
    index.add({path: of_file[os.path.realpath(path)] for path in paths})
    return {"videos": INDEXED, "seconds_a_video": seconds / INDEXED}


def samples_of(case: str, root: Path):
    """The samples, and a small model for them."""
    import zoo
    from zoo.datasets import Action, Frames, HorizontalFlip, Mixture, Samples, Segments, Windows

    options = {"cache": root / "cache", "transforms": [HorizontalFlip()]}
    if case == "ucf101":
        parts = {"inputs": [Frames((224, 224))], "targets": [Action(101)]}
        samples = Samples(records(case, root), Segments(30), **parts, **options)
        model = zoo.soft_attention(
            num_classes=101,
            num_frames=30,
            backbone=zoo.backbones.small_cnn(image_size=(224, 224)),
        )
        model.compile("adam", loss={"action": zoo.losses.StepCrossEntropy()})
    else:
        parts = {"inputs": [Frames((112, 112))], "targets": [Mixture(VIEWERS)]}
        samples = Samples(records(case, root), Windows(65, pad=True), **parts, **options)
        model = zoo.rmdn(
            dense=True, width=0.125, endpoint="conv5b", units=128, num_components=8,
            trainable_backbone=True, normalization=True, preprocessing="rgb_unit",
        )  # fmt: skip
        model.compile("adam", loss={"mixture": zoo.losses.MixtureNLL("mean")})
    return samples, model


def peak() -> float:
    """Peak memory of this process so far, in GB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def start(case: str, root: Path, launched: float) -> dict[str, float]:
    """Start with an existing index and train some steps: seconds and memory."""
    from zoo.datasets import stream

    samples, model = samples_of(case, root)
    known = time.time()
    history = model.fit(stream(samples, BATCH), steps_per_epoch=1, epochs=1, verbose=0)
    first, processor = time.time(), time.process_time()
    model.fit(stream(samples, BATCH, start_step=1), steps_per_epoch=6, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    return {
        "seconds_to_first_step": first - launched,
        "processor_seconds_to_first_step": processor,
        "of_these_until_the_samples_and_the_model": known - launched,
        "peak_gb": peak(),
    }


def decoding(case: str, root: Path, batches: int, rounds: int, workers: int) -> dict[str, float]:
    """Batches per second of the stream, and of only the decoder on the same frames."""
    from zoo.datasets import stream
    from zoo.datasets.video.reading import open_video

    samples, _ = samples_of(case, root)
    size = samples.inputs[0].size

    def plan(number: int):
        video, steps = samples.choose(number)[:2]
        return samples.records[video].video, samples.facts(video).stamps, steps

    def alone(first: int) -> tuple[float, float]:
        numbers = [first * BATCH + at for at in range(batches * BATCH)]
        chosen = [plan(number) for number in numbers]
        wall, processor = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(workers) as pool:
            read = pool.map(lambda c: open_video(c[0], stamps=c[1]).read(c[2], size), chosen)
            for _ in range(batches):
                np.stack([next(read) for _ in range(BATCH)])
        return time.perf_counter() - wall, time.process_time() - processor

    def piped(first: int) -> tuple[float, float]:
        given = iter(stream(samples, BATCH, start_step=first - 2, workers=workers))
        # Between two batches in the steady state, in which the prefetched amount is constant.
        for _ in range(2):
            next(given)
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(batches):
            next(given)
        return time.perf_counter() - wall, time.process_time() - processor

    wanted = {samples.choose(at)[0] for at in range(BATCH * (4 + rounds * batches))}
    began = time.process_time()
    for video in wanted if case == "dhf1k" else ():
        samples.truth(video)  # the first reading parses a table; from then on it is stored
    gaze_seconds = (time.process_time() - began) / len(wanted)
    piped(2)
    walls, busy = {"stream": [], "decoder": []}, {"stream": [], "decoder": []}
    for number in range(rounds):
        for name, way in (("decoder", alone), ("stream", piped)):
            time.sleep(1)  # the other one has ended
            wall, processor = way(2 + number * batches)
            walls[name].append(wall / batches)
            busy[name].append(processor / batches)
    ratios = np.array(walls["decoder"]) / np.array(walls["stream"])
    shares = np.array(busy["decoder"]) / np.array(busy["stream"])
    return {
        "stream_batches_a_second": float(1 / np.median(walls["stream"])),
        "decoder_batches_a_second": float(1 / np.median(walls["decoder"])),
        "ratio": float(np.median(ratios)),
        "ratios": ratios.round(3).tolist(),
        "processor_ratio": float(np.median(shares)),
        "processor_ratios": shares.round(3).tolist(),
        "seconds_a_video_to_parse_gaze_once": gaze_seconds,
    }


def disk(root: Path) -> dict[str, float]:
    """Size of the cache and of the videos."""
    kept = sum(path.stat().st_size for path in (root / "cache").rglob("*") if path.is_file())
    videos = sum(path.stat().st_size for path in (root / "videos").iterdir())
    return {"cache_mb": kept / 1e6, "videos_mb": videos / 1e6, "share": kept / videos}


def measure(case: str, part: str, root: Path, options: argparse.Namespace) -> dict:
    """Run one measurement in its own process."""
    command = [sys.executable, __file__, "--case", case, "--part", part, "--root", str(root)]
    command += ["--launched", str(time.time()), "--rounds", str(options.rounds)]
    command += ["--steps", str(options.steps), "--workers", str(options.workers)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    found = json.loads(done.stdout.splitlines()[-1])
    print(case, part, json.dumps(found), flush=True)
    return found


def child(options: argparse.Namespace) -> dict:
    case, root = options.case, options.root
    if options.part == "index":
        return index_tree(case, root)
    if options.part == "start":
        return start(case, root, options.launched)
    return decoding(case, root, options.steps, options.rounds, options.workers)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    for name in ("--case", "--part"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--launched", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(child(options)))
        return
    rows = {}
    for case in ("ucf101", "dhf1k"):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            make_tree(case, root)
            rows[case] = {"index": measure(case, "index", root, options)}
            for part in ("start", "decoding"):
                rows[case][part] = measure(case, part, root, options)
            rows[case]["disk"] = disk(root)
    about = machine("tensorflow", "keras", "av", "numpy")
    held = {"machine": {**about, "load_average": load_average()}, "rows": rows}
    text = page(held, options)
    write_results("input", held, text, options.output)
    print(text)


def page(held: dict, options: argparse.Namespace) -> str:
    """The table."""
    names = {
        "ucf101": "UCF101-sized: 13,320 videos, 30 spread frames of 224x224",
        "dhf1k": "DHF1K-sized: 600 videos of 640x360, windows of 65 frames of 112x112",
    }
    lines = [
        "# The input path",
        "",
        as_text(held["machine"]),
        "",
        f"Batches of {BATCH}; medians of {options.rounds} rounds of {options.steps} batches, "
        f"{options.workers} workers; see `benchmarks/input.py`. Bars: start 30 s, memory 3 GB, "
        "disk 5%, stream to decoder 0.9. Seconds and the plain ratio are those of the clock and "
        "hold only for a machine that does nothing else (see load_average).",
        "",
        "| data set | indexing, s a video | start to first step, s | peak memory, GB "
        "| cache, share of the videos' size | stream, batches a second "
        "| decoder alone | ratio | ratio of processor time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case, name in names.items():
        row = held["rows"][case]
        lines.append(
            f"| {name} | {row['index']['seconds_a_video']:.3f} "
            f"| {row['start']['seconds_to_first_step']:.1f} "
            f"({row['start']['processor_seconds_to_first_step']:.1f} of the processor) "
            f"| {row['start']['peak_gb']:.2f} "
            f"| {row['disk']['share']:.2%} | {row['decoding']['stream_batches_a_second']:.2f} "
            f"| {row['decoding']['decoder_batches_a_second']:.2f} "
            f"| {row['decoding']['ratio']:.2f} | {row['decoding']['processor_ratio']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
