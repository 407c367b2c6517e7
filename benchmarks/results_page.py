"""Description of the machine and writing of results, shared by all benchmarks.

Only the standard library is imported at the top: some measurements run in other environments.
"""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
# Linux's name of the instruction set, widest first: one processor's name may stand for several.
INSTRUCTIONS = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX"}


def machine(*packages: str) -> dict:
    """Cores, processor, its vector instructions, versions of Python and of `packages`."""
    found = {"processors": os.cpu_count(), "python": platform.python_version()}
    found["processor"] = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        found["processor"] = next(iter(names), found["processor"])
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        widest = [name for flag, name in INSTRUCTIONS.items() if flag in flags]
        if widest:
            found["instructions"] = widest[0]
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load_average() -> float:
    """Mean number of running processes in the last minute."""
    return round(os.getloadavg()[0], 1)


def as_text(facts: dict) -> str:
    """Names and values in one line."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def write_results(name: str, results: dict, page: str, folder: Path = RESULTS) -> None:
    """Write NAME.json and NAME.md, each complete or not at all."""
    from zoo.files.atomic import write_text

    texts = {"json": json.dumps(results, indent=1, default=float), "md": page}
    for kind, text in texts.items():
        write_text(Path(folder) / f"{name}.{kind}", text.rstrip("\n") + "\n")
