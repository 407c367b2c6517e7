"""The record of a published weight file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """A published weight file: where to get it, its training data, and the model that it fits.

    Args:
        name: Name of the record, as used in `weights=`.
        architecture: "c3d", "i3d", "googlenet", "resnet50" or "efficientnet_lite"; or the builder
            of a whole model, "general_saliency".
        file: Name of the file; for a TensorFlow checkpoint, its prefix.
        origin: Name of the origin, one of `zoo.weights.ORIGINS`; "" for a file of the zoo.
        urls: URLs that need no login; all of them are needed.
        page: Web page where a person finds the file.
        digests: `algorithm:hexdigest` for each URL, or "" if unknown. May be only the beginning
            of the digest, as in torchvision's file names.
        size: Approximate size in bytes, or 0.
        licence: Licence as published.
        trained_on: Training data.
        classes: Number of classes.
        preprocessing: Preprocessing with which the published results were computed.
        options: Arguments of the builder in addition to those of the origin.
        accuracy: Published accuracy.
        package: Name of the Python package (in the package index) that ships the file.
        shipped: Whether the file is part of this package.

    Example: `zoo.weights.RECORDS["general"].licence`
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
        """Names of the files in the cache: one, or several for a TensorFlow checkpoint."""
        if len(self.urls) < 2:
            return (self.file,)
        return tuple(url.split("?")[0].rsplit("/", 1)[-1] for url in self.urls)
