"""Origins: who wrote a file, told by its tensors' names, and which tensor goes where."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.weights.errors import WeightsError
from zoo.weights.names.layouts import Layout, as_is

# What programs put before every name; the longest that fits is taken off.
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
    """One tensor of the file becomes one variable of the model, named `layer/variable`."""

    target: str
    source: str
    layout: Layout = as_is


@dataclass(frozen=True)
class Origin:
    """The naming and layout of one program's files for one architecture.

    Args:
        name: The origin's own name.
        architecture: The backbone it fits: "c3d", "i3d", "googlenet" or "resnet50".
        rules: Gives the rules for a model (None: for the published sizes).
        ignored: Patterns of names that are left out on purpose, with the reason.
        fill_gamma: Whether the file has no gammas, so that a model's are set to one.
        options: The builder's arguments that give the graph these weights were trained in.
        graph: Checks a model against that graph; returns what differs, or None.
        head: Builder's arguments (classes, end point) told by the shapes in the file.
        told: Others of `options` told by the shapes; None for one that the caller must give.
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
    """What may stand before every name: the usual ones, and what all names have in common."""
    first, last = min(names, default=""), max(names, default="")
    common = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last))
    common = "".join(letter for letter, _ in common)
    own = [common[: at + 1] for at, letter in enumerate(common) if letter in "./"]
    return (*PREFIXES, *(prefix for prefix in own if prefix not in PREFIXES))


def recognise(
    names: Iterable[str], origins: Iterable[Origin], wanted: str | None = None
) -> tuple[Origin, str]:
    """The origin of a file and the prefix of its names.

    Args:
        names: The tensors' names.
        origins: The known origins.
        wanted: Name of the origin where it is known, as for a record: of several that have the
            same names, the one meant.

    Returns:
        The origin that has most of its tensors in the file (at least half), and the prefix that
        all of them carry.
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
