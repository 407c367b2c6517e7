"""Locks, files that killed programs leave behind, and safe text for the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from zoo.files.leftovers import remove_leftovers
from zoo.files.lock import folder_lock
from zoo.files.printable import printable
from zoo.inference.writing.output import OutputError, claim_folder

HOLD = """
import sys, time
sys.path[:0] = {path!r}
from zoo.files.lock import folder_lock
with folder_lock({folder!r}):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_admits_one_program(tmp_path):
    code = HOLD.format(path=sys.path, folder=str(tmp_path))
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline().strip() == "held"
        with (
            pytest.raises(BlockingIOError, match=rf"in use by process {other.pid}"),
            folder_lock(tmp_path),
        ):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
        with folder_lock(tmp_path):  # a killed program holds nothing
            assert (tmp_path / ".lock").read_text() == str(os.getpid())
    finally:
        other.kill()
        other.stdout.close()
    assert list(tmp_path.iterdir()) == []
    with folder_lock(tmp_path):
        pass


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def test_leftovers_of_a_killed_program_are_removed(tmp_path):
    dead, alive = dead_process(), os.getpid()
    gone = [f".film.mp4.{dead}.part", f".maps.npz.{dead}.part", f".index.{dead}-7.part.json"]
    gone += [f".film.mp4.{dead}.sound", f".probe.{dead}"]
    kept = [f".film.mp4.{alive}.part", f".hidden.{dead}", "film.mp4", f"film.{dead}.part", ".part"]
    for name in gone + kept:
        (tmp_path / name).write_text("x")
    (tmp_path / f".maps.{dead}.part").mkdir()
    (tmp_path / f".maps.{dead}.part" / "000000.png").write_text("x")
    assert sorted(remove_leftovers(tmp_path)) == sorted([*gone, f".maps.{dead}.part"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_claiming_a_folder_removes_partial_files(tmp_path):
    (tmp_path / f".film.mp4.{dead_process()}.part").write_text("x")
    assert list(claim_folder(tmp_path).iterdir()) == []


def test_a_link_is_reported_before_anything_is_deleted(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "film.mp4").write_text("film")
    (folder / "maps").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(OutputError, match=r"links.*maps"):
        claim_folder(folder, overwrite=True, known=("film.mp4", "maps"))
    assert (folder / "film.mp4").read_text() == "film"
    assert (folder / "maps").is_symlink() and (tmp_path / "elsewhere").is_dir()


def test_control_characters_in_names_are_escaped():
    assert printable("a\x1b[2Jb\r\x9bc\u202e\ud800") == r"a\x1b[2Jb\r\x9bc\u202e\ud800"
    assert printable("ä 日本 \t\n/") == "ä 日本 \t\n/"


def test_the_command_line_escapes_control_characters(tmp_path, capsys):
    from zoo.cli.main import main

    name = str(tmp_path / "a\x1b[31m\x07.keras")
    assert main(["info", name]) == 2
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err and "\x07" not in told.err
    assert r"a\x1b[31m\x07.keras" in told.err and told.err.count("\n") == 1


def test_two_prepares_on_one_folder(tmp_path):
    from tests.datasets.conftest import numbered_video
    from zoo.datasets.record import Record
    from zoo.datasets.shards.prepare import prepare
    from zoo.datasets.shards.streams import FrameStream

    numbered_video(tmp_path / "a.mp4", 5)
    record, out = Record("a", str(tmp_path / "a.mp4"), "train", 0), tmp_path / "out"
    out.mkdir()
    code = HOLD.format(path=sys.path, folder=str(out))
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline().strip() == "held"
        (out / ".train-00000-of-00001.1-1.part.tfrecord").write_text("the other's")
        with pytest.raises(BlockingIOError, match="A folder of shards must be written by one"):
            prepare([record], out, [FrameStream((16, 64))], workers=1)
        assert (out / ".train-00000-of-00001.1-1.part.tfrecord").exists()
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    prepare([record], out, [FrameStream((16, 64))], workers=1)
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]


def test_a_folder_that_another_run_writes_to_is_not_taken(tmp_path):
    other = os.getppid()  # a process that runs
    part = tmp_path / f".film.mp4.{other}.part"
    part.touch()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=rf"in use by another run.*film\.mp4\.{other}"):
            claim_folder(tmp_path, overwrite=overwrite, known=("film.mp4",))
    assert part.exists()
    part.rename(tmp_path / f".film.mp4.{os.getpid()}.part")  # of this run
    claim_folder(tmp_path)
