"""`zoo convert` and `zoo weights`."""

from __future__ import annotations

from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from zoo.backbones.loading import ORIGINS
from zoo.weights.cache import cache_folder
from zoo.weights.errors import WeightsError
from zoo.weights.records import RECORDS


def convert(
    file: tyro.conf.Positional[str],
    to: str | None = None,
    output: Path | None = None,
    mean_clip: Path | None = None,
    pool5_padding: str | None = None,
    preprocessing: str | None = None,
) -> None:
    """Convert a published weight file to a Keras file with its provenance inside.

    Args:
        file: The file, or a record's name.
        to: c3d, i3d, googlenet or resnet50; by default whichever the file holds.
        output: A .weights.h5 or .keras file.
        mean_clip: C3D's mean clip, with preprocessing "sports1m_mean_cube".
        pool5_padding: C3D: "caffe" or "symmetric" in the place of the file's own.
        preprocessing: C3D: in the place of the file's own.
    """
    from zoo.backbones.convert import convert as run

    options = {"pool5_padding": pool5_padding, "preprocessing": preprocessing}
    chosen = {key: value for key, value in options.items() if value is not None}
    console = Console()
    try:
        path, provenance = run(file, to=to, output=output, mean_clip=mean_clip, **chosen)
    except WeightsError as error:
        raise SystemExit(f"zoo convert: {error}") from None
    console.print(f"{path}: {provenance['architecture']} from {provenance['origin']}")
    settings = ", ".join(f"{key}={value!r}" for key, value in provenance["options"].items())
    console.print(f"graph: {settings}", markup=False)
    console.print(f"{provenance['tensors']} tensors set, {len(provenance['left_out'])} left out")
    for line in provenance["left_out"]:
        if "num_batches_tracked" not in line:
            console.print(f"  {line}", markup=False)


def list_records(name: tyro.conf.Positional[str | None] = None) -> None:
    """List the published weight files, or all that is known of one of them.

    Args:
        name: A record's name.
    """
    console = Console()
    if name is None:
        table = Table(box=None)
        table.add_column("name", no_wrap=True)
        for column in ("classes", "MB", "file"):
            table.add_column(column, no_wrap=True)
        for record in RECORDS.values():
            where = cache_folder() / record.name / record.file
            there = where.exists() or where.with_name(where.name + ".index").exists()
            table.add_row(
                record.name,
                str(record.classes or "none"),
                str(record.size // 1_000_000 or ""),
                "here" if there else "can be fetched" if record.urls else "by hand",
            )
        console.print(table)
        console.print("`zoo weights NAME` tells the rest of one: figure, licence, preprocessing.")
        console.print(f"kept in {cache_folder()} (set ZOO_WEIGHTS to change it)")
        return
    if name not in RECORDS:
        raise SystemExit(f"zoo weights: no record of that name. Received: {name}")
    record = RECORDS[name]
    origin = next(origin for origin in ORIGINS if origin.name == record.origin)
    for key in record.__dataclass_fields__:
        if key == "options":
            settings = {**origin.options, **record.options}
            value = ", ".join(f"{name}={chosen!r}" for name, chosen in settings.items())
            console.print(f"graph: {value}", markup=False)
        elif value := getattr(record, key):
            console.print(f"{key}: {value}", markup=False)
