"""Frozen atoms keep their coordinates exactly, and the rest of the molecule relaxes around them.

The column `FROZEN` of `Structures` says which atoms these are; a molecule without it has none. Where a molecule has frozen atoms
its result is not superposed on its input: it stands where these are.

Shapes: M molecules, A atoms (flat), N atoms of one molecule.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morered.structures import Column, Structures

#: Name of the column, [A] bool.
FROZEN = "frozen"
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


class FreezeProblem(ValueError):
    """Atoms of a molecule that cannot be frozen as asked; the message is the reason."""


def frozen_atoms(structures: Structures) -> NDArray[np.bool_]:
    """Which atoms are frozen, [A]."""
    if FROZEN not in structures.columns:
        return np.zeros(structures.n_atoms, bool)
    return np.asarray(structures.columns[FROZEN].values, bool)


def has_frozen(structures: Structures) -> NDArray[np.bool_]:
    """Which molecules have frozen atoms, [M]."""
    return structures.per_molecule_sum(frozen_atoms(structures).astype(np.float64)) > 0


def with_frozen(structures: Structures, frozen: NDArray[np.bool_]) -> Structures:
    """The molecules with these atoms frozen, [A]; unchanged where there are none."""
    return structures.with_columns({FROZEN: Column(np.asarray(frozen, bool), per_atom=True)}) if frozen.any() else structures


def put_back(relaxed: NDArray[np.float64], given: Structures, rotations: NDArray[np.floating] | None) -> None:
    """Bring molecules with frozen atoms to where these were given, in place.

    Parameters
    ----------
    relaxed
        [A, 3], Å, positions in a relaxation's own frame, in which frozen atoms have kept their places.
    given
        The molecules as they were given.
    rotations
        [M, 3, 3] into that frame; None where it is only shifted.
    """
    frozen = frozen_atoms(given)
    for m in np.flatnonzero(has_frozen(given)).tolist():
        atoms = slice(int(given.offsets[m]), int(given.offsets[m + 1]))
        held, start = frozen[atoms], np.asarray(given.positions[atoms], np.float64)
        end = relaxed[atoms] if rotations is None else relaxed[atoms] @ rotations[m].T
        end = end + (start[held] - end[held]).mean(axis=0)
        end[held] = start[held]
        relaxed[atoms] = end


def is_list(text: str) -> bool:
    """Whether it is a list of atoms, such as ``1-4,7``; otherwise it is a SMARTS pattern."""
    return all(_RANGE.fullmatch(part.strip()) for part in text.split(","))


def chosen_atoms(text: str, n_atoms: int, drawing: Any = None) -> NDArray[np.bool_]:
    """Atoms that a list (``1-4,7``, from 1) or a SMARTS pattern names, [N].

    Parameters
    ----------
    text
        The list or the pattern.
    n_atoms
        N.
    drawing
        The RDKit molecule that a pattern is looked for in; None where nothing states the bonds.

    Raises
    ------
    FreezeProblem
        If it names an atom that is not there, or the pattern is none, or is not found.
    """
    chosen = np.zeros(n_atoms, bool)
    if is_list(text):
        for part in text.split(","):
            first, last = _RANGE.fullmatch(part.strip()).groups()  # type: ignore[union-attr]
            start, end = int(first), int(last or first)
            if not 1 <= start <= end <= n_atoms:
                lower = "; a range begins with the lower one" if end < start else ""
                raise FreezeProblem(f"--freeze {part.strip()}: its atoms have the numbers 1 to {n_atoms}{lower}")
            chosen[start - 1 : end] = True
        return chosen
    from rdkit import Chem, rdBase  # slow to import, and a list needs none of it

    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(text)
        if pattern is None or " " in text:
            raise FreezeProblem(f"--freeze {text}: neither a list of atoms, such as 1-4,7, nor a SMARTS pattern")
        if drawing is None:
            raise FreezeProblem(f"--freeze {text}: nothing states its bonds; give the numbers of its atoms, such as 1-4,7")
        molecule = Chem.Mol(drawing)
        try:
            Chem.SanitizeMol(molecule)
        except Chem.MolSanitizeException as error:
            raise FreezeProblem(f"--freeze {text}: its bonds make no molecule to look in ({error})") from None
        matches = molecule.GetSubstructMatches(pattern)
    if not matches:
        raise FreezeProblem(f"--freeze {text}: no atoms of it match")
    chosen[[atom for match in matches for atom in match]] = True
    return chosen


def fixed_by_ase(atoms: Any) -> NDArray[np.bool_] | None:
    """Atoms that ASE's FixAtoms holds, [N]; None where there are no constraints.

    Raises
    ------
    FreezeProblem
        If there is any other constraint: it would not be honoured.
    """
    if not atoms.constraints:
        return None
    frozen = np.zeros(len(atoms), bool)
    for constraint in atoms.constraints:
        if type(constraint).__name__ != "FixAtoms":
            raise FreezeProblem(
                f"its constraint {type(constraint).__name__} cannot be honoured: only FixAtoms can; remove it first"
            )
        frozen[constraint.get_indices()] = True
    return frozen
