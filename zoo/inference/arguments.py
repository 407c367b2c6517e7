"""Checks of the arguments that `zoo.predict` and `predict_live` share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from zoo.inference.streaming.pipeline import INITIAL

LARGEST = 16384  # largest side of a film, a limit of the h264 encoder
SLOWEST = 0.001  # frames per second; time stamps of slower films do not fit into their file
# Defaults of the arguments of `zoo.predict` that some models, videos or sources do not use.
DEFAULTS = {
    "initial": "repeat",
    "chunk": None,
    "maps": None,
    "candidates": 5,
    "precision": None,
    "stride": 1,
    "flow": None,
    "classes": None,
    "mirror": False,
}


def check_arguments(
    *,
    maps: str | None,
    candidates: int,
    size: tuple[int, int] | None,
    fps: float | None,
    initial: str = INITIAL[0],
    chunk: int | None = None,
) -> None:
    """Raise an error for values that are out of range; see `zoo.predict` for the arguments."""
    if maps not in ("npz", "png", None):
        raise ValueError(f'`maps` must be "npz", "png" or None. Received: maps={maps!r}')
    if not isinstance(candidates, Integral) or candidates < 0:
        raise ValueError(
            f"`candidates` must be an integer of 0 or more. Received: candidates={candidates!r}"
        )
    if initial not in INITIAL:
        raise ValueError(f"`initial` must be one of {INITIAL}. Received: initial={initial!r}")
    if size is not None:
        if not isinstance(size, (tuple, list)) or len(size) != 2:
            raise ValueError(f"`size` must be (height, width). Received: size={size!r}")
        if not all(isinstance(side, Integral) and 1 <= side <= LARGEST for side in size):
            raise ValueError(
                f"`size` must be positive integers of at most {LARGEST}. Received: size={size}"
            )
    if chunk is not None and not (isinstance(chunk, Integral) and chunk >= 1):
        raise ValueError(f"`chunk` must be at least 1, an integer. Received: chunk={chunk!r}")
    if fps is not None and not (isinstance(fps, Real) and SLOWEST <= fps < float("inf")):
        raise ValueError(
            f"`fps` must be a positive number of at least {SLOWEST}. Received: fps={fps!r}"
        )


def check_unused(rule: str, **options: Any) -> None:
    """Raise an error for options that would have no effect and differ from their default.

    Args:
        rule: why they have none, such as "A live stream is predicted frame by frame".
        options: arguments of `zoo.predict`.
    """
    unused = {name: value for name, value in options.items() if value != DEFAULTS[name]}
    if unused:
        names = " and ".join(f"`{name}`" for name in unused)
        given = ", ".join(f"{name}={value!r}" for name, value in unused.items())
        raise ValueError(f"{rule}: {names} must not be changed. Received: {given}")


def check_live(*, initial: str, **options: Any) -> None:
    """Raise an error for arguments of `zoo.predict` that a live prediction would not use."""
    initial = DEFAULTS["initial"] if initial == "omit" else initial  # which it does anyway
    check_unused("A live stream is predicted frame by frame", initial=initial, **options)
