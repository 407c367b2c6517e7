"""Makes text from files and file names safe to print in a terminal."""

from __future__ import annotations

import re

# Control characters except line feeds and tabs, and marks that change the writing direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_LINE_ENDS = re.compile("[\t\n\u2028\u2029]")


def printable(text: object) -> str:
    r"""Escape the control characters of a text, so that a name cannot control a terminal.

    Example: `printable("a\x1b[2Jb")` is `a\x1b[2Jb`, eight characters that do nothing.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def one_line(text: object) -> str:
    r"""Like `printable`, but escapes line ends and tabs too, for a name within a line.

    Example: `one_line("a\nb")` is `a\nb` in four characters, so that no name can add a line.
    """
    return _LINE_ENDS.sub(lambda found: found[0].encode("unicode_escape").decode(), printable(text))
