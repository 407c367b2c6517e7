"""Conversion of a foreign weight file to a Keras file that carries its provenance."""

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
        source: A weight file, or a record's name.
        to: "c3d", "i3d", "googlenet" or "resnet50"; None accepts whichever the file holds.
        output: Ends in `.weights.h5` (numbers) or `.keras` (numbers and graph); None writes
            `<name of the file>.weights.h5` in the current folder.
        mean_clip: As in `load_weights`.
        options: Arguments of the backbone that take the place of those the file chooses.

    Returns:
        The path written and the provenance inside it.

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
