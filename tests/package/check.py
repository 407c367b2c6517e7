"""Builds the sdist and a wheel from it, and uses the wheel from an empty folder.

The environment is new and also contains Hugging Face's `datasets`: both must work together.
Run by `make package`.
"""

from __future__ import annotations

import json
import os
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


# On another backend: a model is trained from arrays, predicts, is saved and loaded.
USE_JAX = """
import importlib.util, keras, numpy as np, zoo
assert keras.backend.backend() == "jax"
assert importlib.util.find_spec("tensorflow") is None, "the extra jax must not bring TensorFlow"
model = zoo.rmdn(width=0.05, units=8, num_components=2, image_size=32, dense=True)
model.compile("adam", loss={"mixture": zoo.losses.MixtureNLL()})
rgb = np.zeros((2, 6, 32, 32, 3), "uint8")
model.fit(rgb, {"mixture": np.full((2, 6, 1, 2), 0.5)}, verbose=0)
zoo.save(model, "model.keras")
assert zoo.predict(rgb[0], "model.keras", output="out", progress=False).num_frames == 6
"""

# Without any backend: parts that need none work, and others say what to install.
USE_NONE = """
import zoo
try:
    zoo.rmdn
except ModuleNotFoundError as error:
    assert "video-attention-zoo[tensorflow]" in str(error), error
else:
    raise SystemExit("`zoo.rmdn` must ask for a backend")
"""


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    print("+", " ".join(map(str, command)), flush=True)
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout


def environment(folder: Path) -> tuple[Path, tuple]:
    """The Python of a new environment, and its pip command."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    return python, (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def check_backends(wheel: Path, folder: Path) -> None:
    """The extras `jax` and `torch` do not install TensorFlow; the package works with only JAX."""
    python, pip = environment(folder / "jax")
    for extra in ("jax", "torch"):
        report = run(*pip, "--dry-run", "--report", "-", f"{wheel}[{extra}]")
        names = {item["metadata"]["name"].lower() for item in json.loads(report)["install"]}
        if extra not in names or "tensorflow" in names:
            raise SystemExit(f"[{extra}] must bring {extra}, no TensorFlow. Received: {names}")
    run(*pip, wheel)
    zoo = folder / "jax" / "bin" / "zoo"
    run(zoo, "--help", cwd=folder)
    run(zoo, "list", cwd=folder)
    run(python, "-c", USE_NONE, cwd=folder)
    run(*pip, f"{wheel}[jax]", "-c", ROOT / "requirements" / "backends.txt")
    run(python, "-c", USE_JAX, cwd=folder, KERAS_BACKEND="jax")
    run(zoo, "info", "model.keras", cwd=folder)


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
        if "zoo/py.typed" not in zipfile.ZipFile(wheel).namelist():
            raise SystemExit("The wheel must say that it has type hints. Received: no py.typed")
        python, pip = environment(folder / "env")
        run(*pip, f"{wheel}[tensorflow]", "-c", ROOT / "requirements" / "dev.txt")
        run(*pip, "datasets")
        empty = folder / "empty"
        empty.mkdir()
        run(python, "-c", USE, cwd=empty)
        run(folder / "env" / "bin" / "zoo", "list", cwd=empty)
        run(python, "-m", "pip", "check", cwd=empty)
        check_backends(wheel, folder)
    print("the package works")


if __name__ == "__main__":
    main()
