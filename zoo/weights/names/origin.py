"""Origins: the program that wrote a file, and the mapping of its tensors to variables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.weights.errors import WeightsError
from zoo.weights.names.layouts import Layout, as_is

# Prefixes that programs add to all names; the longest one that fits is removed.
PREFIXES = (
    "",
    "module.",
    "model.",
    "net.",
    "backbone.",
    "module.backbone.",
    "RGB/inception_i3d/",
    "Flow/inception_i3d/",
    "inception_i3d/",
)


@dataclass(frozen=True)
class Rule:
    """A mapping of one tensor of the file to one variable of the model.

    Args:
        target: Name of the variable, `layer/variable`.
        source: Name of the tensor.
        layout: Conversion of the tensor.
    """

    target: str
    source: str
    layout: Layout = as_is


@dataclass(frozen=True)
class Origin:
    """Tensor names and layouts in the files of one program for one architecture.

    Args:
        name: Name of the origin.
        architecture: The backbone that the files fit: "c3d", "i3d", "googlenet" or "resnet50".
        rules: Returns the rules for a model (None: for the published sizes).
        ignored: Patterns of names that are left out on purpose, with the reason.
        fill_gamma: Whether the files have no gammas, so that those of the model are set to one.
        options: Arguments of the builder with which these weights were trained.
        graph: Compares a model with these settings; returns the difference, or None.
        head: Arguments of the builder (classes, end point), inferred from shapes in the file.
        told: Other arguments inferred from the shapes; None for one that the caller must give.
    """

    name: str
    architecture: str
    rules: Callable[[Any], list[Rule]]
    ignored: tuple[tuple[str, str], ...] = ()
    fill_gamma: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    graph: Callable[[Any], str | None] = lambda model: None
    head: Callable[[Mapping[str, tuple[int, ...]]], dict[str, Any]] = lambda shapes: {}
    told: Callable[[Mapping[str, tuple[int, ...]]], dict[str, Any]] = lambda shapes: {}


def prefixes(names: Collection[str]) -> tuple[str, ...]:
    """Possible prefixes of all names: the usual ones, and any that all names have in common."""
    first, last = min(names, default=""), max(names, default="")
    common = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last))
    common = "".join(letter for letter, _ in common)
    own = [common[: at + 1] for at, letter in enumerate(common) if letter in "./"]
    return (*PREFIXES, *(prefix for prefix in own if prefix not in PREFIXES))


def recognise(
    names: Iterable[str], origins: Iterable[Origin], wanted: str | None = None
) -> tuple[Origin, str]:
    """Determine the origin of a file and the prefix of its names.

    Args:
        names: Names of the tensors.
        origins: The known origins.
        wanted: Name of the origin if it is known, as for a record, to choose among several with
            the same tensor names.

    Returns:
        The origin with the largest fraction of its tensors in the file (at least half), and the
        prefix of their names.

    Raises:
        WeightsError: No origin fits.
    """
    names, origins = list(names), list(origins)
    best: tuple[float, int, Origin | None, str] = (0.0, 0, None, "")
    for prefix in prefixes(names):
        stripped = {name[len(prefix) :] for name in names if name.startswith(prefix)}
        if not stripped:
            continue
        for origin in origins:
            sources = _sources(origin)
            share = len(sources & stripped) / len(sources)
            if (share, len(prefix)) > best[:2]:
                best = (share, len(prefix), origin, prefix)
    if best[2] is None or best[0] < 0.5:
        known = ", ".join(sorted({origin.architecture for origin in origins}))
        nearest = f"; nearest is {best[2].name}, {best[0]:.0%} of its tensors" if best[2] else ""
        raise WeightsError(
            f"A weight file must be of a known network ({known}) in a published naming. "
            f"Received: {len(names)} tensors such as {names[:4]}{nearest}"
        )
    found, prefix = best[2], best[3]
    meant = next((origin for origin in origins if origin.name == wanted), None)
    if meant is not None and _sources(meant) == _sources(found):
        found = meant
    return found, prefix


def _sources(origin: Origin) -> set[str]:
    return {rule.source for rule in origin.rules(None)}
