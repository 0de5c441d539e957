"""Bonds that a source states. A column of the molecules carries them.

An SDF has a bond block, and a SMILES is nothing but bonds; distances only suggest them. The column `STATED` holds, for each atom,
the atoms of its molecule that it is bonded to, as their numbers from 0, and -1 where there are fewer than its width. A molecule
whose rows are all -1 has no stated bonds.

Shapes: M molecules, A atoms (flat), N atoms of one molecule, K neighbours, E bonds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from morered.frozen import FROZEN
from morered.structures import Column, Structures

if TYPE_CHECKING:
    from rdkit import Chem

#: Name of the column, [A, K] int32.
STATED = "stated_neighbours"
_STATEMENTS = (STATED, FROZEN)
#: Kinds of bonds, as RDKit names them, that are none between neighbours.
_NO_BONDS = ("ZERO", "HYDROGEN", "IONIC", "OTHER", "UNSPECIFIED")


def with_stated_bonds(structures: Structures, templates: Mapping[str, Chem.Mol]) -> Structures:
    """The molecules with the column `STATED`, from RDKit molecules by id; unchanged where none of them states a bond.

    A template with other atoms than its molecule does not count.
    """
    lists: list[list[list[int]]] = []
    for molecule in structures:
        neighbours: list[list[int]] = [[] for _ in molecule.numbers]
        template = templates.get(molecule.id)
        if template is not None and [atom.GetAtomicNum() for atom in template.GetAtoms()] == molecule.numbers.tolist():
            for bond in template.GetBonds():
                i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
                if i != j and bond.GetBondType().name not in _NO_BONDS:
                    neighbours[i].append(j)
                    neighbours[j].append(i)
        lists.append(neighbours)
    width = max((len(atom) for neighbours in lists for atom in neighbours), default=0)
    if not width:
        return structures
    values = np.full((structures.n_atoms, width), -1, np.int32)
    for start, neighbours in zip(structures.offsets.tolist(), lists, strict=False):
        for atom, others in enumerate(neighbours):
            values[start + atom, : len(others)] = others
    return structures.with_columns({STATED: Column(values, per_atom=True)})


def stated_alone(structures: Structures) -> Structures:
    """The molecules without columns but what a relaxation must know of them: stated bonds and frozen atoms."""
    kept = {name: structures.columns[name] for name in _STATEMENTS if name in structures.columns}
    return structures.without_columns().with_columns(kept)


def without_stated(structures: Structures) -> Structures:
    """The molecules without stated bonds and frozen atoms, which are no results."""
    if not any(name in structures.columns for name in _STATEMENTS):
        return structures
    columns = {name: column for name, column in structures.columns.items() if name not in _STATEMENTS}
    return structures.without_columns().with_columns(columns)


def stated_bonds(structures: Structures) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Pairs of bonded rows i < j, [E, 2], and which molecules, [M], have stated bonds."""
    if STATED not in structures.columns:
        return np.empty((0, 2), np.int64), np.zeros(len(structures), bool)
    values = structures.columns[STATED].values
    atom, place = np.nonzero(values >= 0)
    other = structures.offsets[structures.molecule_index[atom]] + values[atom, place]
    once = atom < other
    stated = np.zeros(len(structures), bool)
    stated[structures.molecule_index[atom]] = True
    return np.stack([atom[once], other[once]], axis=1), stated
