"""`zoo export`: write a model in another program's format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from zoo.cli.parsing import call
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(export_model, arguments, "export")


def export_model(
    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")],
    format: Literal["keras", "savedmodel", "onnx", "litert", "openvino"] = "onnx",
    output: Annotated[str | None, tyro.conf.arg(aliases=["-o"])] = None,
    frames: int | None = None,
    batch: int | None = None,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model in another program's format, and compare both on random input.

    Args:
        model: a .keras file.
        format: format of the new file; savedmodel is TensorFlow's.
        output: file to write; default the model's name, in the current folder.
        frames: number of frames per video, if the model accepts any number; required for litert.
        batch: number of videos per call; default any number, for litert 1.
        size: height and width of the frames, if the model accepts any; the general model's are best
            as `zoo predict` scales them: 320 on the longer side, both multiples of 8.
        overwrite: replace an existing file.
    """
    from zoo.inference.export import export

    exported = export(
        model,
        output or f"{Path(model).stem}{'_exported' if format == 'keras' else ''}",
        format=format,
        frames=frames,
        batch=batch,
        size=size,
        overwrite=overwrite,
    )
    for name, shape in exported.inputs.items():
        sides = ", ".join("any" if n is None else str(n) for n in shape)
        print(f"input {one_line(name)}: {sides}")
    for name, difference in exported.differences.items():
        print(
            f"output {one_line(name)}: differs from the model's by at most {difference:.1e} of "
            "its largest value"
        )
    print(f"{exported.format}: {one_line(exported.path)}")
