"""`zoo convert`: a published weight file to a Keras file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from zoo.cli.parsing import call
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(convert, arguments, "convert")


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
        pool5_padding: C3D: "caffe" or "symmetric" instead of the file's own.
        preprocessing: C3D: instead of the file's own.
    """
    from zoo.backbones.convert import convert as convert_file

    options = {"pool5_padding": pool5_padding, "preprocessing": preprocessing}
    chosen = {key: value for key, value in options.items() if value is not None}
    path, provenance = convert_file(file, to=to, output=output, mean_clip=mean_clip, **chosen)
    print(f"{one_line(path)}: {provenance['architecture']} from {provenance['origin']}")
    settings = ", ".join(f"{key}={value!r}" for key, value in provenance["options"].items())
    print(f"graph: {one_line(settings)}")
    print(f"{provenance['tensors']} tensors set, {len(provenance['left_out'])} left out")
    for line in provenance["left_out"]:
        if "num_batches_tracked" not in line:
            print(f"  {one_line(line)}")
