"""Few training films: an RMDN that starts from the general model, and one from scratch.

    python benchmarks/little_data.py --data-dir GAZE --output runs/little_data

GAZE holds `physics_clips`. Trains on 1, 3, 6 and 12 films and tests on films 3, 11 and 17, which
no run sees; one further film selects the best epoch. The general model without any training is the
row of 0 films. "From the general model" is `zoo train rmdn --weights general`, the backbone frozen
and its features computed once; "from scratch" is the small RMDN of `zoo train demo`, trained end
to end.
Both take about the same number of steps, regardless of the number of films.

Prints, and writes to `benchmarks/results/little_data.{json,md}` after each run: NSS and
information gain over the centred Gaussian of the training stills, at every sixth frame of the test
films. A run that was stopped is resumed; finished runs are not repeated.
"""

from __future__ import annotations

import csv
import dataclasses
import sys
from pathlib import Path

import zoo
from zoo.inference.streaming.stream import Stream
from zoo.recipes import rmdn
from zoo.recipes.demo import SMALL
from zoo.weights import RECORDS, fetch, read_provenance

import cv2
import keras
import numpy as np
import tyro

sys.path.insert(0, str(Path(__file__).resolve().parent))
from general import WIDTH, Clip, clips_of, gaussian, open_video, score
from results_page import as_text, machine, write_results

# The first films, one more than a run trains on: the recipe draws one of them to select the epoch.
FILMS = (1, 8, 15, 5, 12, 19, 2, 6, 10, 13, 16, 18, 4)
SCORED = 6  # every 6th frame
SHARED = {"window": 40, "patience": None, "tensorboard": False, "evaluate": False}
FROM_GENERAL = {
    "weights": "general",
    "image_size": (192, 256),
    "units": 64,
    "dropout": 0.3,
    "min_sigma": 0.02,
    "fixations": 40,
    "batch_size": 4,
    "optimizer": "adam",
    "rate": 1e-3,
    "schedule": "cosine",
    "over_fixations": "mean",
}
FROM_SCRATCH = {**SMALL, "fixations": 40, "vertical_flips": True}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the benchmark.

    Args:
        data_dir: folder that holds `physics_clips`.
        output: folder of the runs.
        films: numbers of training films.
        epochs: number of epochs of every run.
        windows: number of windows per epoch, from all films together.
    """

    data_dir: str
    output: str = "runs/little_data"
    films: tuple[int, ...] = (1, 3, 6, 12)
    epochs: int = 8
    windows: int = 72


def write_table(folder: Path, data: Path, count: int) -> Path:
    """Write the recipe's table: `count` training films, and one more to select the epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "videos.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "video", "gaze", "split"])
        for n in FILMS[: count + 1]:
            video, gaze = data / f"clip_{n}.mov", data / f"clip_{n}_gaze.csv"
            writer.writerow([f"clip_{n}", video, gaze, "train"])
    return path


def train(way: str, options: dict, count: int, config: Config) -> Path:
    """Train unless this was done before; return the model."""
    folder = Path(config.output) / f"{way}_{count}"
    windows = max(1, config.windows // count)
    options = {**options, **SHARED, "epochs": config.epochs, "windows_per_video": windows}
    data = Path(config.data_dir).resolve() / "physics_clips"
    if not (folder / "results.json").exists():
        rmdn.main(
            rmdn.Config(
                dataset="csv",
                data_dir=str(write_table(folder / "table", data, count)),
                output=str(folder),
                cache=str(Path(config.output) / "cache"),
                validation_share=1e-3,  # one film
                **options,
            )
        )
    return folder / "model.keras"


def score_films(model: keras.Model, films: list[Clip], centre: dict) -> dict:
    """Means over the films of NSS and information gain."""
    means = []
    for film in films:
        stream = Stream(model)
        video = open_video(film.path)
        stream.fit(video.height, video.width, video.fps)
        height = round(WIDTH * video.height / video.width)
        centre_map = gaussian(centre, height, WIDTH)
        size = stream.frame_shape[1::-1]
        frames = [cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in video.frames()]
        name = "log_density" if "log_density" in stream.output_names else "mixture"
        parts = [stream.push(np.stack(frames[i : i + 32])) for i in range(0, len(frames), 32)]
        parts.append(stream.finish())
        outputs = np.concatenate([part[name] for part in parts if part])
        found = []
        for number in range(0, len(frames), SCORED):
            if not len(film.gaze[number]):
                continue
            if name == "mixture":
                maps = zoo.layers.mixture_map(outputs[number : number + 1], height, WIDTH)
                density = keras.ops.convert_to_numpy(maps)[0]
            else:
                density = cv2.resize(np.exp(outputs[number]), (WIDTH, height))
            found.append(score(density, film.gaze[number], centre_map))
        means.append(np.nanmean(found, axis=0))
    nss, _, _, gain = np.mean(means, axis=0)
    return {"nss": float(nss), "information_gain": float(gain)}


def main(config: Config) -> None:
    """Train and score everything, and write the table."""
    centre = read_provenance(fetch(RECORDS["general"]))["results"]["centred_gaussian"]
    films = clips_of("physics 3, 11, 17", Path(config.data_dir))
    about = {
        "backend": keras.config.backend(),
        **machine("keras"),
        "epochs": config.epochs,
        "windows an epoch": config.windows,
    }
    general = zoo.load("general", verbose=False)
    found = {"0": {"from the general model": score_films(general, films, centre)}}
    for count in config.films:
        found[str(count)] = {}
        for way, options in (("general", FROM_GENERAL), ("scratch", FROM_SCRATCH)):
            model = zoo.load(train(way, options, count, config), verbose=False)
            label = "from scratch" if way == "scratch" else "from the general model"
            found[str(count)][label] = score_films(model, films, centre)
            print(count, label, found[str(count)][label], flush=True)
            rows = dict(sorted(found.items(), key=lambda item: int(item[0])))
            write_results("little_data", {"about": about, "films": rows}, markdown(rows, about))


def markdown(rows: dict, about: dict) -> str:
    """The table of the results so far."""
    ways = ("from the general model", "from scratch")
    lines = ["# Training on few films", "", "Made by `benchmarks/little_data.py`, which says how."]
    lines += ["NSS, and information gain in bits over the centre, on three films of balls.", ""]
    lines += ["| training films | " + " | ".join(ways) + " |", "|---|---|---|"]
    for count, values in rows.items():
        cells = [
            f"{values[w]['nss']:.3f}, {values[w]['information_gain']:.3f}" if w in values else "-"
            for w in ways
        ]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Measured with {as_text(about)}."])


if __name__ == "__main__":
    main(tyro.cli(Config))
