"""Strict mapping of a file's tensors to a model's variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.weights.errors import WeightsError
from zoo.weights.formats.mapped import release
from zoo.weights.names.layouts import Layout, shape_after
from zoo.weights.names.origin import Origin

_ROWS = 30
_COLUMNS = ("problem", "in the file", "shape", "in the model", "shape")


@dataclass
class Plan:
    """Which tensor goes to which variable, determined before any values are read.

    Args:
        assignments: (variable, tensor, layout).
        filled: Gammas that are set to one.
        must_be_one: (tensor, variable) of gammas that the model lacks, so must be one.
        left_out: (tensor, reason).
        problems: Rows of the table of differences; empty if the file fits.
    """

    assignments: list[tuple[str, str, Layout]] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    must_be_one: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    problems: list[tuple[str, str, str, str, str]] = field(default_factory=list)


def model_variables(model: Any) -> dict[str, Any]:
    """A model's variables by name, `layer/variable`."""
    variables = {variable.path: variable for variable in model.weights}
    if len(variables) < len(model.weights):
        raise WeightsError(
            "A model's layers must have unique names to load weights by name. "
            f"Received: {model.name}"
        )
    return variables


def plan(
    origin: Origin,
    prefix: str,
    shapes: Mapping[str, tuple[int, ...]],
    model: Any,
    given: tuple[str, ...] = (),
) -> Plan:
    """Match each tensor to a variable by name and shape.

    Args:
        origin: The file's origin.
        prefix: Prefix of all names in the file.
        shapes: The file's tensors: name -> shape.
        model: The Keras model.
        given: Variables whose values come from elsewhere.

    Returns:
        A `Plan`; its `problems` are empty if the file fits.
    """
    variables = {name: tuple(v.shape) for name, v in model_variables(model).items()}
    layers = {name.rsplit("/", 1)[0] for name in variables}
    result, used, targets = Plan(), set(), set(given)
    for rule in origin.rules(model):
        source, here = prefix + rule.source, rule.target in variables
        layer, variable = rule.target.rsplit("/", 1)
        targets.add(rule.target)
        if source in shapes:
            used.add(source)
            if here:
                _match(result, rule, source, shapes[source], variables[rule.target])
            elif layer in layers and variable == "gamma":
                result.must_be_one.append((source, rule.target))
            elif layer in layers:
                row = ("no such variable", source, str(shapes[source]), rule.target, "")
                result.problems.append(row)
            else:
                result.left_out.append((source, f"the model has no layer {layer}"))
        elif here:
            row = ("missing in the file", source, "", rule.target, str(variables[rule.target]))
            result.problems.append(row)
    for name in shapes:
        if name in used:
            continue
        reason = next((why for pattern, why in origin.ignored if re.search(pattern, name)), None)
        if reason is None:
            result.problems.append(("unknown in the file", name, str(shapes[name]), "", ""))
        else:
            result.left_out.append((name, reason))
    for name, shape in variables.items():
        if name in targets:
            continue
        if origin.fill_gamma and name.endswith("/gamma"):
            result.filled.append(name)
        else:
            result.problems.append(("not in such files", "", "", name, str(shape)))
    return result


def _match(result: Plan, rule: Any, source: str, have: tuple, want: tuple) -> None:
    if shape_after(rule.layout, have) == want:
        result.assignments.append((rule.target, source, rule.layout))
    else:
        got = shape_after(rule.layout, have)
        shown = f"{have} -> {got}" if got != have else str(have)
        result.problems.append(("other shape", source, shown, rule.target, str(want)))


def check(result: Plan, what: str) -> None:
    """Raise an error with a table of the problems, if there are any."""
    if result.problems:
        raise WeightsError(
            f"Every tensor of the model must be set, and every tensor of the file used. "
            f"Received: {what} with {len(result.problems)} problems:\n" + table(result.problems)
        )


def table(problems: list[tuple[str, str, str, str, str]]) -> str:
    """A text table of at most 30 rows, with aligned columns."""
    rows = [_COLUMNS, *problems[:_ROWS]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * w for w in widths))
    if len(problems) > _ROWS:
        lines.append(f"... and {len(problems) - _ROWS} more")
    return "\n".join(lines)


def apply(result: Plan, tensors: Mapping[str, np.ndarray], model: Any, what: str) -> None:
    """Copy the values to the model; if any are unusable, copy nothing and raise an error."""
    unfit = []
    for target, source, _ in result.assignments:
        array = tensors[source]
        if array.dtype.kind not in "fiu":
            unfit.append(("not numbers", source, str(array.dtype), target, ""))
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            unfit.append(("NaN or infinite", source, "", target, ""))
        elif target.endswith("/moving_variance") and array.size and array.min() < 0:
            unfit.append(("negative variance", source, "", target, ""))
        release(array)
    for source, target in result.must_be_one:
        if not np.array_equal(tensors[source], np.ones_like(tensors[source])):
            row = ("needs a gamma; build the model with one", source, "", target, "none")
            unfit.append(row)
        else:
            result.left_out.append((source, "a gamma of one, which the model does not need"))
    if unfit:
        raise WeightsError(
            f"The numbers must be usable. Received: {what} with {len(unfit)} problems:\n"
            + table(unfit)
        )
    variables = model_variables(model)
    for target, source, layout in result.assignments:
        array = np.ascontiguousarray(layout(tensors[source]), "float32")
        release(tensors[source])
        variables[target].assign(array)
    for target in result.filled:
        variables[target].assign(np.ones(variables[target].shape, "float32"))
