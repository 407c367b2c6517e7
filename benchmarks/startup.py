"""Start-up time and memory of `import zoo` and of the commands, compared with `import keras`.

    python benchmarks/startup.py

Each runs in its own process, once to fill the disk cache and then REPEATS times, taking turns with
the others. The medians of wall time, processor time and peak memory are written to `startup.json`
and `startup.md` in RESULTS. `import keras` with the same backend is the comparison: this is what
every start cost when the package imported its models at once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_page import RESULTS, as_text, machine, write_results

REPEATS = 5
ALTERNATIVE = "import keras"
# Targets: seconds, MB.
LIMITS = {"import zoo": (1.5, 250), "zoo --help": (0.5, None), "zoo info model.keras": (1.0, None)}


def commands(model: Path) -> dict[str, list[str]]:
    """Name and command of each measured start."""
    zoo = [sys.executable, "-m", "zoo.cli"]
    return {
        "python": [sys.executable, "-c", "pass"],
        "import zoo": [sys.executable, "-c", "import zoo"],
        "zoo --help": [*zoo, "--help"],
        "zoo list": [*zoo, "list"],
        "zoo train --help": [*zoo, "train", "--help"],
        "zoo predict --help": [*zoo, "predict", "--help"],
        "zoo info model.keras": [*zoo, "info", str(model)],
        "zoo.rmdn": [sys.executable, "-c", "import zoo; zoo.rmdn"],
        ALTERNATIVE: [sys.executable, "-c", "import keras"],
    }


def run(command: list[str]) -> dict[str, float]:
    """Seconds, processor seconds and peak memory in MB of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} must succeed. Received: status {process.returncode}")
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def measure(repeats: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.keras"
        code = f"import zoo; zoo.save(zoo.rmdn(width=0.25), {str(model)!r}, dataset='none')"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        starts = commands(model)
        found = {name: [] for name in starts}
        for number in range(repeats + 1):
            for name, command in starts.items():
                told = run(command)
                if number:
                    found[name].append(told)
    return {
        name: {key: round(statistics.median(t[key] for t in told), 3) for key in told[0]}
        for name, told in found.items()
    }


def table(found: dict[str, dict[str, float]], repeats: int, about: dict) -> str:
    other = found[ALTERNATIVE]
    rows = [
        f"| {name} | {told['seconds']:.2f} | {told['cpu_seconds']:.2f} | {told['peak_mb']:.0f} | "
        f"{told['seconds'] / other['seconds']:.3f} | {told['peak_mb'] / other['peak_mb']:.2f} | "
        f"{_limit(name)} |"
        for name, told in found.items()
    ]
    return "\n".join(
        [
            "# Start-up\n",
            "`python benchmarks/startup.py`\n",
            f"Medians of {repeats} processes; ratios are to `{ALTERNATIVE}` in the same run.\n",
            "| | seconds | processor seconds | peak MiB | time, ratio | memory, ratio | wanted |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            as_text(about),
            "",
        ]
    )


def _limit(name: str) -> str:
    seconds, memory = LIMITS.get(name, (None, None))
    told = [] if seconds is None else [f"under {seconds:g} s"]
    return ", ".join([*told, *([] if memory is None else [f"{memory} MB"])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found = measure(arguments.repeats)
    about = {
        **machine("keras", "tensorflow", "tyro"),
        "load": " ".join(f"{value:.1f}" for value in os.getloadavg()),
    }
    text = table(found, arguments.repeats, about)
    told = {"measured": found, "repeats": arguments.repeats, "about": about}
    write_results("startup", told, text, arguments.results)
    print(text)


if __name__ == "__main__":
    main()
