"""The record of a published weight file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """A published weight file: where it is, what it was trained on, which graph it fits.

    Args:
        name: What `weights=` takes.
        architecture: "c3d", "i3d", "googlenet", "resnet50" or "efficientnet_lite";
            or a builder of whole models, "general_saliency".
        file: The file's name; of a TensorFlow checkpoint, its prefix.
        origin: The naming, one of `zoo.weights.ORIGINS`; "" for a file of the zoo's own.
        urls: Where it can be downloaded without a login; all are needed.
        page: Where a person finds it.
        digests: `algorithm:hexdigest` of each url where known, else "". A digest may be cut, as in
            file names of torchvision.
        size: Bytes, roughly, or 0.
        licence: As stated where it is published.
        trained_on: The data set.
        classes: Number of classes.
        preprocessing: What the published numbers were computed with.
        options: The builder's arguments beyond those that the origin chooses.
        accuracy: The published figure.
        package: The Python package that ships the file, by its name in the package index.
        shipped: Whether the file is part of this package.
    """

    name: str
    architecture: str
    file: str
    origin: str
    urls: tuple[str, ...] = ()
    page: str = ""
    digests: tuple[str, ...] = ()
    size: int = 0
    licence: str = ""
    trained_on: str = ""
    classes: int = 0
    preprocessing: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    accuracy: str = ""
    package: str = ""
    shipped: bool = False

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names of the files in the cache: one, or each of a TensorFlow checkpoint."""
        if len(self.urls) < 2:
            return (self.file,)
        return tuple(url.split("?")[0].rsplit("/", 1)[-1] for url in self.urls)
