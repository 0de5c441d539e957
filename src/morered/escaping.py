"""Makes text from outside harmless before it is shown on a terminal or in a spreadsheet."""

from __future__ import annotations

import re

#: Text that a spreadsheet would compute, or that looks like such text after `cell` made it harmless.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def printable(text: str) -> str:
    r"""``text`` in one line: what a terminal would obey (escapes, line ends, changes of direction) is spelt out as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def printable_lines(text: str) -> str:
    """As `printable`, of text whose line ends and tabs are meant."""
    return "".join(part if part in "\n\t" else printable(part) for part in re.split(r"([\n\t])", text))


def cell(text: str) -> str:
    """A text as a cell of a CSV file that no spreadsheet takes for a formula.

    A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return gets an apostrophe before it, which says "text"
    to a spreadsheet; a plain number stays as it is. `text_of` takes the apostrophe away again.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def text_of(cell: str) -> str:
    """The text that `cell` was made from."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
