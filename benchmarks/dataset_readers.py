"""Times the readers on a million records, with the memory they take.

    python benchmarks/dataset_readers.py
    python benchmarks/dataset_readers.py --records 100000 --folder DIR

A made folder the size of Moments in Time is read by `moments.load` (its csv, and the check that
every file is there: empty files stand for the videos), and tables by `your_own.load`: one with
labels and splits, one with start and end (parts of videos), without and with that check. Each in a
new process: seconds on the wall and of the processor, and the highest memory of the process above
what it had before it loaded. Writes benchmarks/results/dataset_readers.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
MEASURE = """
import json, resource, sys, time, warnings
import {module} as module
warnings.simplefilter("ignore")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wall, processor = time.perf_counter(), time.process_time()
records = module.load({path!r}, **{options!r})
wall, processor = time.perf_counter() - wall, time.process_time() - processor
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(dict(records=len(records), wall_s=wall, processor_s=processor,
                      grown_mb=(peak - before) / 1024, process_mb=peak / 1024)))
"""


def make(root: Path, count: int) -> None:
    """Folders and tables of `count` records; the files are empty."""
    from zoo.datasets.moments import CLASSES

    root.mkdir(parents=True, exist_ok=True)
    shares = {"training": count - count // 25, "validation": count // 25}
    with open(root / "videos.csv", "w") as own, open(root / "parts.csv", "w") as parts:
        own.write("video,label,split\n")
        parts.write("video,name,label,split,start,end\n")
        for folder, number in shares.items():
            for label in CLASSES:
                os.makedirs(root / folder / label, exist_ok=True)
            with open(root / f"{folder}Set.csv", "w") as table:
                for at in range(number):
                    label = CLASSES[at % len(CLASSES)]
                    file = f"{label}/yt-{at:011x}_{at % 97}.mp4"
                    os.close(os.open(root / folder / file, os.O_CREAT | os.O_WRONLY))
                    table.write(f"{file},{label},3,1\n")
                    own.write(f"{folder}/{file},{label},{folder}\n")
                    parts.write(f"{folder}/{file},{folder}-{at},{label},{folder},0.5,2.5\n")


def measure(module: str, path: Path, options: dict) -> dict:
    """A load in a process of its own."""
    code = MEASURE.format(module=f"zoo.datasets.{module}", path=str(path), options=options)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where the files are made; kept if given")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many loads")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(arguments.folder or temporary) / f"moments_{arguments.records}"
        if not (root / "validationSet.csv").is_file():
            make(root, arguments.records)
        load = os.getloadavg()[0]
        for name, module, path, options in (
            ("moments, files looked for", "moments", root, {"partial": True}),
            ("own table", "your_own", root / "videos.csv", {"check_files": False}),
            ("own table, files looked for", "your_own", root / "videos.csv", {}),
            ("own table of parts", "your_own", root / "parts.csv", {"check_files": False}),
        ):
            rounds = [measure(module, path, options) for _ in range(arguments.rounds)]
            best = min(rounds, key=lambda row: row["wall_s"])
            rows.append({"reader": name, **best, "all_wall_s": [r["wall_s"] for r in rounds]})
            print(rows[-1], flush=True)
    write(rows, load, arguments.rounds)


def write(rows: list[dict], load: float, rounds: int) -> None:
    """The table and its JSON."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    machine = f"{model}, {os.cpu_count()} cores, load {load:.1f} at the start"
    version = platform.python_version()
    text = f"""# Readers on a million records

Best of {rounds} loads by the wall's clock, each in a new process. {machine}, Python {version}.
Memory is the highest of the process above what it had before it loaded (the process itself, which
has imported Keras, in brackets).

| reader | records | wall s | processor s | memory MB |
|---|---|---|---|---|
"""
    for row in rows:
        text += (
            f"| {row['reader']} | {row['records']} | {row['wall_s']:.1f} "
            f"| {row['processor_s']:.1f} | {row['grown_mb']:.0f} ({row['process_mb']:.0f}) |\n"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "dataset_readers.md").write_text(text)
    held = {"machine": machine, "python": version, "rows": rows}
    (RESULTS / "dataset_readers.json").write_text(json.dumps(held, indent=1) + "\n")


if __name__ == "__main__":
    main()
