"""Time and memory of reading large gaze tables.

    python benchmarks/gaze_tables.py [--rows 5000000] [--output benchmarks/results]

Writes a table of fifty viewers at 500 Hz (viewer, time, x, y). Its four columns are read with
`zoo.datasets.gaze`, with Python's csv module, and with polars and pandas if they are installed.
Then `read_fixations` is timed, which also assigns the samples to frames. Each measurement runs in
its own process, so that its peak memory can be measured. Writes gaze_tables.json and
gaze_tables.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results_page import RESULTS, as_text, load_average, machine, write_results

import numpy as np

VIEWERS = 50
RATE = 500
WAYS = ("zoo columns", "csv module", "polars", "pandas", "zoo read_fixations")


def write_table(path: Path, rows: int) -> None:
    """A table of gaze as a tracker exports it."""
    rng = np.random.default_rng(0)
    with open(path, "w", encoding="utf-8") as file:
        file.write("viewer,t,x,y\n")
        for viewer in range(VIEWERS):
            count = rows // VIEWERS
            stamps = np.arange(count) * 1000 / RATE
            x, y = rng.uniform(0, 640, count), rng.uniform(0, 360, count)
            lines = (f"P{viewer:02d},{t:.3f},{a:.2f},{b:.2f}" for t, a, b in zip(stamps, x, y))
            file.write("\n".join(lines) + "\n")


def read(way: str, path: str) -> int:
    """Read the table; return the number of rows."""
    if way == "zoo columns":
        from zoo.datasets.gaze.csv_format import CsvFormat
        from zoo.datasets.gaze.tables import read_table

        form = CsvFormat(frame=None, time="t", time_unit="ms")
        return len(read_table(path, form, "none"))
    if way == "zoo read_fixations":
        from zoo.datasets.gaze.csv_format import CsvFormat
        from zoo.datasets.gaze.placing import VideoShape
        from zoo.datasets.gaze.reading import read_fixations
        from zoo.datasets.record import GazeSource, Record

        form = CsvFormat(frame=None, time="t", time_unit="ms")
        record = Record("table", "none", gaze=GazeSource((path,), csv=form))
        frames = 5000  # 200 s at 25 fps
        shape = VideoShape(frames, 640, 360, np.arange(frames) / 25)
        return len(read_fixations(record, shape=shape, warn=False))
    if way == "csv module":
        with open(path, newline="", encoding="utf-8") as file:
            table = list(csv.reader(file))[1:]
        numbers = [np.array([float(row[at]) for row in table]) for at in (1, 2, 3)]
        assert [row[0] for row in table]
        return len(numbers[0])
    if way == "polars":
        import polars

        return polars.read_csv(path).height
    import pandas

    return len(pandas.read_csv(path))


def measured(way: str, path: Path) -> dict | None:
    """Seconds and peak memory of one measurement in its own process."""
    command = [sys.executable, __file__, "--way", way, "--table", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(way, done.stderr.strip().splitlines()[-1])
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_one(way: str, path: str) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    rows = read(way, path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    seconds = time.perf_counter() - began
    print(
        json.dumps({"rows": rows, "seconds": seconds, "cpu": time.process_time() - cpu, "gb": peak})
    )


def page(results: dict) -> str:
    ours = results["ways"]["zoo columns"]["cpu"]
    lines = [
        "# Reading a large table of gaze",
        "",
        as_text(results["machine"]),
        "",
        f"{results['rows']} rows of viewer, time, x and y, {results['megabytes']:.0f} MB of text. "
        "Best of several rounds in which the ways took turns, each a process of its own. The last "
        "row goes all the way to fixations in frames.",
        "",
        "| | rows | seconds by the clock | processor seconds | of zoo's | peak memory, GB |",
        "|---|---|---|---|---|---|",
    ]
    for way, row in results["ways"].items():
        lines.append(
            f"| {way} | {row['rows']} | {row['seconds']:.1f} | {row['cpu']:.1f} | "
            f"{row['cpu'] / ours:.2f} | {row['gb']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--table", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        run_one(given.way, given.table)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gaze.csv"
        write_table(path, given.rows)
        best: dict[str, dict] = {}
        for _ in range(given.rounds):
            for way in WAYS:
                row = measured(way, path)
                if row and (way not in best or row["cpu"] < best[way]["cpu"]):
                    best[way] = row
        results = {
            "machine": {
                **machine("numpy", "polars", "pandas"),
                "load_average": load_average(),
            },
            "rows": given.rows,
            "megabytes": path.stat().st_size / 1e6,
            "ways": best,
        }
    write_results("gaze_tables", results, page(results), given.output)


if __name__ == "__main__":
    main()
