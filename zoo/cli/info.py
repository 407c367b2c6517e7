"""`zoo info`: show what is recorded in a model file, without loading it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from zoo.cli.messages import CommandError
from zoo.cli.parsing import call
from zoo.files.model_card import card_lines, read_card
from zoo.files.printable import one_line


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(show, arguments, "info")


def show(
    file: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="FILE...")],
    json: bool = False,
) -> None:
    """Show what is recorded in .keras files, without loading Keras or its backend.

    Args:
        file: .keras files.
        json: print everything as JSON, including all class names.
    """
    if not file:
        raise CommandError("a .keras file must be given: zoo info FILE. Received: none")
    found = [describe(path) for path in file]
    if json:
        _print_json(found)
        return
    for path, facts in zip(file, found):
        print(one_line(path))
        for line in _lines(facts):
            print(f"  {one_line(line)}")


def describe(path: str) -> dict[str, Any]:
    """What is recorded in a `.keras` file: {"file", "graph", "card", "converted"}."""
    if not os.path.isfile(path):
        raise CommandError(f"a model must be an existing .keras file. Received: {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            config = json.loads(archive.read("config.json"))
            metadata = json.loads(archive.read("metadata.json"))
            converted = "zoo_provenance.json"
            origin = json.loads(archive.read(converted)) if converted in names else {}
            weights = _count_weights(archive) if "model.weights.h5" in names else None
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise CommandError(
            "a model must be a complete .keras file, as written by model.save. Received: "
            f"{path} of {os.path.getsize(path)} bytes ({str(error).splitlines()[0]})"
        ) from error
    inner = config.get("config", {}) if isinstance(config.get("config"), dict) else {}
    return {
        "file": {
            "bytes": os.path.getsize(path),
            "keras": metadata.get("keras_version"),
            "saved": metadata.get("date_saved"),
        },
        "graph": {
            "class": config.get("class_name"),
            "name": inner.get("name"),
            "layers": len(inner.get("layers", [])),
            "inputs": _inputs(inner),
            "outputs": _outputs(inner.get("output_layers")),
            "weights": weights,
        },
        "card": read_card(path),
        "converted": origin,
    }


def _lines(facts: dict[str, Any]) -> list[str]:
    file, graph = facts["file"], facts["graph"]
    shapes = [
        f"{name} ({', '.join('any' if n is None else str(n) for n in shape[1:])})"
        for name, shape in graph["inputs"].items()
    ]
    lines = [
        f"{graph['class']} {graph['name']!r}, {graph['layers']} layers",
        *([f"inputs of one sample: {'; '.join(shapes)}"] if shapes else []),
        *([f"outputs: {', '.join(graph['outputs'])}"] if graph["outputs"] else []),
    ]
    if graph["weights"] is not None:
        lines.append(f"weights: {graph['weights']:,} numbers, {file['bytes'] / 1e6:.1f} MB")
    lines += card_lines({k: v for k, v in facts["card"].items() if k != "model"})
    if origin := facts["converted"]:
        lines.append(f"converted from: {origin.get('source')} ({origin.get('origin')})")
    if not facts["card"]:
        lines.append(f"saved by Keras {file['keras']}, {file['saved']}; the file has no model card")
    return lines


def _count_weights(archive: zipfile.ZipFile) -> int:
    import h5py

    count = 0

    def add(name: str, item: Any) -> None:
        nonlocal count
        optimizer = name.startswith("optimizer/") or "seed_generator" in name
        if isinstance(item, h5py.Dataset) and not optimizer:
            count += item.size

    with archive.open("model.weights.h5") as file, h5py.File(file, "r") as weights:
        weights.visititems(add)
    return count


def _inputs(config: dict[str, Any]) -> dict[str, list]:
    found = {}
    for layer in config.get("layers", []):
        if isinstance(layer, dict) and layer.get("class_name") == "InputLayer":
            inner = layer["config"]
            found[inner["name"]] = inner.get("batch_shape") or inner.get("batch_input_shape") or []
    return found


def _outputs(outputs: Any) -> list[str]:
    if isinstance(outputs, dict):
        return sorted(outputs)
    if isinstance(outputs, list) and outputs and isinstance(outputs[0], str):
        return [outputs[0]]
    return [str(layer[0]) for layer in outputs or [] if isinstance(layer, list) and layer]


def _print_json(found: list[dict[str, Any]]) -> None:
    print(json.dumps(found if len(found) > 1 else found[0], indent=1))
