"""Time and memory of converting a C3D file of the published size (320 MB).

    python benchmarks/convert_weights.py [--form legacy|zip] [--folder FOLDER]

Writes the file with random numbers first, in a process of its own, then converts it with the
command and records seconds and the largest resident memory of that process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHAPES = {
    "conv1": (64, 3, 3, 3, 3),
    "conv2": (128, 64, 3, 3, 3),
    "conv3a": (256, 128, 3, 3, 3),
    "conv3b": (256, 256, 3, 3, 3),
    "conv4a": (512, 256, 3, 3, 3),
    "conv4b": (512, 512, 3, 3, 3),
    "conv5a": (512, 512, 3, 3, 3),
    "conv5b": (512, 512, 3, 3, 3),
    "fc6": (4096, 8192),
    "fc7": (4096, 4096),
    "fc8": (487, 4096),
}
ROOT = Path(__file__).resolve().parents[1]


def write(path: Path, form: str) -> None:
    import numpy as np

    sys.path.insert(0, str(ROOT))
    from tests.weights.files import write_torch_legacy, write_torch_zip

    random, state = np.random.default_rng(0), {}
    for name, shape in SHAPES.items():
        state[f"{name}.weight"] = random.standard_normal(shape, dtype="float32") * 0.01
        state[f"{name}.bias"] = np.zeros(shape[0], "float32")
    (write_torch_legacy if form == "legacy" else write_torch_zip)(path, state)


def convert(path: Path, output: Path) -> dict:
    sys.path.insert(0, str(ROOT))
    start = time.perf_counter()
    from zoo.weights import convert as run

    imported = time.perf_counter()
    run(path, to="c3d", output=output)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": round(done - imported, 2),
        "seconds_with_import": round(done - start, 2),
        "peak_memory_mb": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--form", choices=("legacy", "zip"), default="legacy")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--step", choices=("write", "convert"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step == "write":
        return write(arguments.folder / "c3d.pickle", arguments.form)
    if arguments.step == "convert":
        folder = arguments.folder
        return print(json.dumps(convert(folder / "c3d.pickle", folder / "c3d.weights.h5")))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        command = [sys.executable, __file__, "--form", arguments.form, "--folder", folder]
        subprocess.run([*command, "--step", "write"], check=True)
        result = {"form": arguments.form}
        result["file_mb"] = round((Path(folder) / "c3d.pickle").stat().st_size / 1e6)
        done = subprocess.run([*command, "--step", "convert"], check=True, capture_output=True)
        result.update(json.loads(done.stdout.splitlines()[-1]))
    result.update(processors=os.cpu_count(), python=platform.python_version())
    target = ROOT / "benchmarks" / "results" / f"convert_weights_{arguments.form}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
