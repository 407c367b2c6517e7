"""`zoo list`: list models, recipes and data sets."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from zoo.cli.names import data_sets, models, recipes
from zoo.cli.parsing import call


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(show_list, arguments, "list")


def show_list() -> None:
    """List the models, the recipes and the data sets."""
    console = Console()
    for title, rows in (
        ("Models, zoo.<name>()", models()),
        ("Recipes, zoo train <name>", recipes()),
        ("Data sets, zoo.datasets.<name>", data_sets()),
    ):
        table = Table(title=title, title_justify="left", box=None, show_header=False)
        table.add_column(no_wrap=True, style="bold")
        table.add_column()
        for name, text in rows.items():
            table.add_row(f"  {name}", text)
        console.print(table)
