"""Builds the sdist, the wheel from it, and uses the wheel from an empty folder.

The environment is new and holds Hugging Face's `datasets` too: both must work side by side.
Run by `make package`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

USE = """
import datasets, numpy as np, pathlib, zoo, zoo.datasets, zoo.layers, zoo.recipes
assert hasattr(datasets, "load_dataset"), "Hugging Face's datasets is shadowed"
assert "site-packages" in zoo.__file__, zoo.__file__
for part in (zoo.layers, zoo.datasets, zoo.recipes):
    assert pathlib.Path(part.__file__).is_relative_to(pathlib.Path(zoo.__file__).parent), part
model = zoo.rmdn(width=0.05, units=8, num_components=2)
mixture = model.predict(np.zeros((1, 18, 112, 112, 3), "uint8"), verbose=0)["mixture"]
assert mixture.shape == (1, 3, 2, 6), mixture.shape
model.save("model.keras")
assert zoo.load("model.keras").count_params() == model.count_params()
print("used from", zoo.__file__)
"""


def run(*command: str, cwd: Path = ROOT) -> None:
    print("+", " ".join(map(str, command)), flush=True)
    subprocess.run([str(c) for c in command], cwd=cwd, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # `build` makes the wheel from the sdist when it is asked for both.
        run(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT)
        (wheel,) = (folder / "dist").glob("*.whl")
        names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
        names = {name for name in names if not name.endswith(".dist-info")}
        if names != {"zoo"}:
            raise SystemExit(f"The wheel must install `zoo` alone. Received: {sorted(names)}")
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, wheel, "-c", ROOT / "requirements" / "dev.txt")
        run(*pip, "datasets")
        empty = folder / "empty"
        empty.mkdir()
        run(python, "-c", USE, cwd=empty)
        run(folder / "env" / "bin" / "zoo", "list", cwd=empty)
        run(python, "-m", "pip", "check", cwd=empty)
    print("the package works")


if __name__ == "__main__":
    main()
