"""`zoo view`: show predictions in the browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from typing import Annotated

import tyro

from zoo.cli.parsing import call


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    call(view, arguments, "view")


def view(
    folder: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="FOLDER...")],
    port: int = 0,
    browser: bool = True,
) -> None:
    """Show predictions in the browser, several folders side by side. Ctrl-C stops the server.

    Args:
        folder: output folders of `zoo predict`.
        port: port on 127.0.0.1; 0 selects a free one.
        browser: open the browser.
    """
    from zoo.visualize.serving import serve

    with serve(folder, port) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        print(f"{address} (Ctrl-C stops the server)", flush=True)
        if browser:
            webbrowser.open(address)
        server.serve_forever()
