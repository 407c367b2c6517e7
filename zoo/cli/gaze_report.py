"""`zoo gaze-report`: write a page that shows whether gaze was read correctly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import tyro

from zoo.cli.messages import CommandError
from zoo.cli.names import check_data_set
from zoo.cli.parsing import call
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(gaze_report, arguments, "gaze-report")


def gaze_report(
    dataset: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATASET")],
    data_dir: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA_DIR")],
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")] = None,
    options: tuple[str, ...] = (),
    split: str | None = None,
    sample: int = 20,
    frames: int = 8,
    overwrite: bool = False,
) -> None:
    """Write a page that shows gaze on the frames and over time, and marks what looks wrong.

    Args:
        dataset: name of the data set (`zoo list`), or csv.
        data_dir: folder of the data set; for csv the table of videos.
        output: new folder for the page; default DATASET_gaze in the current folder.
        options: options of the data set's reader, as NAME=VALUE, see zoo check.
        split: show only the videos of this split.
        sample: number of videos, evenly spread over the data set; 0 takes all.
        frames: number of frames shown of each video.
        overwrite: replace an earlier page in the folder.
    """
    check_data_set(dataset, "csv")
    from zoo.cli.check import option
    from zoo.datasets.listing.check import listings_of
    from zoo.datasets.listing.gaze_page import write_gaze_page

    listings = listings_of(dataset, data_dir, dict(option(text) for text in options))
    records = {record.name: record for listing in listings for record in listing.of_split(split)}
    if not records and split is not None:
        known = sorted({str(r.split) for listing in listings for r in listing.records})
        raise CommandError(f"--split must be one of {', '.join(known)}. Received: {split}")
    path = output or f"{dataset}_gaze"
    looks = write_gaze_page(
        list(records.values()), path, sample=sample or None, frames=frames, overwrite=overwrite
    )
    wrong = sum(bool(look.doubts) for look in looks)
    print(f"{len(looks)} videos, {wrong} with doubtful gaze")
    print(f"page: {one_line(path)}/index.html")
