"""Stability of atoms and molecules as Hoogeboom et al. define it (EDM, ICML 2022, section 5.1): from distances alone.

The order of a bond follows from the distance of two atoms: it is single, double or triple where they are nearer than the typical
length of such a bond plus a margin. An atom is stable where the orders of its bonds sum to its valence, a molecule where all of
its atoms are. Nothing is said about fragments, charges or aromatic rings, whose bonds count as single or double by their length.

Shapes: M molecules, A atoms (flat), B molecules of one size, N atoms of one molecule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from morered.structures import Structures

#: Typical lengths in pm of single, double and triple bonds between two elements, as EDM takes them (tables of bond lengths in
#: general chemistry, e.g. Huheey, Inorganic Chemistry).
LENGTHS: tuple[Mapping[str, int], ...] = (
    {
        "H H": 74, "H C": 109, "H N": 101, "H O": 96, "H F": 92, "H S": 134, "H Cl": 127,
        "C C": 154, "C N": 147, "C O": 143, "C F": 135, "C S": 182, "C Cl": 177,
        "N N": 145, "N O": 140, "N F": 136, "N S": 168, "N Cl": 175,
        "O O": 148, "O F": 142, "O S": 151, "O Cl": 164,
        "F F": 142, "F S": 158, "F Cl": 166, "S S": 204, "S Cl": 207, "Cl Cl": 199,
    },
    {"C C": 134, "C N": 129, "C O": 120, "C S": 160, "N N": 125, "N O": 121, "O O": 121},
    {"C C": 120, "C N": 116, "C O": 113, "N N": 110},
)  # fmt: skip
#: Margins in pm that are added to them.
MARGINS = (10, 5, 3)
#: Sums of bond orders that an element may have. EDM's data hold no sulphur: its usual valences are taken.
VALENCES: Mapping[str, tuple[int, ...]] = {
    "H": (1,),
    "C": (4,),
    "N": (3,),
    "O": (2,),
    "F": (1,),
    "S": (2, 4, 6),
    "Cl": (1,),
}

_MOST = 16  # no sum of orders beyond this is told from another
_MAX_PAIRS = 1 << 21


class Stability(NamedTuple):
    """Whether each atom [A] and each molecule [M] is stable; a molecule without atoms is not."""

    atoms: NDArray[np.bool_]
    molecules: NDArray[np.bool_]


def stability(structures: Structures) -> Stability:
    """Stable atoms and molecules; an atom of an element without valence here is not stable."""
    sums = np.zeros(structures.n_atoms, np.int64)
    for block in structures.blocks(_MAX_PAIRS, per_atom=False):
        sums[block.atoms] = bond_orders(structures.numbers[block.atoms], structures.positions[block.atoms]).sum(axis=2)
    atoms = _ALLOWED[structures.numbers, np.minimum(sums, _MOST)]
    unstable = structures.per_molecule_sum((~atoms).astype(np.float64))
    return Stability(atoms, (unstable == 0) & (structures.sizes > 0))


def bond_orders(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> NDArray[np.int64]:
    """Orders 0 to 3 of the bonds between all atoms, [B, N, N], of numbers [B, N] and positions [B, N, 3] in Å."""
    points = np.asarray(positions, np.float64)
    distances = np.linalg.norm(points[:, :, None] - points[:, None], axis=3)
    limits = _LIMITS[:, numbers[:, :, None], numbers[:, None]]  # [3, B, N, N]
    single, double, triple = distances < limits
    orders = single.astype(np.int64) + (single & double) + (single & double & triple)
    n = numbers.shape[1]
    orders[:, np.arange(n), np.arange(n)] = 0
    return orders


def _limits() -> NDArray[np.float64]:
    """Lengths with their margins in Å, [3, 256, 256]; 0 where there is no such bond."""
    limits = np.zeros((3, 256, 256))
    for order, (table, margin) in enumerate(zip(LENGTHS, MARGINS, strict=True)):
        for pair, length in table.items():
            a, b = (atomic_numbers[symbol] for symbol in pair.split())
            limits[order, a, b] = limits[order, b, a] = (length + margin) / 100
    return limits


def _allowed() -> NDArray[np.bool_]:
    allowed = np.zeros((256, _MOST + 1), bool)
    for symbol, sums in VALENCES.items():
        allowed[atomic_numbers[symbol], list(sums)] = True
    return allowed


_LIMITS = _limits()
_ALLOWED = _allowed()
