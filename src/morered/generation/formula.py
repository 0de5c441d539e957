"""Compositions: the text C7H10O2 and the atomic numbers that it stands for."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

#: Beyond this a formula is a slip of the pen, not a molecule.
MOST_ATOMS = 1000

_PART = re.compile(r"([A-Z][a-z]?)(\d*)")


class FormulaError(ValueError):
    """A text that is no composition; the message says where it goes wrong."""


def numbers_of(formula: str) -> NDArray[np.uint8]:
    """Atomic numbers [N] of a formula such as C7H10O2: heavy atoms in the order of their numbers' first mention, hydrogen last.

    Raises
    ------
    FormulaError
        If it is no formula, names an unknown element, or has fewer than two atoms or too many.
    """
    text = formula.strip()
    counts: Counter[str] = Counter()
    place = 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            raise FormulaError(f"{formula!r} is no formula: {text[place]!r} begins no element (write it like C7H10O2)")
        symbol, count = part.groups()
        if symbol not in atomic_numbers or symbol == "X":
            raise FormulaError(f"{formula!r}: there is no element {symbol!r}")
        if count and int(count) == 0:
            raise FormulaError(f"{formula!r}: 0 atoms of {symbol}")
        counts[symbol] += int(count or 1)
        place = part.end()
    total = sum(counts.values())
    if total < 2:
        raise FormulaError(f"{formula!r}: a molecule has at least two atoms, this has {total}")
    if total > MOST_ATOMS:
        raise FormulaError(f"{formula!r}: {total} atoms are more than {MOST_ATOMS}")
    order = sorted(counts, key=lambda symbol: symbol == "H")  # stable: the others stay in their order
    return np.array([atomic_numbers[symbol] for symbol in order for _ in range(counts[symbol])], dtype=np.uint8)


def formula_of(numbers: NDArray[np.integer]) -> str:
    """The formula of atomic numbers [N] in Hill's order: carbon, hydrogen, then the others by their symbols."""
    counts = Counter(chemical_symbols[z] for z in np.asarray(numbers).tolist())
    first = [symbol for symbol in ("C", "H") if "C" in counts and symbol in counts]
    order = first + sorted(symbol for symbol in counts if symbol not in first)
    return "".join(f"{symbol}{counts[symbol] if counts[symbol] > 1 else ''}" for symbol in order)
