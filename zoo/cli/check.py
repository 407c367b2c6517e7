"""`zoo check`: check whether a data set is complete and readable."""

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
    dataset: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATASET")],
    data_dir: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA_DIR")],
    decode: Literal["all", "first", "none"] = "all",
    options: tuple[str, ...] = (),
    sample: int | None = None,
    least: int = 16,
    strict: bool = False,
    workers: int | None = None,
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None,
    progress: bool = True,
) -> None:
    """Check whether a data set's folder is complete and readable.

    The exit status is 0 if it is, 1 if something is wrong with the data, and 2 for bad input.

    Args:
        dataset: name of the data set (`zoo list`), or csv.
        data_dir: folder of the data set; for csv the table of videos, or a folder with one
            subfolder per class.
        decode: frames to decode in each video: all of them, only the first, or none.
        options: options of the data set's reader, as NAME=VALUE: fold=2 (default: all folds),
            lists=DIR, annotation=DIR, gaze=DIR, raw_gaze=DIR, clip_sets=DIR.
        sample: number of videos to check, evenly spread over the data set; default all.
        least: minimum number of frames; shorter videos are reported.
        strict: count damaged packets as errors; otherwise they are only reported.
        workers: number of videos checked in parallel; default the number of processors.
        output: file for the full result as JSON; default DATASET_check.json in the current folder.
        progress: show the progress on standard error.
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
    print(f"full result: {one_line(path)}")
    if not report.ok:
        raise SystemExit(1)


def option(text: str) -> tuple[str, str]:
    """Split NAME=VALUE, an option of a reader, into its name and its value."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise CommandError(f"--options must be NAME=VALUE. Received: {text!r}")
    return name.strip().replace("-", "_"), value
