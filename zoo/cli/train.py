"""`zoo train`: run a recipe."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Sequence

from zoo.cli.messages import CommandError, did_you_mean
from zoo.cli.names import check_data_set, recipes
from zoo.cli.parsing import own_options, parse
from zoo.files.printable import printable


def run(arguments: Sequence[str]) -> None:
    """Run a recipe: `zoo train RECIPE [options]`."""
    known = recipes()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: zoo train RECIPE [options]\n")
        width = max(len(name) for name in known)
        for name, text in known.items():
            print(f"  {name:<{width}}  {text}")
        print("\n`zoo train RECIPE --help` lists the options of a recipe.")
        return
    name, rest = arguments[0], arguments[1:]
    if name not in known:
        raise CommandError(
            f"no such recipe: {name!r}. {did_you_mean(name, known)}`zoo train --help` lists them."
        )
    recipe = importlib.import_module(f"zoo.recipes.{name}")
    config = parse(recipe.Config, rest, f"train {name}")
    if isinstance(data_set := getattr(config, "dataset", None), str):
        # This imports Keras, which the recipe has imported already.
        from zoo.training.run import OWN_DATA

        check_data_set(data_set, *OWN_DATA)
    with own_options([field.name for field in dataclasses.fields(config)]):
        results = recipe.main(config)
    if isinstance(results, dict):
        print(printable(json.dumps(results, indent=1, default=float)))
