"""`zoo check`: is a data set complete and readable?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import tyro

from zoo.cli.messages import CommandError
from zoo.cli.names import check_data_set
from zoo.cli.parsing import call
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(check, arguments, "check")


def check(
    dataset: tyro.conf.Positional[str],
    data_dir: tyro.conf.Positional[str],
    decode: Literal["all", "first", "none"] = "all",
    options: tuple[str, ...] = (),
    sample: int | None = None,
    least: int = 16,
    strict: bool = False,
    workers: int | None = None,
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None,
    progress: bool = True,
) -> None:
    """Is a data set's folder complete and readable? Exit status 0: yes, 1: no, 2: bad input.

    Args:
        dataset: module of zoo.datasets (zoo list), or csv.
        data_dir: its folder; for csv the table of videos, or a folder with a folder a class.
        decode: how far videos are looked into: every frame, the first frame, or not at all.
        options: of the reader, as NAME=VALUE: fold=2 (default all folds), lists=DIR,
            annotation=DIR, gaze=DIR, raw_gaze=DIR, clip_sets=DIR.
        sample: look into so many videos only, evenly spread over the data set.
        least: a video of fewer frames is short.
        strict: a damaged packet makes a video unfit; otherwise it is told.
        workers: videos looked into at a time; default the number of processors.
        output: file for the full result as JSON; default DATASET_check.json here.
        progress: tell on the standard error stream how far it is.
    """
    check_data_set(dataset, "csv")
    from zoo.datasets.listing.check import check_dataset

    report = check_dataset(
        dataset,
        data_dir,
        decode=decode,
        options=dict(option(text) for text in options),
        sample=sample,
        least=least,
        strict=strict,
        workers=workers,
        progress=progress,
    )
    path = output or f"{dataset}_check.json"
    report.write(path)
    print(report.summary())
    print(f"all of it: {one_line(path)}")
    if not report.ok:
        raise SystemExit(1)


def option(text: str) -> tuple[str, str]:
    """The name and the value of an option of a reader."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise CommandError(f"--options must be NAME=VALUE. Received: {text!r}")
    return name.strip().replace("-", "_"), value
