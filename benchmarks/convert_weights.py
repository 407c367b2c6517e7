"""Time and memory of converting a C3D file of the published size (320 MB).

    python benchmarks/convert_weights.py [--folder FOLDER]

First writes such a file with random numbers, once in PyTorch's zip format and once in its legacy
format. Then converts each in its own process, as `zoo convert FILE --to c3d` does, and records the
seconds and the peak resident memory of that process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_page import RESULTS, as_text, machine, write_results

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
    from zoo.backbones.convert import convert as run

    imported, processor = time.perf_counter(), time.process_time()
    run(path, to="c3d", output=output)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": round(done - imported, 2),
        "processor_seconds": round(time.process_time() - processor, 2),
        "seconds_with_import": round(done - start, 2),
        "peak_memory_mb": round(peak),
        "output_mb": round(output.stat().st_size / 1e6),
    }


def measure(form: str, parent: Path | None) -> dict:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        command = [sys.executable, __file__, "--form", form, "--folder", folder]
        subprocess.run([*command, "--step", "write"], check=True)
        size = (Path(folder) / "c3d.pickle").stat().st_size
        load = os.getloadavg()[0]
        done = subprocess.run([*command, "--step", "convert"], check=True, capture_output=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return {"form": form, "file_mb": round(size / 1e6), **result, "load": round(load, 1)}


def page(result: dict) -> str:
    columns = {
        "form": "form",
        "file_mb": "file, MB",
        "seconds": "seconds",
        "processor_seconds": "processor seconds",
        "seconds_with_import": "seconds with import",
        "peak_memory_mb": "peak memory, MiB",
        "load": "load before",
    }
    lines = [
        "# `zoo convert`: a C3D file of the published size",
        "",
        as_text(result["about"]),
        "",
        "The whole conversion in its own process: the file is read, its names are mapped strictly, "
        "it is loaded into a new C3D with 487 classes, hashed, and written as `.weights.h5` with "
        "its provenance.",
        "The limits are 30 seconds and 1.5 GB. Seconds are wall time, which grows with the load of "
        "other programs, without the import of TensorFlow and Keras.",
        "",
        "| " + " | ".join(columns.values()) + " |",
        "|" + "---|" * len(columns),
    ]
    for row in result["rows"]:
        lines.append("| " + " | ".join(str(row[key]) for key in columns) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None, help="for the files, 700 MB")
    parser.add_argument("--form", choices=("legacy", "zip"), help="only this one; default both")
    parser.add_argument("--step", choices=("write", "convert"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = arguments.folder
    if arguments.step == "write":
        return write(folder / "c3d.pickle", arguments.form)
    if arguments.step == "convert":
        return print(json.dumps(convert(folder / "c3d.pickle", folder / "c3d.weights.h5")))
    earlier = RESULTS / "convert_weights.json"
    rows = json.loads(earlier.read_text())["rows"] if earlier.exists() else []
    forms = [arguments.form] if arguments.form else ["zip", "legacy"]
    rows = [row for row in rows if row["form"] not in forms]
    rows += [measure(form, folder) for form in forms]
    about = machine("keras", "tensorflow", "numpy", "h5py")
    result = {"about": about, "rows": sorted(rows, key=lambda row: row["form"])}
    write_results("convert_weights", result, page(result))
    print(page(result))


if __name__ == "__main__":
    main()
