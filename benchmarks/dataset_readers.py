"""Time and memory of the data set readers on a million records.

    python benchmarks/dataset_readers.py
    python benchmarks/dataset_readers.py --files --folder DIR

`moments.listing` reads synthetic csv files as large as Moments in Time, and `your_own.load` reads
two tables: one with labels and splits, one with start and end (parts of videos). With `--files`,
empty files stand in for the videos, and the search for every file is timed too: `moments.load` and
`your_own.load(check_files=True)`. Each load runs in a new process, which does not import Keras.
Measured are wall time, processor time, and the peak memory of the process minus its memory before
the load. Writes benchmarks/results/dataset_readers.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from results_page import load_average, machine, write_results

CHECKOUT = str(Path(__file__).resolve().parents[1])
MEASURE = """
import importlib, json, resource, sys, time, types, warnings
zoo = types.ModuleType("zoo")
zoo.__path__ = [{checkout!r} + "/zoo", {checkout!r}]
sys.modules["zoo"] = zoo  # its own __init__ would import Keras, which is no part of the reader
module = importlib.import_module("zoo.datasets." + {module!r})
warnings.simplefilter("ignore")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wall, processor = time.perf_counter(), time.process_time()
held = getattr(module, {function!r})({path!r}, **{options!r})
wall, processor = time.perf_counter() - wall, time.process_time() - processor
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(dict(records=len(getattr(held, "records", held)), wall_s=wall,
                      processor_s=processor, grown_mb=(peak - before) / 1024)))
"""


def make(root: Path, count: int, files: bool) -> None:
    """Write tables of `count` records, and with `files` the empty files that they list."""
    from zoo.datasets.moments import CLASSES

    root.mkdir(parents=True, exist_ok=True)
    shares = {"training": count - count // 25, "validation": count // 25}
    with open(root / "videos.csv", "w") as own, open(root / "parts.csv", "w") as parts:
        own.write("video,label,split\n")
        parts.write("video,name,label,split,start,end\n")
        for folder, number in shares.items():
            for label in CLASSES if files else ():
                os.makedirs(root / folder / label, exist_ok=True)
            with open(root / f"{folder}Set.csv", "w") as table:
                for at in range(number):
                    label = CLASSES[at % len(CLASSES)]
                    file = f"{label}/yt-{at:011x}_{at % 97}.mp4"
                    if files:
                        os.close(os.open(root / folder / file, os.O_CREAT | os.O_WRONLY))
                    table.write(f"{file},{label},3,1\n")
                    own.write(f"{folder}/{file},{label},{folder}\n")
                    parts.write(f"{folder}/{file},{folder}-{at},{label},{folder},0.5,2.5\n")


def measure(module: str, function: str, path: Path, options: dict) -> dict:
    """Measure one load in its own process."""
    code = MEASURE.format(
        checkout=CHECKOUT, module=module, function=function, path=str(path), options=options
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--files", action="store_true", help="make the files and look for them")
    parser.add_argument("--folder", help="where all is made; kept if given")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many loads")
    arguments = parser.parse_args()
    rows = []
    plan = [
        ("moments", "moments", "listing", "", {"surplus": False}),
        ("own table", "your_own", "load", "videos.csv", {"check_files": False}),
        ("own table of parts", "your_own", "load", "parts.csv", {"check_files": False}),
    ]
    if arguments.files:
        plan += [
            ("moments, files looked for", "moments", "load", "", {"partial": True}),
            ("own table, files looked for", "your_own", "load", "videos.csv", {}),
        ]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(arguments.folder or temporary) / f"moments_{arguments.records}"
        if not (root / "validationSet.csv").is_file():
            make(root, arguments.records, arguments.files)
        load = load_average()
        for name, module, function, file, options in plan:
            rounds = [
                measure(module, function, root / file, options) for _ in range(arguments.rounds)
            ]
            best = min(rounds, key=lambda row: row["wall_s"])
            rows.append({"reader": name, **best, "all_wall_s": [r["wall_s"] for r in rounds]})
            print(rows[-1], flush=True)
    report(rows, load, arguments.rounds)


def report(rows: list[dict], load: float, rounds: int) -> None:
    """Write the table and its JSON."""
    about = machine()
    told = f"{about['processor']}, {about['processors']} cores, load {load} at the start"
    how = f"Best of {rounds} loads" if rounds > 1 else "One load"
    text = f"""# Readers on a million records

{how}, wall time, in a new process. {told}, Python {about["python"]}.
Memory is the peak of the process minus its memory before the load.

| reader | records | wall s | processor s | memory MB |
|---|---|---|---|---|
"""
    for row in rows:
        text += (
            f"| {row['reader']} | {row['records']} | {row['wall_s']:.1f} "
            f"| {row['processor_s']:.1f} | {row['grown_mb']:.0f} |\n"
        )
    held = {"machine": told, "python": about["python"], "rows": rows}
    write_results("dataset_readers", held, text)


if __name__ == "__main__":
    main()
