"""The viewer and the evaluation page in a real browser, from the file system and served."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: make browser")
BINARY, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (BINARY and DRIVER):
    pytest.skip("needs chromium and chromedriver: make browser", allow_module_level=True)

from zoo.datasets.video.writer import VideoWriter  # noqa: E402
from zoo.inference.evaluating.evaluation import Evaluation  # noqa: E402
from zoo.inference.evaluating.page import write_pages  # noqa: E402
from zoo.visualize.serving import serve  # noqa: E402
from zoo.visualize.viewer import CHUNK, Series, Viewer  # noqa: E402

HEIGHT, WIDTH, COUNT, FPS = 90, 160, 120, 25
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --force-color-profile=srgb "
    "--autoplay-policy=no-user-gesture-required"
)


def make_viewer(folder: Path, video: Path, *, film: bool = True, constant: int = 3) -> None:
    """A page whose map is a spot that moves to the right; one map is constant."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    with Viewer(folder, str(video), np.arange(COUNT) / FPS, HEIGHT, WIDTH) as viewer:
        for frame in range(COUNT):
            x = (0.1 + 0.8 * frame / COUNT) * WIDTH
            spot = np.exp(-((columns - x) ** 2 + (rows - HEIGHT / 2) ** 2) / 200)
            spot = np.ones_like(spot) if frame == constant else spot
            viewer.add(frame, spot, [[x / WIDTH, 0.5, 0.8]])
        viewer.finish(
            film="film.mp4" if film else None,
            series=[Series("temporal attention", np.linspace(0, 1, COUNT))],
            segments=[{"label": "</script><b>jump", "start": 1.0, "end": 2.0}],
            actions=[("jump", 0.75)],
            gaze=[[[0.25, 0.25]]] * COUNT,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prediction")
    for name in ("video.mp4", "film.mp4"):
        with VideoWriter(folder / name, fps=FPS, height=HEIGHT, width=WIDTH) as writer:
            for frame in range(COUNT):
                writer.write(np.full((HEIGHT, WIDTH, 3), 2 * frame, np.uint8))
    make_viewer(folder, folder / "video.mp4")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BINARY
    for argument in OPTIONS.split():
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(60)
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


def until(browser, script: str, seconds: float = 30.0):
    """Wait until a script's value is true, and return it."""
    end = time.monotonic() + seconds
    while not (value := browser.execute_script(script)):
        assert time.monotonic() < end, f"never true: {script}"
        time.sleep(0.02)
    return value


def opened(browser, address: str, width: int = 1200, height: int = 900):
    browser.set_window_size(width, height)
    browser.get(address)
    until(browser, "return window.zooViewer && zooViewer.panes[0].video.readyState >= 2")
    return browser


def go(browser, frame: int) -> None:
    browser.execute_script(f"zooViewer.go({frame})")
    until(
        browser,
        f"const p = zooViewer.panes[0]; return !p.video.seeking && p.drawn === {frame}",
    )


def overlay_at(browser, x: float, y: float) -> list[int]:
    """The overlay's colour and opacity at a place of the frame."""
    return browser.execute_script(
        "const c = zooViewer.panes[0].canvas;"
        "return [...c.getContext('2d').getImageData("
        f"Math.floor({x} * c.width), Math.floor({y} * c.height), 1, 1).data]"
    )


def errors(browser) -> list[str]:
    return [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]


def test_seeking_draws_the_frame_and_its_map(browser, folder):
    opened(browser, (folder / "index.html").as_uri())
    browser.execute_script("document.getElementById('places').click()")
    browser.execute_script("document.getElementById('gaze').click()")
    for frame in (0, 60, CHUNK - 1, CHUNK, COUNT - 1, 60):
        go(browser, frame)
        x = 0.1 + 0.8 * frame / COUNT
        assert overlay_at(browser, x, 0.5)[3] > 100  # opacity .6 at the spot
        assert overlay_at(browser, (x + 0.5) % 1, 0.05)[3] < 20
    # The video shows the same frame: frame 60 is grey 120.
    shown = browser.execute_script("return zooViewer.panes[0].video.currentTime")
    assert 60 / FPS <= shown < 61 / FPS
    caption = browser.execute_script("return zooViewer.panes[0].caption.textContent")
    assert caption.startswith(
        "Frame 60 of 119, 0:02.40: the most likely place is 50% from the left"
    )
    assert not errors(browser)


def test_a_constant_map_is_reported_and_not_drawn(browser, folder):
    opened(browser, (folder / "index.html").as_uri())
    go(browser, 3)
    assert "constant" in browser.execute_script("return zooViewer.panes[0].caption.textContent")
    assert overlay_at(browser, 0.9, 0.9)[3] == 0


def test_toggles_sliders_keys_and_the_time_line(browser, folder):
    opened(browser, (folder / "index.html").as_uri())
    go(browser, 60)

    def press_key(key):
        browser.execute_script(
            f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', "
            "bubbles: true}))"
        )
        return browser.execute_script("return zooViewer.state.frame")

    assert press_key("ArrowRight") == 61
    assert press_key("ArrowLeft") == 60
    assert press_key("PageDown") == 60 + FPS
    assert press_key("Home") == 0
    assert press_key("End") == COUNT - 1
    go(browser, 60)
    browser.execute_script("document.getElementById('saliency').click()")
    assert overlay_at(browser, 0.9, 0.9)[3] == 0
    assert overlay_at(browser, 0.53, 0.5)[3] == 0
    browser.execute_script("document.getElementById('saliency').click()")
    before = overlay_at(browser, 0.56, 0.5)
    browser.execute_script(
        "const c = document.getElementById('colour'); c.value = 'viridis';"
        "c.dispatchEvent(new Event('change'));"
    )
    assert overlay_at(browser, 0.56, 0.5)[:3] != before[:3]
    browser.execute_script(
        "const c = document.getElementById('opacity'); c.value = 0;"
        "c.dispatchEvent(new Event('input'));"
    )
    assert overlay_at(browser, 0.56, 0.5)[3] == 0
    timeline = browser.find_element("id", "timeline")
    webdriver.ActionChains(browser).move_to_element(timeline).click().perform()
    middle = browser.execute_script("return zooViewer.state.frame")
    assert abs(middle - (COUNT - 1) / 2) <= 1
    assert timeline.get_attribute("aria-valuenow") == str(middle)
    segment = browser.find_element("css selector", "#segments button")
    assert segment.text == "</script><b>jump 0:01.00 to 0:02.00"
    segment.click()
    assert browser.execute_script("return zooViewer.state.frame") == FPS
    hidden = browser.execute_script(
        "return [...document.querySelectorAll('[hidden]')].every((e) => e.offsetHeight === 0)"
    )
    assert hidden
    assert "75.0%" in browser.find_element("id", "actions").text
    assert not errors(browser)


def test_playing_advances_the_frames(browser, folder):
    opened(browser, (folder / "index.html").as_uri())
    browser.execute_script("zooViewer.play(true)")
    until(browser, "return zooViewer.state.frame > 3")
    browser.execute_script("zooViewer.play(false)")
    until(browser, "return zooViewer.panes[0].video.paused")
    assert browser.find_element("id", "play").text == "Play"


@pytest.mark.parametrize("width", [390, 1200])
def test_pages_do_not_overflow_and_label_their_controls(browser, folder, tmp_path, width):
    videos = [
        {
            "name": f"film {number}",
            "num_frames": 10,
            "frames_evaluated": 10,
            "frames_without_fixations": [],
            "metrics": {
                method: {"nss": {"sum": value * number, "count": 1, "mean": value * number}}
                for method, value in (("net", 2.0), ("motion", 1.0))
            },
        }
        for number in (1, 3, 2)
    ]
    write_pages(tmp_path, Evaluation(videos, {"models": ["net"]}))
    pages = [folder / "index.html", tmp_path / "index.html", tmp_path / "videos" / "film_1.html"]
    for path in pages:
        browser.set_window_size(width, 900)
        browser.get(path.as_uri())
        found = browser.execute_script(
            """
            const named = (e) => e.getAttribute("aria-label") || e.textContent.trim() || e.title
              || (e.labels && [...e.labels].some((l) => l.textContent.trim()));
            return {
              lang: document.documentElement.lang,
              viewport: !!document.querySelector("meta[name=viewport]"),
              overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
              unnamed: [...document.querySelectorAll("button, input, select, [role=slider]")]
                .filter((e) => !e.closest("[hidden]") && !named(e)).map((e) => e.outerHTML),
              alt: [...document.images].filter((e) => !e.alt).length,
              title: document.title,
            }
            """
        )
        assert found["lang"] == "en" and found["viewport"] and found["title"]
        assert found["overflow"] <= 0
        assert not found["unnamed"] and not found["alt"]
        assert not errors(browser)


def test_numbers_and_names_of_a_table_stay_whole_on_a_phone(browser, tmp_path):
    metrics = {
        "trained_central_bias": {
            name: {"sum": 0.123, "count": 1, "mean": 0.123}
            for name in ("auc_judd", "auc_shuffled", "nss", "cc", "similarity", "kl_divergence")
        }
    }
    video = {"name": "film", "num_frames": 1, "frames_evaluated": 1, "frames_without_fixations": []}
    write_pages(tmp_path, Evaluation([{**video, "metrics": metrics}], {"models": []}))
    browser.set_window_size(390, 900)
    browser.get((tmp_path / "index.html").as_uri())
    lines = browser.execute_script(
        """
        return [...document.querySelectorAll(".scroll :is(th, td)")].map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return new Set([...range.getClientRects()].map((r) => Math.round(r.top / 8))).size;
        });
        """
    )
    assert len(lines) > 12 and max(lines) == 1
    caption = browser.execute_script(
        "return document.querySelector('caption').getBoundingClientRect().right"
    )
    assert caption <= 390


def test_text_has_enough_contrast_in_light_and_dark_mode(browser, folder):
    for scheme in ("light", "dark"):
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        opened(browser, (folder / "index.html").as_uri())
        pairs = browser.execute_script(
            """
            const ground = (e) => {
              for (; e; e = e.parentElement) {
                const c = getComputedStyle(e).backgroundColor;
                if (!c.endsWith(", 0)")) return c;
              }
              return "rgb(255, 255, 255)";
            };
            return [...document.querySelectorAll("p, h1, button, label, summary, figcaption")]
              .map((e) => [getComputedStyle(e).color, ground(e), e.outerHTML.slice(0, 80)]);
            """
        )
        assert len(pairs) > 10
        for text, ground, what in pairs:
            assert contrast(text, ground) >= 4.5, (scheme, what, text, ground)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours after WCAG 2.1."""

    def luminance(colour):
        numbers = [float(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in numbers]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_the_film_replaces_a_video_that_the_browser_cannot_play(browser, folder, tmp_path):
    (tmp_path / "broken.avi").write_bytes(b"RIFF" + bytes(2000))
    shutil.copy(folder / "film.mp4", tmp_path / "film.mp4")
    make_viewer(tmp_path, tmp_path / "broken.avi")
    opened(browser, (tmp_path / "index.html").as_uri())
    assert browser.execute_script("return zooViewer.panes[0].video.src").endswith("film.mp4")
    notice = browser.find_element("css selector", ".notice").text
    assert "cannot play or find broken.avi" in notice and "film.mp4" in notice
    assert overlay_at(browser, 0.9, 0.9)[3] == 0  # the film already contains the saliency


def test_without_any_video_the_page_says_so(browser, tmp_path):
    make_viewer(tmp_path, tmp_path / "gone.mp4", film=False)
    browser.get((tmp_path / "index.html").as_uri())
    until(browser, "return document.querySelector('.notice:not([hidden])')")
    assert "gone.mp4 was not found" in browser.find_element("css selector", ".notice").text


def test_served_side_by_side(browser, folder, tmp_path):
    make_viewer(tmp_path, folder / "video.mp4", film=False, constant=7)
    with serve([folder, tmp_path]) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        opened(browser, f"http://127.0.0.1:{server.server_port}/")
        until(browser, "return zooViewer.panes[1].video.readyState >= 2")
        go(browser, 60)
        until(
            browser, "return zooViewer.panes[1].drawn === 60 && !zooViewer.panes[1].video.seeking"
        )
        times = browser.execute_script("return zooViewer.panes.map((p) => p.video.currentTime)")
        assert times[0] == times[1] and 60 / FPS <= times[0] < 61 / FPS
        assert browser.execute_script("return zooViewer.panes[1].canvas.width") > 100
        assert not errors(browser)
        server.shutdown()
        thread.join()
