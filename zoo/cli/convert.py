"""`zoo convert`: convert a published weight file to a Keras file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from zoo.cli.parsing import call
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(convert, arguments, "convert")


def convert(
    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")],
    to: str | None = None,
    output: Path | None = None,
    mean_clip: Path | None = None,
    pool5_padding: str | None = None,
    preprocessing: str | None = None,
) -> None:
    """Convert a published weight file to a Keras file with its provenance inside.

    Args:
        file: a weight file, or the name of a published one (`zoo weights`).
        to: architecture that the file must contain: c3d, i3d, googlenet or resnet50; default any
            of them.
        output: file to write: .weights.h5 (only weights) or .keras (weights and model); default
            NAME.weights.h5 in the current folder.
        mean_clip: for c3d: file of the mean clip, used with --preprocessing sports1m_mean_cube.
        pool5_padding: for c3d: caffe or symmetric; default the padding that the file implies.
        preprocessing: for c3d: the input normalization; default the one that the file implies.
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
