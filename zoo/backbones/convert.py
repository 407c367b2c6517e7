"""Conversion of a third-party weight file to a Keras file with its provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.backbones.loading import pretrained
from zoo.weights.provenance import save_with_provenance


def convert(
    source: str | Path,
    *,
    to: str | None = None,
    output: str | Path | None = None,
    mean_clip: str | Path | None = None,
    **options: Any,
) -> tuple[Path, dict[str, Any]]:
    """Read a weight file, map it strictly, and write a Keras file.

    Args:
        source: A weight file, or the name of a record.
        to: "c3d", "i3d", "googlenet" or "resnet50", which the file must contain; None accepts any
            of them.
        output: A path that ends in `.weights.h5` (only weights) or `.keras` (weights and model);
            None writes `<name of the file>.weights.h5` in the current folder.
        mean_clip: As in `load_weights`.
        options: Arguments of the backbone, which override those that the file determines.

    Returns:
        The path of the new file, and the provenance stored in it.

    Raises:
        WeightsError: The file is invalid or does not fit.

    Example:

    ```python
    zoo.backbones.convert("rgb_imagenet.pt", to="i3d", output="i3d.keras")
    ```
    """
    model, provenance = pretrained(source, architecture=to, mean_clip=mean_clip, **options)
    if output is None:
        output = f"{Path(provenance['source']).stem}.weights.h5"
    save_with_provenance(model, output, provenance)
    return Path(output), provenance
