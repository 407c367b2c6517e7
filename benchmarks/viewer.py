"""How long the viewer page takes to seek in a five-minute 720p film.

    pip install -r requirements/browser.txt   # and chromium with chromedriver, see `make browser`
    python benchmarks/viewer.py

The film is a pan over a photograph of scikit-learn (china.jpg, CC BY, Hiroyuki Takeuchi) with 7500
frames of 1280x720 at 25 fps, written like the films of `zoo predict`. The page's maps show a moving
spot, because the time does not depend on the model. The page is opened in headless Chromium from
the file system and seeks to SEEKS random frames. A seek is timed from the call until the browser
shows the frame and the page has drawn its map. Writes viewer.json and viewer.md.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from results_page import RESULTS, load_average, machine, write_results
from zoo.visualize.film import SaliencyFilm
from zoo.visualize.viewer import PAGE, Viewer

import cv2
import numpy as np
from selenium import webdriver
from sklearn.datasets import load_sample_image

HEIGHT, WIDTH, FPS, COUNT = 720, 1280, 25, 7500
SEEKS, LIMIT = 20, 0.3
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --window-size=1280,1000"
)
# Ready when the video has finished seeking and the map is drawn.
JUMP = """
const [frame, done] = arguments, pane = zooViewer.panes[0], begin = performance.now();
const wait = () => {
  if (!pane.video.seeking && pane.video.readyState >= 2 && pane.drawn === frame)
    requestAnimationFrame(() => done((performance.now() - begin) / 1000));
  else setTimeout(wait, 2);
};
zooViewer.go(frame);
wait();
"""


def write_film(folder: Path, count: int) -> Path:
    """Write the film and its page."""
    photograph = cv2.resize(load_sample_image("china.jpg"), None, fx=4, fy=4)
    rows, columns = photograph.shape[0] - HEIGHT, photograph.shape[1] - WIDTH
    down, across = np.mgrid[:54, :96] + 0.5
    film = folder / "pan.mp4"
    with Viewer(folder, str(film), np.arange(count) / FPS, HEIGHT, WIDTH) as viewer:
        with SaliencyFilm(film, fps=FPS, height=HEIGHT, width=WIDTH) as writer:
            for frame in range(count):
                at = frame / FPS
                y = int(rows * (0.5 + 0.5 * np.sin(at / 7)))
                x = int(columns * (0.5 + 0.5 * np.sin(at / 5)))
                place = 0.5 + 0.4 * np.sin(at / 2), 0.5 + 0.4 * np.cos(at / 3)
                distance = (across / 96 - place[0]) ** 2 + (down / 54 - place[1]) ** 2
                spot = np.exp(-distance / 0.01).astype(np.float32)
                picture = np.ascontiguousarray(photograph[y : y + HEIGHT, x : x + WIDTH])
                writer.write(picture, spot, np.array([[*place, 1.0]]))
                viewer.add(frame, spot, [[*place, 1.0]])
        viewer.finish()
    return film


def jumps(folder: Path, count: int) -> tuple[float, list[float], str]:
    """Seconds until the page is ready, seconds of each seek, and the browser's version."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in [*OPTIONS.split(), f"--user-data-dir={folder / 'profile'}"]:
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        browser.set_script_timeout(60)
        start = time.perf_counter()
        browser.get((folder / PAGE).absolute().as_uri())
        ready = "return window.zooViewer && zooViewer.panes[0].video.readyState >= 2"
        while not browser.execute_script(ready):
            time.sleep(0.01)
        opened = time.perf_counter() - start
        frames = np.random.default_rng(0).integers(0, count, SEEKS)
        taken = [browser.execute_async_script(JUMP, int(frame)) for frame in frames]
        about = browser.capabilities["browserVersion"]
    finally:
        browser.quit()
    return opened, taken, about


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=COUNT)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        film = write_film(Path(folder), options.frames)
        written = time.perf_counter() - start
        opened, taken, browser = jumps(Path(folder), options.frames)
        data = Path(folder, "viewer", "data.js").stat().st_size
        maps = sum(path.stat().st_size for path in Path(folder, "viewer").glob("maps-*.js"))
        size = film.stat().st_size
    found = {
        "frames": options.frames,
        "seconds_to_write": round(written, 1),
        "film_mb": round(size / 1e6, 2),
        "data_mb": round(data / 1e6, 2),
        "maps_mb": round(maps / 1e6, 2),
        "seconds_to_open": round(opened, 3),
        "jumps": [round(value, 3) for value in taken],
        "median": round(float(np.median(taken)), 3),
        "longest": round(max(taken), 3),
        "within": sum(value <= LIMIT for value in taken),
        "chromium": browser,
        **machine("selenium"),
        "load": load_average(),
    }
    write_results("viewer", found, markdown(found), options.results)
    print(markdown(found))


def markdown(found: dict) -> str:
    """The table."""
    return "\n".join(
        [
            "# The viewer page with a five-minute 720p film",
            "",
            f"Made by `benchmarks/viewer.py`, which says how. Wanted: {LIMIT} s a jump.",
            "",
            "| | |",
            "|---|---|",
            f"| frames | {found['frames']} |",
            f"| film, list of frames, maps: MB | {found['film_mb']:.1f}, {found['data_mb']:.2f}, "
            f"{found['maps_mb']:.1f} |",
            f"| seconds until the page is there | {found['seconds_to_open']:.2f} |",
            f"| seconds of a jump: median, longest of {len(found['jumps'])} "
            f"| {found['median']:.3f}, {found['longest']:.3f} |",
            f"| jumps within {LIMIT} s | {found['within']} |",
            "",
            f"Chromium {found['chromium']}, headless, {found['processors']} cores, load "
            f"{found['load']}.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
