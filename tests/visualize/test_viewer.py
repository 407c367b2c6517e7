"""The viewer's files and server; tests/browser tests the page itself."""

import base64
import http.client
import json
import re
import threading

import cv2
import numpy as np
import pytest

from zoo.visualize.serving import serve
from zoo.visualize.viewer import CHUNK, Series, Viewer, add_to_viewer, read_viewer


def maps_of(folder):
    """The maps in the page's scripts, (frames, rows, columns)."""
    parts = []
    for path in sorted((folder / "viewer").glob("maps-*.js")):
        data = base64.b64decode(re.search(r"base64,([^\"]+)", path.read_text())[1])
        parts.append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE))
    rows = read_viewer(folder)["rows"]
    return np.concatenate(parts).reshape(-1, rows, parts[0].shape[1])


def write(folder, maps, **finish):
    times = np.arange(len(maps)) / 25
    with Viewer(folder, "clip.mp4", times, *maps.shape[1:]) as viewer:
        for frame, saliency in enumerate(maps):
            viewer.add(frame, saliency)
        viewer.finish(**finish)
    return read_viewer(folder)


def test_maps_keep_their_order_and_values(tmp_path):
    maps = np.random.default_rng(0).uniform(size=(CHUNK + 3, 27, 48))
    maps[:, 0, 0], maps[:, 0, 1] = 0, 1  # so that the 255 levels are hundredths of the same range
    about = write(tmp_path, maps)
    assert (about["chunks"], about["count"], about["rows"], about["columns"]) == (2, 53, 27, 48)
    np.testing.assert_allclose(maps_of(tmp_path) / 255, maps, atol=0.5 / 255 + 1e-6)


def test_entropy_and_peak_have_their_closed_forms(tmp_path):
    maps = np.zeros((3, 32, 64), np.float32)
    maps[0, 3, 5] = 2.0  # a single place: zero entropy, 2048 times uniform
    maps[1] = 0.7  # uniform
    maps[2, 0, :4] = 1.0  # four places: two bits
    about = write(tmp_path, maps)
    series = {curve["name"]: curve["values"] for curve in about["series"]}
    np.testing.assert_allclose(series["entropy"], [0, 11, 2], atol=1e-4)
    np.testing.assert_allclose(series["peak"], [2048, 1, 512], rtol=1e-4)
    assert about["constant"] == [1]


def test_series_can_be_added_later(tmp_path):
    maps = np.random.default_rng(0).uniform(size=(3, 9, 16))
    before = write(tmp_path, maps, film="film.mp4")
    curve = Series("temporal attention", [0.1, np.nan, 0.3])
    add_to_viewer(tmp_path, series=[curve], actions=[("run", 0.5)])
    after = read_viewer(tmp_path)
    assert after["film"] == "film.mp4" and after["actions"] == [["run", 0.5]]
    assert after["series"][:2] == before["series"]
    assert after["series"][2]["values"] == [0.1, None, 0.3]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (301, 7), (2160, 3840)])
def test_odd_sizes(tmp_path, shape):
    about = write(tmp_path, np.random.default_rng(0).uniform(size=(1, *shape)))
    assert max(about["rows"], about["columns"]) <= 96
    assert maps_of(tmp_path).shape == (1, about["rows"], about["columns"])


def test_an_unfinished_page_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), Viewer(tmp_path, "a.mp4", [0.0], 9, 16) as viewer:
        viewer.add(0, np.ones((9, 16)))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_bad_maps(tmp_path):
    with Viewer(tmp_path, "a.mp4", [0.0, 0.1], 9, 16) as viewer:
        viewer.add(0, np.ones((9, 16)))
        with pytest.raises(ValueError, match=r"finite. Received: NaN or inf, frame 1"):
            viewer.add(1, np.full((9, 16), np.nan))
        with pytest.raises(ValueError, match=r"consecutive. Received: frame=2 after 0"):
            viewer.add(2, np.ones((9, 16)))


@pytest.fixture
def server(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "out"
    with Viewer(folder, str(tmp_path / "clip.mp4"), [0.0], 9, 16) as viewer:
        viewer.add(0, np.ones((9, 16)))
        viewer.finish()
    with serve([folder]) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def test_the_video_is_served_in_parts(server):
    whole = bytes(range(256)) * 40
    path = "/0/viewer/original"
    assert ask(server, path)[2] == whole
    status, headers, data = ask(server, path, Range="bytes=100-199")
    assert (status, data) == (206, whole[100:200])
    assert headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    assert ask(server, path, Range="bytes=10000-")[2] == whole[10000:]
    assert ask(server, path, Range="bytes=-7")[2] == whole[-7:]
    assert ask(server, path, Range="bytes=99999999-")[0] == 416
    status, headers, data = ask(server, path, method="HEAD")
    assert (status, data, headers["Content-Length"]) == (200, b"", str(len(whole)))


def test_nothing_else_is_served(server):
    assert ask(server, "/")[0] == 200
    assert ask(server, "/0/viewer/data.js")[0] == 200
    for path in ("/0/../secret.txt", "/0/%2e%2e/secret.txt", "/0//etc/passwd", "/1/viewer/data.js"):
        assert ask(server, path)[0] == 404
    assert ask(server, "/", Host="evil.example")[0] == 403


def test_a_file_that_is_not_a_video_is_not_served(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    with Viewer(tmp_path / "out", str(secret), [0.0], 9, 16) as viewer:
        viewer.finish()
    with serve([tmp_path / "out"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert ask(server, "/0/viewer/original")[0] == 404
        server.shutdown()


def test_a_folder_without_a_viewer(tmp_path):
    with pytest.raises(
        ValueError, match=r"`zoo predict VIDEO --output FOLDER` wrote.*Received: \['"
    ):
        serve([tmp_path])


def test_the_folder_of_several_videos_names_theirs(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, np.ones((1, 9, 16)))
    with pytest.raises(ValueError, match=r"several predictions; name one or two of .*a, .*b$"):
        serve([tmp_path])


def test_text_cannot_end_the_script(tmp_path):
    write(tmp_path, np.ones((1, 9, 16)), actions=[("</script>", 1.0)])
    text = (tmp_path / "viewer" / "data.js").read_text()
    assert "</" not in text
    assert json.loads(text[8:-3])["actions"] == [["</script>", 1.0]]
