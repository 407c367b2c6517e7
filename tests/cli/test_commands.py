"""The command line: output, exit status, and one line instead of a traceback for bad input."""

import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from zoo.cli.main import main
from zoo.cli.predict import _default_output
from zoo.datasets import moving_targets


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    zoo.rmdn(image_size=32, width=0.05, units=4, num_components=2, dense=True).save(path)
    return str(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "set"
    moving_targets.make(root, num_videos=4, frames=18, size=(48, 64), viewers=4)
    return root


@pytest.fixture
def run(capsys):
    def run(*arguments):
        status = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run


def test_help_and_version(run):
    for arguments in ((), ("--help",), ("help",)):
        status, out, _ = run(*arguments)
        assert status == 0
        assert "predict" in out
        assert "evaluate" in out
    assert run("--version")[1].strip() == f"zoo {zoo.__version__}"
    status, out, _ = run("predict", "--help")
    assert status == 0
    assert "--initial" in out


def test_an_interrupted_training_says_how_to_go_on(run, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.cli.train.run", stop)
    status, _, err = run("train", "rmdn")
    assert (status, err) == (
        130,
        "\nzoo train: interrupted; the same command resumes the training\n",
    )
    assert run("train", "rmdn", "--restart")[::2] == (130, "\nzoo train: interrupted\n")
    monkeypatch.setattr("zoo.cli.listing.run", stop)
    assert run("list")[::2] == (130, "\nzoo list: interrupted\n")


def test_help_fills_the_terminal(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    assert "--maps without a value means npz) or png (one" in run("predict", "--help")[1]


def test_list_shows_models_recipes_and_data_sets(run):
    status, out, _ = run("list")
    assert status == 0
    for name in ("rmdn", "moving_targets", "ucf_sports"):
        assert name in out
    assert "list_models" not in out  # a function next to the builders, not a model


def test_predict(run, model, data, tmp_path, monkeypatch):
    video = data / "videos" / "video_000000.mp4"
    status, out, _ = run("predict", model, video, "-o", tmp_path / "out", "--size", "24", "32")
    assert status == 0
    assert (tmp_path / "out" / "film.mp4").is_file()
    assert not (tmp_path / "out" / "maps.npz").exists()
    assert out.strip().splitlines()[-1].endswith(f"see {tmp_path / 'out' / 'index.html'}")
    status, _, err = run("predict", model, video, "-o", tmp_path / "out")
    assert status == 2
    assert "new or empty folder" in err
    again = ("predict", model, video, "-o", tmp_path / "out", "--overwrite", "--no-film")
    assert run(*again, "--maps", "png")[0] == 0
    assert len(list((tmp_path / "out" / "maps").iterdir())) == 18
    monkeypatch.chdir(tmp_path)
    assert run("predict", model, video, "--maps", "none", "--no-film")[0] == 0
    with np.load(tmp_path / "video_000000_prediction" / "prediction.npz") as arrays:
        assert arrays["mixture"].shape == (18, 2, 6)


@pytest.mark.slow
def test_evaluate(run, model, data, tmp_path):
    arguments = ("--dataset", "moving_targets", "--data-dir", data, "-o", tmp_path / "out")
    status, out, _ = run("evaluate", model, *arguments)
    assert status == 0
    assert "tiny" in out
    assert "trained_central_bias" in out
    assert "explains" in out
    assert (tmp_path / "out" / "index.html").is_file()
    assert run("evaluate", model, *arguments)[0] == 0  # finished: read from the folder
    status, _, err = run("evaluate", "none", *arguments)
    assert status == 2
    assert "differs in models" in err


def test_mistakes(run, model, data, tmp_path):
    video = data / "videos" / "video_000000.mp4"
    text = tmp_path / "text.txt"
    text.write_text("no model, no video")
    for arguments, expected in (
        (("fly",), "no such command"),
        (("predict", "nowhere.keras", video), "nowhere.keras"),
        (("predict", text, "-m", model), "text.txt"),
        (("predict", model, "nowhere.mp4"), "nowhere.mp4"),
        (("predict", model, text), "text.txt"),
        (("predict", model, video, "-o", text), "which is a file"),
        (("predict", model, video, "-o", "/proc/none/out"), "can be written"),
        (("predict", model, video, "--initial", "never"), "initial"),
        (("predict", model), "video"),
        (("predict", model, video, "--candidates", "-1"), "candidates"),
        (("evaluate", model, "--data-dir", tmp_path / "no.csv"), "no.csv"),
        (("evaluate", model, "--dataset", "moving_targets", "--data-dir", tmp_path), "index.npz"),
        (("evaluate", model, "--dataset", "moving_targets", "--data-dir", text), "--dataset csv"),
        (("train", "magic"), "no such recipe"),
        (
            ("prepare", "csv", text, "out", "--frames", "--hop", "2", "--dense"),
            "--hop and --dense must be used with --features",
        ),
        (
            ("prepare", "csv", text, "out", "--quality", "90"),
            "--quality must be used with --frames",
        ),
        (("predict", "--mdoel", "x", video), "no such argument: --mdoel. Did you mean '--model'?"),
    ):
        status, _, err = run(*arguments)
        assert status == 2, arguments
        assert expected in err, (arguments, err)


@pytest.mark.parametrize(
    ("videos", "folder"),
    [
        (["a.b/clip.mp4"], "clip_prediction"),
        (["films/"], "films_prediction"),
        (["."], "here_prediction"),
        ([".."], "above_prediction"),
        (["films/*.mp4"], "predictions"),
        (["a.mp4", "b.mp4"], "predictions"),
    ],
)
def test_the_default_folder_is_named_after_the_video(tmp_path, monkeypatch, videos, folder):
    (tmp_path / "above" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above" / "here")
    assert _default_output(videos) == folder


def test_commands_of_other_parts(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")  # narrow terminals do not crop columns
    status, out, _ = run("weights")
    assert status == 0
    assert out.split("\n")[0].split() == ["name", "classes", "MB", "file"]
    assert re.search(r"^c3d_sports1m_pytorch +487 +320  can be downloaded$", out, re.MULTILINE)
    status, out, _ = run("train", "--help")
    assert status == 0
    assert "rmdn" in out


def test_check(run, data, tmp_path):
    status, out, _ = run("check", "moving_targets", data, "-o", tmp_path / "check.json")
    assert status == 0 and "No problems found." in out and "72 frames" in out
    (tmp_path / "videos.csv").write_text("video\nnowhere.mp4\n")
    status, out, _ = run("check", "csv", tmp_path / "videos.csv", "-o", tmp_path / "check.json")
    assert status == 1 and "nowhere.mp4" in out
    status, _, err = run("check", "ucf1001", tmp_path)
    assert status == 2 and "zoo list" in err


HOSTILE = "a\x1b[2J\nok [red]b$\\no$"  # interpreted in part by terminals, Rich and Matplotlib


@pytest.mark.slow
def test_names_cannot_control_the_terminal(run, model, data, tmp_path, monkeypatch):
    """Control characters, line ends and Rich's markup in a name are printed, not interpreted."""
    monkeypatch.chdir(tmp_path)
    file, root = f"{HOSTILE}.keras", tmp_path / HOSTILE
    zoo.save(zoo.load(model), file, dataset=HOSTILE)
    shutil.copytree(data, root)
    classes = Path("classes", HOSTILE)
    classes.mkdir(parents=True)
    video_file = data / "videos" / "video_000000.mp4"
    shutil.copy(video_file, classes / f"{HOSTILE}.mp4")
    (classes / "x.mp4").write_bytes(b"no film")
    video, twin = classes / f"{HOSTILE}.mp4", shutil.copy(video_file, "twin.mp4")
    evaluated = ("--dataset", "moving_targets", "--data-dir", root, "-o", f"{HOSTILE}_evaluated")
    for status, *arguments in (
        (0, "info", file),
        (0, "check", "moving_targets", root, "-o", f"{HOSTILE}.json"),
        (1, "check", "csv", "classes"),
        (0, "gaze-report", "moving_targets", root, "-o", f"{HOSTILE}_gaze", "--frames", "2"),
        (0, "predict", file, video, "-o", f"{HOSTILE}_out", "--no-film"),
        (0, "predict", file, video, twin, "-o", f"{HOSTILE}_two", "--no-film"),
        (0, "evaluate", file, *evaluated),
        (2, "info", f"{HOSTILE}_missing.keras"),
    ):
        found, out, err = run(*arguments)
        text = out + err
        assert found == status, text
        assert "\x1b" not in text, arguments
        assert r"a\x1b[2J" in text.replace("\n", ""), arguments
        assert not any(line.startswith("ok [red]") for line in text.splitlines())
        assert "[red]b" in text.replace("\n", ""), arguments


def test_the_last_lines_of_a_run_contain_no_control_sequences(capsys):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from zoo.training.recipe import finish

    finish(Path(HOSTILE), {"test": {HOSTILE: 0.5}})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert [line.split(" ")[0] for line in out.splitlines()] == ["test", "model:", "next:"]
