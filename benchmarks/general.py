"""The general saliency model on unseen gaze, compared with simple methods and viewers.

    python benchmarks/general.py --data-dir GAZE --output runs/general_benchmark

GAZE holds `stills` (every seventh image is held out), `hevc_clips` (not trained on),
`physics_clips` (films 3, 11 and 17), `triple_jump` and `ucf_sports`. Prints, and writes to
`benchmarks/results/general.{json,md}`: NSS, AUC-Judd, CC and information gain over a Gaussian in
the centre that was fitted to the training stills. They are computed for the model, that Gaussian, a
blurred frame difference, the spectral residual, and half of the viewers predicting the other half.
Means are taken over clips, with 95% intervals from 1000 bootstrap samples of the clips. `--output`
gets a page of frames with heat maps and gaze.

Scored maps of videos are 320 pixels wide, those of stills have the picture's size; truth maps are
fixations blurred by 9 pixels. `--weights` names further weight files, such as those of other seeds;
the spread over them is reported.
"""

from __future__ import annotations

import csv
import dataclasses
import glob
from pathlib import Path

import zoo
from results_page import as_text, machine, write_results
from zoo.datasets import stills as stills_reader
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.source import resize
from zoo.inference.streaming.frame_size import fitting_size
from zoo.inference.streaming.picture import PictureStream
from zoo.inference.streaming.stream import Stream
from zoo.metrics.fast import saliency_metrics
from zoo.visualize.overlay import overlay
from zoo.weights import RECORDS, fetch, read_provenance

import cv2
import keras
import numpy as np
import tyro

WIDTH, SIGMA, EVERY = 320, 9.0, 3
METRICS = ("nss", "auc_judd", "cc", "information_gain")
SETS = ("natural clips", "physics 3, 11, 17", "triple_jump", "diving")


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the benchmark.

    Args:
        data_dir: folder of the recordings.
        weights: weight files in addition to the shipped ones, such as those of other seeds.
        output: folder of the page of pictures; without it, no page is written.
        every: score every `every`-th frame; all frames pass through the model.
    """

    data_dir: str
    weights: tuple[str, ...] = ()
    output: str | None = None
    every: int = EVERY


@dataclasses.dataclass
class Clip:
    """A video, and for each frame the gaze (n, 3): x and y in [0, 1), and the viewer."""

    name: str
    path: str
    gaze: list[np.ndarray]


def clips_of(which: str, root: Path) -> list[Clip]:
    """The clips of a set."""
    if which == "natural clips":
        return [_hevc(Path(path)) for path in sorted(glob.glob(f"{root}/hevc_clips/*.avi"))]
    if which == "triple_jump":
        return [_triple_jump(root / "triple_jump")]
    if which == "diving":
        return [_diving(root / "ucf_sports" / "testing" / "Diving-Side-001")]
    return [_physics(root / "physics_clips", number) for number in (3, 11, 17)]


def _clip(path: Path, samples) -> Clip:
    """`samples(video)` yields (frame, x, y, viewer), x and y in pixels."""
    video = open_video(path)
    gaze: list[list] = [[] for _ in range(video.num_frames)]
    for frame, x, y, viewer in samples(video):
        if 0 <= frame < video.num_frames and 0 <= x < video.width and 0 <= y < video.height:
            gaze[frame].append((x / video.width, y / video.height, viewer))
    return Clip(path.stem, str(path), [np.array(g, np.float32).reshape(-1, 3) for g in gaze])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _hevc(path: Path) -> Clip:
    def samples(video):
        for row in _rows(path.with_suffix(".csv")):
            start = float(row["start_ms"]) / 1000 * video.fps
            stop = start + float(row["duration_ms"]) / 1000 * video.fps
            for frame in range(int(np.ceil(start)), int(np.floor(stop)) + 1):
                yield frame, float(row["x"]), float(row["y"]), int(row["viewer"])

    return _clip(path, samples)


def _physics(folder: Path, number: int) -> Clip:
    def samples(video):
        for row in _rows(folder / f"clip_{number}_gaze.csv"):
            yield int(row["frame"]), float(row["x"]), float(row["y"]), int(row["viewer"])

    return _clip(folder / f"clip_{number}.mov", samples)


def _triple_jump(folder: Path) -> Clip:
    def samples(video):
        for viewer, path in enumerate(sorted(folder.glob("*.csv"))):
            for row in _rows(path):
                if row["valid"] == "1":
                    frame = int(float(row["t_s"]) * video.fps)
                    yield frame, float(row["x_video720"]), float(row["y_video576"]), viewer

    return _clip(folder / "triple_jump.avi", samples)


def _diving(folder: Path) -> Clip:
    gaze = []
    for path in sorted((folder / "images").iterdir()):
        points = cv2.imread(str(folder / "fixation" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        y, x = np.nonzero(points > 127)
        height, width = points.shape
        found = np.column_stack([(x + 0.5) / width, (y + 0.5) / height, np.zeros(len(x))])
        gaze.append(found.astype(np.float32))
    return Clip("diving", str(folder / "images"), gaze)


def gaussian(centre: dict, height: int, width: int) -> np.ndarray:
    """The centred Gaussian as a density."""
    (mean_x, mean_y), (sigma_x, sigma_y) = centre["mean"], centre["sigma"]
    x = np.exp(-0.5 * (((np.arange(width) + 0.5) / width - mean_x) / sigma_x) ** 2)
    y = np.exp(-0.5 * (((np.arange(height) + 0.5) / height - mean_y) / sigma_y) ** 2)
    return np.outer(y, x) / (y.sum() * x.sum())


def spectral_residual(frame: np.ndarray) -> np.ndarray:
    """Hou and Zhang, Saliency detection: a spectral residual approach, 2007."""
    grey = cv2.resize(frame.mean(-1), (64, 64), interpolation=cv2.INTER_AREA)
    spectrum = np.fft.fft2(grey)
    log = np.log(np.abs(spectrum) + 1e-9)
    residual = np.exp(log - cv2.blur(log, (3, 3)) + 1j * np.angle(spectrum))
    found = cv2.GaussianBlur(np.abs(np.fft.ifft2(residual)) ** 2, (0, 0), 2.5)
    return cv2.resize(found, frame.shape[1::-1])


def counted(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fixations per pixel."""
    counts = np.zeros((height, width), np.float32)
    rows = (points[:, 1] * height).astype(int)
    np.add.at(counts, (rows, (points[:, 0] * width).astype(int)), 1.0)
    return counts


def score(density, points, centre_map) -> np.ndarray:
    """The metrics of one map."""
    counts = counted(points, *density.shape)
    truth = cv2.GaussianBlur(counts, (0, 0), SIGMA)
    density = np.maximum(density, 0) / max(float(density.sum()), 1e-12)
    found = saliency_metrics(density[None], counts[None], truth[None], baseline=centre_map)
    return np.array([found[name][0] for name in METRICS])


def score_clip(clip: Clip, streams: dict[str, Stream], centre: dict, every: int, page=None):
    """For each method, the mean of each metric over the frames."""
    video = open_video(clip.path)
    height = round(WIDTH * video.height / video.width)
    centre_map = gaussian(centre, height, WIDTH)
    size = fitting_size(video.height, video.width)
    for stream in streams.values():
        stream.fit(video.height, video.width, video.fps)
        stream.reset()
    found: dict[str, list] = {}
    held: list[np.ndarray] = []
    frames = [cv2.resize(f, size[::-1], interpolation=cv2.INTER_AREA) for f in video.frames()]
    maps = {name: _maps(stream, frames) for name, stream in streams.items()}
    for number, frame in enumerate(frames):
        held = [*held[-3:], frame.astype(np.float32).mean(-1)]
        points = clip.gaze[number]
        if number % every or not len(points):
            continue
        difference = cv2.GaussianBlur(np.abs(held[-1] - held[0]), (0, 0), SIGMA) + 1e-3
        methods = {name: np.exp(part[number]) for name, part in maps.items()}
        methods |= {"frame difference": difference, "spectral residual": spectral_residual(frame)}
        for name, density in methods.items():
            large = cv2.resize(density.astype(np.float32), (WIDTH, height))
            found.setdefault(name, []).append(score(large, points, centre_map))
        found.setdefault("centre", []).append(score(centre_map, points, centre_map))
        for side in (0, 1):
            halves = [points[points[:, 2].astype(int) % 2 == s] for s in (side, 1 - side)]
            if all(len(half) for half in halves):
                seen = cv2.GaussianBlur(counted(halves[0], height, WIDTH), (0, 0), SIGMA)
                seen = 0.95 * seen / seen.sum() + 0.05 * centre_map
                found.setdefault("half of the viewers", []).append(
                    score(seen, halves[1], centre_map)
                )
    if page is not None:
        number = len(frames) // 2
        heat = cv2.resize(np.exp(maps["general"][number]), size[::-1])
        page.append((clip.name, _with_gaze(frames[number], heat, clip.gaze[number])))
    return {name: np.nanmean(values, axis=0) for name, values in found.items()}


def _maps(stream: Stream | PictureStream, frames: list[np.ndarray]) -> np.ndarray:
    parts = [stream.push(np.stack(frames[i : i + 32])) for i in range(0, len(frames), 32)]
    parts.append(stream.finish())
    return np.concatenate([part["log_density"] for part in parts if part])


def _with_gaze(frame, heat, points) -> np.ndarray:
    picture = overlay(frame, heat)
    for x, y, _ in points:
        at = int(x * frame.shape[1]), int(y * frame.shape[0])
        cv2.circle(picture, at, 2, (255, 255, 255), -1)
    return picture


def interval(values: np.ndarray, draws: int = 1000) -> tuple[float, float]:
    """95% interval of the mean, by bootstrap; the value itself if there is only one."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(1)
    return tuple(np.quantile(means, (0.025, 0.975)).tolist())


def score_held_out(model: keras.Model, root: Path, centre: dict) -> dict:
    """Score the held-out stills, predicted as `zoo.predict` predicts pictures."""
    stream, found = PictureStream(model), {}
    # Grouped by size, so that each size is compiled only once.
    held_out = stills_reader.load(root, "validation")
    for still in sorted(held_out, key=lambda s: fitting_size(s.height, s.width)):
        stream.fit(still.height, still.width)
        log_density = _maps(stream, [resize(still.picture(), stream.frame_shape[:2])])[0]
        centre_map = gaussian(centre, still.height, still.width)
        large = cv2.resize(np.exp(log_density), (still.width, still.height))
        found.setdefault((still.group, "general"), []).append(
            score(large, still.points, centre_map)
        )
        for side in (0, 1):
            halves = [still.points[still.viewers % 2 == s] for s in (side, 1 - side)]
            if all(len(half) for half in halves):
                seen = counted(halves[0], still.height, still.width)
                seen = cv2.GaussianBlur(seen, (0, 0), SIGMA)
                seen = 0.95 * seen / seen.sum() + 0.05 * centre_map
                found.setdefault((still.group, "half of the viewers"), []).append(
                    score(seen, halves[1], centre_map)
                )
    result: dict = {}
    for (group, method), values in found.items():
        means = np.nanmean(values, axis=0)
        result.setdefault(group, {})[method] = dict(zip(METRICS, means.tolist()))
    return result


def main(config: Config) -> None:
    """Score everything and write the tables."""
    root = Path(config.data_dir)
    held = read_provenance(fetch(RECORDS["general"]))
    centre = held["results"]["centred_gaussian"]
    models = {"general": zoo.load("general", verbose=False)}
    for path in config.weights:
        models[Path(path).parent.name] = zoo.general_saliency(weights=path)
    streams = {name: Stream(model) for name, model in models.items()}
    environment = {
        "backend": keras.config.backend(),
        **machine("keras"),
        "scored: one frame in": config.every,
    }
    results: dict = {"environment": environment}
    page: list | None = [] if config.output else None
    for which in SETS:
        for clip in clips_of(which, root):
            scores = score_clip(clip, streams, centre, config.every, page)
            print(clip.name, {m: np.round(s, 3).tolist() for m, s in scores.items()}, flush=True)
            named = {m: dict(zip(METRICS, s.tolist())) for m, s in scores.items()}
            results.setdefault(which, {})[clip.name] = named
        # A stopped run leaves the results of finished sets.
        write_results("general", results, markdown(results, list(streams)))
    results["stills"] = score_held_out(models["general"], root / "stills", centre)
    text = markdown(results, list(streams))
    write_results("general", results, text)
    print(text)
    if page:
        write_page(Path(config.output), page)


def markdown(results: dict, models: list[str]) -> str:
    """The tables."""
    lines = ["# The general model on unseen gaze", ""]
    lines += ["Written by `benchmarks/general.py`. IG: information gain over the centre, bits.", ""]
    if "stills" in results:
        lines += ["## Held-out stills", "", "| set | method | NSS | AUC-J | CC | IG |"]
        lines += ["|---|---|---|---|---|---|"]
    for group, methods in results.get("stills", {}).items():
        for method, values in methods.items():
            cells = " | ".join(f"{values[name]:.3f}" for name in METRICS)
            lines.append(f"| {group} | {method} | {cells} |")
    for which in (name for name in SETS if name in results):
        clips = results[which]
        lines += ["", f"## {which} ({len(clips)})", ""]
        lines += ["| method | NSS | AUC-J | CC | IG | 95% of NSS | 95% of IG |"]
        lines += ["|---|---|---|---|---|---|---|"]
        methods = list(dict.fromkeys(m for clip in clips.values() for m in clip))
        for method in methods:
            rows = np.array(
                [[c[method][n] for n in METRICS] for c in clips.values() if method in c]
            )
            cells = " | ".join(f"{v:.3f}" for v in rows.mean(0))
            spans = ["{:.2f} to {:.2f}".format(*interval(rows[:, i])) for i in (0, 3)]
            lines.append(f"| {method} | {cells} | {' | '.join(spans)} |")
        above = {
            other: sum(c["general"]["nss"] > c[other]["nss"] for c in clips.values())
            for other in ("centre", "frame difference")
        }
        told = " and above ".join(f"the {name} on {n}" for name, n in above.items())
        lines += ["", f"NSS of the general model is above {told} of {len(clips)}."]
        if len(models) > 1:
            means = [np.mean([c[m]["nss"] for c in clips.values()]) for m in models]
            lines.append(f"Spread of NSS over {len(models)} seeds: {np.ptp(means):.3f}.")
    lines += ["", "| natural clip | NSS | IG | centre NSS | frame difference NSS | viewers NSS |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, methods in results["natural clips"].items():
        ours = methods["general"]
        others = " | ".join(
            f"{methods[m]['nss']:.2f}"
            for m in ("centre", "frame difference", "half of the viewers")
        )
        lines.append(f"| {name} | {ours['nss']:.2f} | {ours['information_gain']:.2f} | {others} |")
    return "\n".join([*lines, "", f"Measured with {as_text(results['environment'])}.", ""])


def write_page(folder: Path, page: list) -> None:
    """A picture of each clip's middle frame, with its heat map and the viewers' gaze."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = ["<!doctype html><title>The general model</title><h1>The general model</h1>"]
    parts.append("<p>The middle frame of each clip; white: where people looked.</p>")
    for name, picture in page:
        cv2.imwrite(str(folder / f"{name}.png"), picture[:, :, ::-1])
        parts.append(f'<figure><img src="{name}.png" alt="{name}">{name}</figure>')
    (folder / "index.html").write_text("\n".join(parts))


if __name__ == "__main__":
    main(tyro.cli(Config))
