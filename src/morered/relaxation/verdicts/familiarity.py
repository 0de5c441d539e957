"""Notes in the reason that a molecule is smaller or larger than those that the network was trained on, or in several pieces.

The verdict stays.

(Elements that a model has never seen are refused, see `morered.relaxation.verdicts.screening`.)

Shapes: M molecules.
"""

from __future__ import annotations

from collections.abc import Iterable

from morered.checks.identity import pieces
from morered.structures import Structures

_PHRASE = "outside the training data, which has"


def common_sizes(sizes: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Fewest and most atoms that all of several models have seen; None where none of them says (0, 0)."""
    stated = [pair for pair in sizes if any(pair)]
    return (max(low for low, _ in stated), min(high for _, high in stated)) if stated else None


def unfamiliar(structures: Structures, sizes: tuple[int, int] | None) -> list[str | None]:
    """A sentence for each molecule, [M], whose number of atoms lies outside ``sizes``; None for one within."""
    if sizes is None:
        return [None] * len(structures)
    low, high = sizes
    return [None if low <= n <= high else f"its {n} atoms are {_PHRASE} {low} to {high}" for n in structures.sizes.tolist()]


def in_pieces(results: Structures) -> list[str | None]:
    """A sentence for each result, [M], that is in several fragments; None for one in one piece."""
    told = "it is in {} fragments, and the network sees nothing of how those lie that are further apart than its cutoff"
    return [told.format(n) if n > 1 else None for n in (pieces(results).tolist() if len(results) else [])]


def is_noted(reason: str) -> bool:
    """Whether a reason tells of a size that the model has never seen."""
    return _PHRASE in reason
