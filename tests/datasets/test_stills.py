import cv2
import numpy as np
import pytest

from tests.real_data import data_dir
from zoo.datasets import stills


def folder(path, rows, images=9, size=(30, 40)):
    (path / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(images):
        picture = rng.integers(0, 256, (*size, 3)).astype("uint8")
        cv2.imwrite(str(path / "images" / f"{number}.png"), picture)
    lines = ["image,viewer,order,x,y", *rows]
    (path / "fixations.csv").write_text("\n".join(lines) + "\n")
    return path


def test_a_folder_and_a_folder_of_folders(tmp_path):
    rows = [f"{n}.png,{v},0,{10 + v},{15 + n}" for n in range(9) for v in (1, 2, 9)]
    folder(tmp_path / "a", rows)
    folder(tmp_path / "b", rows)
    found = stills.load(tmp_path / "a")
    assert len(found) == 9 and len(stills.load(tmp_path)) == 18
    assert [s.name for s in found if s.split == "validation"] == ["a/3.png"]
    assert len(stills.load(tmp_path, "train")) == 16
    assert (found[2].height, found[2].width) == (30, 40)
    np.testing.assert_allclose(
        found[2].points, [[11 / 40, 17 / 30], [12 / 40, 17 / 30], [19 / 40, 17 / 30]]
    )
    assert found[2].viewers.tolist() == [0, 1, 2]
    expected = cv2.imread(found[2].path)[:, :, ::-1]
    np.testing.assert_array_equal(found[2].picture(), expected)


def test_one_viewer_and_one_fixation(tmp_path):
    found = stills.load(folder(tmp_path, ["0.png,anna,0,0,0"], images=1))
    assert found[0].points.shape == (1, 2) and found[0].viewers.tolist() == [0]
    assert found[0].split == "train"


def test_fixations_outside(tmp_path):
    folder(tmp_path, ["0.png,1,0,5,5", "0.png,1,1,40.1,5", "0.png,1,1,40,30", "1.png,1,0,3,-1"])
    with pytest.raises(ValueError, match=r'outside="drop".*2 outside in 2 images .*such as 0\.png'):
        stills.load(tmp_path)
    assert [len(s.points) for s in stills.load(tmp_path, outside="drop")] == [2, 0]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (
            ["9.png,1,0,1,1", "0.png,1,0,1,1"],
            FileNotFoundError,
            r"1 of 2 are missing: \['9\.png'\]",
        ),
        (["0.png,1,0,a,1"], ValueError, "x='a'.*line 2"),
        (["0.png,1,0,nan,1"], ValueError, "finite numbers"),
        ([], ValueError, "at least one fixation"),
    ],
)
def test_bad_tables(tmp_path, rows, error, message):
    with pytest.raises(error, match=message):
        stills.load(folder(tmp_path, rows, images=2))


def test_other_mistakes(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold fixations\.csv"):
        stills.load(tmp_path)
    folder(tmp_path, ["0.png,1,0,1,1"], images=1)
    (tmp_path / "images" / "0.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"known format.*0\.png"):
        stills.load(tmp_path)
    (tmp_path / "fixations.csv").write_text("image,x,y\n0.png,1,1\n")
    with pytest.raises(ValueError, match="without viewer"):
        stills.load(tmp_path)
    with pytest.raises(ValueError, match="`split` must be"):
        stills.load(tmp_path, "test")


@pytest.mark.slow
def test_the_real_sets():
    found = stills.load(data_dir("gaze", "stills"))
    assert len(found) == 1456
    assert sum(len(still.points) for still in found) == 229_893
    assert {still.group for still in found} == {"osie", "crowd", "scene"}


def test_tables_as_spreadsheets_write_them(tmp_path, caplog):
    folder(tmp_path, ["0.png,a,1,2"])
    table = tmp_path / "fixations.csv"
    text = "image,viewer,x,y\n0.png,a,1,2\n"
    table.write_text(text, encoding="utf-8-sig")
    with caplog.at_level("INFO", "zoo.datasets"):
        assert len(stills.load(tmp_path)) == 1
    assert "8 of 9 images have no row" in caplog.text
    table.write_text(text.replace("1,2", "1,5,2,5"))
    with pytest.raises(ValueError, match=r"4 columns.*decimals need a point.*line 2"):
        stills.load(tmp_path)
    table.write_text("x,y,viewer,image\n1,2\n")
    with pytest.raises(ValueError, match=r"4 columns.*line 2"):
        stills.load(tmp_path)
    table.write_bytes(text.replace("a", "é").encode("cp1252"))
    with pytest.raises(ValueError, match=r"text file in UTF-8.*fixations\.csv"):
        stills.load(tmp_path)


def test_folders_without_a_table_and_columns_given_twice(tmp_path, caplog):
    folder(tmp_path / "a", ["0.png,1,0,5,5"])
    (tmp_path / "b" / "images").mkdir(parents=True)
    stills.load(tmp_path)
    assert "1 folders with images and without fixations.csv are not used: b" in caplog.text
    table = tmp_path / "a" / "fixations.csv"
    table.write_text("image,viewer,x,y,x\n0.png,1,2,3,4\n")
    with pytest.raises(ValueError, match=r"must be unique.*\['x'\]"):
        stills.load(tmp_path)
