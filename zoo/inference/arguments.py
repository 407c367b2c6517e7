"""Checks of the arguments that `zoo.predict` and `predict_live` share."""

from __future__ import annotations

from typing import Any

from zoo.inference.streaming.pipeline import INITIAL

# Arguments of `zoo.predict` that do not apply to live streams -> their values that change nothing.
NOT_LIVE = {
    "initial": ("repeat", "omit"),
    "chunk": (None,),
    "stride": (1,),
    "flow": (None,),
    "classes": (None,),
    "mirror": (False,),
}
BUILT_IN = {"precision": None, "stride": 1, "flow": None, "mirror": False}


def check_arguments(
    *,
    maps: str | None,
    candidates: int,
    size: tuple[int, int] | None,
    fps: float | None,
    initial: str = INITIAL[0],
) -> None:
    """Raise an error for values that are out of range; see `zoo.predict` for the arguments."""
    if maps not in ("npz", "png", None):
        raise ValueError(f'`maps` must be "npz", "png" or None. Received: maps={maps!r}')
    if candidates < 0:
        raise ValueError(f"`candidates` must be 0 or more. Received: candidates={candidates}")
    if initial not in INITIAL:
        raise ValueError(f"`initial` must be one of {INITIAL}. Received: initial={initial!r}")
    if size is not None:
        if not isinstance(size, (tuple, list)) or len(size) != 2:
            raise ValueError(f"`size` must be (height, width). Received: size={size!r}")
        if min(size) < 1:
            raise ValueError(f"`size` must be positive. Received: size={size}")
    if fps is not None and not 0 < fps < float("inf"):
        raise ValueError(f"`fps` must be a positive number. Received: fps={fps}")


def check_live(**options: Any) -> None:
    """Raise an error for arguments of `zoo.predict` that a live prediction would not use."""
    unused = {name: value for name, value in options.items() if value not in NOT_LIVE[name]}
    if unused:
        names = " and ".join(f"`{name}`" for name in unused)
        given = ", ".join(f"{name}={value!r}" for name, value in unused.items())
        raise ValueError(
            f"A live stream is predicted frame by frame: {names} must not be changed for it. "
            f"Received: {given}"
        )


def check_unchanged(**options: Any) -> None:
    """Raise an error for options that a `Stream` or `ClipMaps` was already built with."""
    given = [f"{k}={value!r}" for k, value in options.items() if value != BUILT_IN[k]]
    if given:
        raise ValueError(
            "`precision`, `stride`, `flow` and `mirror` must be given to the `Stream` or "
            f"`ClipMaps` itself. Received: {', '.join(given)}"
        )
