"""Lists of SMILES, read line by line.

A line is one molecule: the SMILES and, after white space, its name, which ends at a tab. Empty lines, lines that begin with
``#``, and a first line that begins with the word SMILES (the names of the columns) are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Line(NamedTuple):
    """A line of a list: its number from 1, the SMILES, and the name, None where there is none."""

    number: int
    smiles: str
    name: str | None


def smiles_lines(lines: Iterable[str]) -> Iterator[Line]:
    """The molecules of a list, in order, as they are written: nothing is checked."""
    begun = False
    for number, line in enumerate(lines, start=1):
        words = line.split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        if not begun and words[0].casefold() == "smiles":
            begun = True
            continue
        begun = True
        name = words[1].split("\t")[0].strip() if len(words) > 1 else ""
        yield Line(number, words[0], name or None)
