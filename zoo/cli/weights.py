"""`zoo weights`: list the published weight files that the zoo can use."""

from __future__ import annotations

from collections.abc import Sequence

import tyro
from rich.console import Console

from zoo.cli.messages import CommandError, did_you_mean
from zoo.cli.parsing import call
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(list_records, arguments, "weights")


def list_records(name: tyro.conf.Positional[str | None] = None) -> None:
    """List the published weight files, or show all details of one.

    Args:
        name: name of a weight file in the list.
    """
    from zoo.weights.cache import cache_folder
    from zoo.weights.origins import ORIGINS
    from zoo.weights.records import RECORDS

    console = Console()
    if name is None:
        width = max(map(len, RECORDS))
        # Not a Rich table, which would crop columns.
        print(f"{'name':<{width}}  classes   MB  file")
        for record in RECORDS.values():
            where = cache_folder() / record.name / record.file
            there = where.exists() or where.with_name(where.name + ".index").exists()
            how = "can be downloaded" if record.urls else "download by hand"
            if record.package:
                how = f"pip install {record.package}"
            size = record.size // 1_000_000 or ""
            state = "here" if there or record.shipped else how
            print(f"{record.name:<{width}}  {record.classes or 'none':>7}  {size:>3}  {state}")
        console.print(
            "`zoo weights NAME` shows the details: measured results, licence, preprocessing."
        )
        print(f"folder: {one_line(cache_folder())} (set ZOO_WEIGHTS to change it)")
        return
    if name not in RECORDS:
        raise CommandError(
            f"no such weight file: {name!r}. {did_you_mean(name, RECORDS)}`zoo weights` lists them."
        )
    record = RECORDS[name]
    origin = next((origin for origin in ORIGINS if origin.name == record.origin), None)
    for key in record.__dataclass_fields__:
        if key == "options":
            settings = {**(origin.options if origin else {}), **record.options}
            value = ", ".join(f"{name}={chosen!r}" for name, chosen in settings.items())
            console.print(f"graph: {value}", markup=False)
        elif value := getattr(record, key):
            console.print(f"{key}: {value}", markup=False)
