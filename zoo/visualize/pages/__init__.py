"""Pages that open in a browser from the file system, without a network, in one style."""

from __future__ import annotations

import html
from importlib import resources


def asset(name: str) -> str:
    """The text of a file of this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def page(title: str, body: str, *, head: str = "") -> str:
    """A whole HTML page around `body`; `title` is a text, `body` and `head` are HTML.

    Example: `page("Evaluation", "<h1>Evaluation</h1>")`.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{asset('style.css')}</style>\n{head}"
        f"</head>\n<body>\n{body}</body>\n</html>\n"
    )
