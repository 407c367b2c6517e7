from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tests.weights.files import npz_bytes, write_safetensors
from zoo.weights import ORIGINS, RECORDS, Record, WeightsError, cache_folder, fetch
from zoo.weights.cache import locate
from zoo.weights.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        ranges = True
        cut_at = None
        requests: list = []  # noqa: RUF012

        def do_GET(self):
            asked = self.headers.get("Range")
            type(self).requests.append(asked)
            if "missing" in self.path:
                self.send_error(404)
                return
            start = int(asked[6:-1]) if asked and self.ranges else 0
            if start >= len(CONTENT):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            self.wfile.write(CONTENT[start : self.cut_at])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Handler.requests = []
    server.handler = Handler
    server.url = f"http://127.0.0.1:{server.server_port}/weights.npz"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


def test_a_download_with_its_checksum(tmp_path, server):
    path = download(server.url, tmp_path / "a" / "w", digest=DIGEST, progress=False)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["w"]
    path = download(server.url, tmp_path / "short", digest=DIGEST[:15], progress=False)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_continues(tmp_path, server, ranges):
    server.handler.ranges, server.handler.cut_at = ranges, 100_000
    with pytest.raises(OSError, match="100000 of 300000"):
        download(server.url, tmp_path / "w", digest=DIGEST, progress=False)
    assert not (tmp_path / "w").exists()
    assert (tmp_path / "w.part").stat().st_size == 100_000
    server.handler.cut_at = None
    download(server.url, tmp_path / "w", digest=DIGEST, progress=False)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert server.handler.requests == [None, "bytes=100000-"]


def test_a_complete_partial_file_is_only_verified(tmp_path, server):
    (tmp_path / "w.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "w", digest=DIGEST, progress=False)
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_a_wrong_checksum_keeps_nothing(tmp_path, server):
    with pytest.raises(WeightsError, match="published checksum"):
        download(server.url, tmp_path / "w", digest="sha256:00", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_fetched_once_and_found_by_name(tmp_path, server, monkeypatch):
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path))
    record = Record("test", "c3d", "w.npz", "own", urls=(server.url,), digests=(DIGEST,))
    monkeypatch.setitem(RECORDS, "test", record)
    path, found = locate("test")
    assert (path, found) == (tmp_path / "test" / "w.npz", record)
    locate("test")
    assert len(server.handler.requests) == 1


def test_a_checkpoint_of_several_files(tmp_path, server):
    base = server.url.replace("weights.npz", "model.ckpt")
    record = Record(
        "t",
        "i3d",
        "model.ckpt",
        "o",
        urls=(f"{base}.data-00000-of-1", f"{base}.index"),
        digests=(DIGEST, DIGEST),
    )
    assert fetch(record, tmp_path) == tmp_path / "model.ckpt"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model.ckpt.data-00000-of-1",
        "model.ckpt.index",
        "sha256.json",
    ]


class _Server(ThreadingHTTPServer):
    """Sends one body without its length, so that a broken connection looks like the end."""

    def __init__(self, body: bytes):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(self.server.body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body


@pytest.fixture
def unmeasured(tmp_path):
    origin = next(origin for origin in ORIGINS if origin.name == "resnet50_torchvision")
    tensors = {rule.source: np.zeros((1,), "float32") for rule in origin.rules(None)}
    body = write_safetensors(tmp_path / "w.safetensors", tensors).read_bytes()
    with _Server(body) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/w.safetensors"
        facts = {"urls": (url,), "size": len(body), "classes": 1000}
        yield server, Record("t", "resnet50", "w.safetensors", origin.name, **facts)
        server.shutdown()
        thread.join()


def test_a_body_that_ends_early_is_never_kept(tmp_path, unmeasured):
    server, record = unmeasured
    whole, folder = server.body, tmp_path / "cache"
    for keep, message in ((0.5, "about"), (0.97, "complete")):
        server.body = whole[: int(len(whole) * keep)]
        with pytest.raises(WeightsError, match=message):
            fetch(record, folder)
        assert not (folder / record.file).exists() and not (folder / ".incoming").exists()
    server.body = whole
    with pytest.raises(WeightsError, match="all tensors"):
        fetch(dataclasses.replace(record, origin="resnet50_keras"), folder)
    assert fetch(record, folder).read_bytes() == whole
    assert sorted(path.name for path in folder.iterdir()) == ["sha256.json", "w.safetensors"]


def test_only_the_first_download_is_trusted(tmp_path, unmeasured):
    server, record = unmeasured
    folder = tmp_path / "cache"
    path = fetch(record, folder)
    whole = path.read_bytes()
    digest = hashlib.sha256(whole).hexdigest()
    assert json.loads((folder / "sha256.json").read_text()) == {record.file: digest}
    altered = whole[:-1] + bytes([whole[-1] ^ 1])
    path.write_bytes(altered)  # on the disk
    with pytest.raises(WeightsError, match="first use"):
        fetch(record, folder)
    path.unlink()
    server.body = altered  # at its source
    with pytest.raises(WeightsError, match="checksum"):
        fetch(record, folder)
    server.body = whole
    assert fetch(record, folder) == path


def test_a_file_without_a_url_says_what_to_do(tmp_path, server):
    url = server.url.replace("weights", "missing")
    record = Record("t", "c3d", "w.npz", "o", urls=(url,), page="https://example.org/page")
    with pytest.raises(WeightsError, match=r"https://example\.org/page and put it at.*404"):
        fetch(record, tmp_path)
    by_hand = RECORDS["c3d_sports1m_caffe"]
    with pytest.raises(WeightsError, match=r"facebookarchive/C3D and put it at"):
        fetch(by_hand, tmp_path)
    with pytest.raises(WeightsError, match="name of a record"):
        locate("no_such_record")
    with pytest.raises(WeightsError, match=r"such as general\. Received: genral"):
        locate("genral")
    with pytest.raises(WeightsError, match=r"the \d+ names\. Received: runs/mine\.keras"):
        locate("runs/mine.keras")


def test_imagenet_is_the_file_of_keras_applications(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path))
    record = RECORDS["resnet50_imagenet_keras_no_top"]
    path = tmp_path / record.name / record.file
    path.parent.mkdir()
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match="its published checksum"):
        locate("imagenet")
    record = dataclasses.replace(record, digests=("md5:" + hashlib.md5(b"x").hexdigest(),))
    monkeypatch.setitem(RECORDS, record.name, record)
    assert locate("imagenet") == (path, record)


def test_a_path_is_not_a_record(tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(npz_bytes({"a": np.ones(2)}))
    assert locate(path) == (path, None)


def test_records_are_complete():
    origins = {origin.name: origin for origin in ORIGINS}
    for name, record in RECORDS.items():
        assert name == record.name
        if not record.shipped:
            assert origins[record.origin].architecture == record.architecture
        assert record.file and record.trained_on and record.preprocessing
        assert record.page.startswith("https://")
        assert len(record.digests) in (
            0,
            len(record.urls) or bool(record.package) or record.shipped,
        )
        assert all(url.startswith("https://") for url in record.urls)
        # Without a published checksum, the first download is checked against the size.
        assert record.size or not record.urls
    assert cache_folder().name


def _packaged(tmp_path, monkeypatch, digest=DIGEST):
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path))
    record = Record("test", "c3d", "w.pth", "own", package="no-such-package", digests=(digest,))
    monkeypatch.setitem(RECORDS, "test", record)
    return record


def test_a_file_of_a_package_comes_from_its_wheel(tmp_path, monkeypatch):
    _packaged(tmp_path, monkeypatch)
    with pytest.raises(WeightsError, match=r"pip install no-such-package.*or put its wheel into"):
        locate("test")
    (tmp_path / "test").mkdir()
    wheel = tmp_path / "test" / "package-1.whl"
    wheel.write_bytes(b"no zip file")
    with pytest.raises(WeightsError, match="damaged"):
        locate("test")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/other.pth", b"1")
    with pytest.raises(WeightsError, match=r"must hold w\.pth"):
        locate("test")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/models/w.pth", CONTENT)
    path, _ = locate("test")
    assert path == tmp_path / "test" / "w.pth"
    assert path.read_bytes() == CONTENT


def test_a_file_of_an_installed_package(tmp_path, monkeypatch):
    record = _packaged(tmp_path / "kept", monkeypatch)
    site = tmp_path / "site"
    info = site / "no_such_package-1.dist-info"
    info.mkdir(parents=True)
    (site / "models").mkdir()
    (site / "models" / "w.pth").write_bytes(CONTENT)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: no-such-package\nVersion: 1\n")
    (info / "RECORD").write_text("models/w.pth,,\n")
    monkeypatch.syspath_prepend(str(site))
    assert locate("test") == (site / "models" / "w.pth", record)
    (site / "models" / "w.pth").write_bytes(CONTENT[1:])
    with pytest.raises(WeightsError, match="published checksum"):
        locate("test")
