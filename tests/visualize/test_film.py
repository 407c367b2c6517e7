import numpy as np

from zoo.datasets.video.reading import open_video
from zoo.visualize.film import KEY_EVERY, SaliencyFilm


def test_frames_with_and_without_a_map(tmp_path):
    frame = np.full((35, 51, 3), 80, np.uint8)  # odd sizes
    spot = np.zeros((35, 51), np.float32)
    spot[10:20, 10:20] = 1
    with SaliencyFilm(tmp_path / "film.mp4", fps=10, height=35, width=51) as film:
        film.write(frame, None)
        film.write(frame, spot, np.array([[0.8, 0.8, 1.0]]))
        assert not (tmp_path / "film.mp4").exists()
    plain, drawn = (f.astype(int) for f in open_video(tmp_path / "film.mp4").frames())
    assert np.abs(plain - 80).max() < 12
    assert drawn[15, 15, 0] > drawn[15, 15, 2] + 40
    assert np.abs(drawn[25:32, 37:46] - 80).max() > 40  # the ring


def test_a_browser_can_seek(tmp_path):
    frame = np.full((32, 48, 3), 80, np.uint8)
    with SaliencyFilm(tmp_path / "film.mp4", fps=25, height=32, width=48) as film:
        for _ in range(2 * KEY_EVERY + 1):
            film.write(frame, None)
    keys = open_video(tmp_path / "film.mp4").index.keys
    assert keys[0] == 0 and np.diff(keys).max() <= KEY_EVERY
