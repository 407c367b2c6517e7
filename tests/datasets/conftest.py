from __future__ import annotations

import contextlib
import functools
import http.server
import threading

import numpy as np
import pytest

from zoo.datasets import moving_targets
from zoo.datasets.video.writer import VideoWriter


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder and records of a small synthetic data set; read only."""
    root = tmp_path_factory.mktemp("moving_targets") / "data"
    return root, moving_targets.make(root, num_videos=8, frames=32, size=(64, 80), seed=3)


def numbered_video(path, count, height=32, width=64, fps=25.0):
    """Write a video whose frame i shows i as bits: eight light or dark bars."""
    with VideoWriter(path, fps=fps, height=height, width=width) as writer:
        for number in range(count):
            bits = [(number >> bit) & 1 for bit in range(8)]
            row = np.repeat(np.array(bits) * 255, width // 8)
            writer.write(np.broadcast_to(row[None, :, None], (height, width, 3)).astype(np.uint8))
    return path


def number_of(frame):
    """Read the number back from a frame of `numbered_video`."""
    step = frame.shape[1] // 8
    return sum((int(frame[0, step // 2 + bit * step, 0]) > 127) << bit for bit in range(8))


@contextlib.contextmanager
def served(folder):
    """URL of a web server for the files of a folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
