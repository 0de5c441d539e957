"""Whether a result is still the molecule that its input was: bonds, fragments, hydrogens.

The bonds of the input are those that its source states (`morered.checks.known`) or, without them, those of its distances. A bond
is broken where the result has it longer than `LOOSE` times the sum of the covalent radii, and formed where the result has it
shorter than `FIRM` times and the input, by its distances, longer than `APART` times: a distorted input stretches bonds.

Distances tell the bonds of an input only where it is no heap of atoms: where every hydrogen has one neighbour, no atom has more
than it can, and none lie on each other. Of other inputs (structures diffused far, say) the bonds are unknown.

Shapes: M molecules, A atoms (flat), E bonds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morered.checks.bonds import COVALENT, MOST, Bonded, found, keys, pruned, relative_lengths
from morered.checks.known import stated_bonds
from morered.chemistry import BOND_SCALE, component_firsts, molecule_bonds
from morered.structures import Structures

#: Times the sum of the covalent radii: up to the first two atoms are surely bonded, beyond the second surely not in a result,
#: and beyond the third neither in an input.
FIRM, LOOSE, APART = 1.2, 1.3, 1.45
#: As `FIRM` where the source states that two atoms are not bonded, as across a small ring.
FIRM_BESIDE_STATED = 1.15
#: Nearer than this the atoms of an input lie on each other.
ON_EACH_OTHER = 0.7


@dataclass(frozen=True, eq=False)
class Identity:
    """Results beside their inputs.

    Attributes
    ----------
    kept : dict
        bonds_kept, fragments_kept and hydrogens_kept, [M] int8 each: 1, 0, or -1 where it cannot be told.
    bonded : Bonded
        The results with their bonds: those that are stated where they are kept, else those of their own distances.
    changes : dict
        For a molecule whose bonds changed, the first pair of atoms and whether it was broken.
    """

    kept: dict[str, NDArray[np.int8]]
    bonded: Bonded
    changes: dict[int, tuple[NDArray[np.int64], bool]]


def alone(structures: Structures) -> Identity:
    """Results without inputs: whether each is in one piece, with every hydrogen at one atom."""
    pairs = pruned(structures, molecule_bonds(structures).atoms)
    unknown = np.full(len(structures), -1, np.int8)
    whole = (_fragments(structures, pairs) <= 1).astype(np.int8)
    kept = {"bonds_kept": unknown, "fragments_kept": whole, "hydrogens_kept": _sound_hydrogens(structures, pairs).astype(np.int8)}
    return Identity(kept, Bonded(structures, pairs), {})


def compare(before: Structures, after: Structures) -> Identity:
    """Results ``after`` beside their inputs ``before``: the same atoms in the same order, ``before`` with its stated bonds."""
    n, m = before.n_atoms, len(before)
    stated_pairs, stated = stated_bonds(before)
    bare = before.without_columns()
    near_before = molecule_bonds(bare, APART).atoms
    near_after = molecule_bonds(after.without_columns(), LOOSE).atoms
    ratio_before, ratio_after = relative_lengths(bare, near_before), relative_lengths(after, near_after)
    firm_before = pruned(bare, near_before[ratio_before < FIRM])
    usual_before = pruned(bare, near_before[ratio_before < BOND_SCALE])
    usual_after = pruned(after.without_columns(), near_after[ratio_after < BOND_SCALE])

    known = stated | readable(bare, near_before, ratio_before)
    of_stated = stated[before.molecule_index]
    expected = np.concatenate([stated_pairs, usual_before[~of_stated[usual_before[:, 0]]]])
    surely = np.concatenate([stated_pairs, firm_before[~of_stated[firm_before[:, 0]]]])
    maybe = np.concatenate([stated_pairs, near_before[~of_stated[near_before[:, 0]]]])
    limit = np.where(of_stated[usual_after[:, 0]], FIRM_BESIDE_STATED, FIRM)
    firm_after = usual_after[relative_lengths(after, usual_after) < limit]

    covalent = np.isin(before.numbers, COVALENT)
    broken = _missing(surely, near_after, n)
    formed = _missing(firm_after, maybe, n)
    changes: dict[int, tuple[NDArray[np.int64], bool]] = {}
    changed = np.zeros(m, bool)
    for pairs, is_broken in ((broken, True), (formed, False)):
        pairs = pairs[covalent[pairs].all(axis=1)]  # radii tell little of bonds to metals
        owners = before.molecule_index[pairs[:, 0]]
        changed[owners] = True
        for owner, pair in zip(owners.tolist(), pairs, strict=True):
            changes.setdefault(owner, (pair, is_broken))
    bonds_kept = np.where(known, np.where(changed, 0, 1), -1).astype(np.int8)

    keeps = (bonds_kept == 1)[before.molecule_index]
    stands = of_stated & keeps
    both = np.concatenate([stated_pairs[stands[stated_pairs[:, 0]]], usual_after[~stands[usual_after[:, 0]]]])
    pairs = both[np.lexsort((both[:, 1], both[:, 0]))]
    pieces_before, pieces_after = _fragments(bare, expected), _fragments(bare, pairs)
    whole = (pieces_before == pieces_after) | (bonds_kept == 1)
    metallic = bare.per_molecule_sum((~covalent).astype(np.float64)) > 0  # bonds_kept says nothing of bonds to metals
    near = ((expected, near_before[ratio_before < BOND_SCALE]), (pairs, near_after))
    before_it, after_it = (_fragments(bare, _with_metals(ours, nearby, covalent)) for ours, nearby in near)
    fragments_kept = np.where(np.where(metallic, after_it <= before_it, whole), 1, 0).astype(np.int8)
    # Of an input that cannot be read no more is known than that it has not fallen apart further.
    fragments_kept[~known & (pieces_after < pieces_before)] = -1
    same_hydrogens = _same_hydrogens(bare, expected, pairs)
    hydrogens_kept = np.where(same_hydrogens | (bonds_kept == 1), 1, np.where(known, 0, -1)).astype(np.int8)
    hydrogens_kept[~known & ~_sound_hydrogens(bare, pairs)] = 0
    kept = {"bonds_kept": bonds_kept, "fragments_kept": fragments_kept, "hydrogens_kept": hydrogens_kept}
    changes = {owner: change for owner, change in changes.items() if bonds_kept[owner] == 0}
    return Identity(kept, Bonded(after.without_columns(), pairs), changes)


def readable(structures: Structures, near: NDArray[np.int64], ratio: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether distances tell the bonds of each molecule, [M], from its pairs up to `APART` and their relative lengths."""
    unreadable = np.zeros(len(structures), bool)
    unreadable[structures.molecule_index[near[ratio < ON_EACH_OTHER, 0]]] = True
    loosely = np.bincount(near[ratio < LOOSE].ravel(), minlength=structures.n_atoms)
    crowded = np.bincount(near[ratio < FIRM].ravel(), minlength=structures.n_atoms)
    hydrogen = structures.numbers == 1
    odd = hydrogen & (loosely == 0)
    for element, most in MOST.items():
        odd |= (structures.numbers == element) & (crowded > most)
    unreadable[structures.molecule_index[odd]] = True
    return ~unreadable


def pieces(structures: Structures) -> NDArray[np.int64]:
    """Fragments of each molecule by its distances, [M]."""
    bare = structures.without_columns()
    return _fragments(bare, pruned(bare, molecule_bonds(bare).atoms))


def _with_metals(pairs: NDArray[np.int64], near: NDArray[np.int64], covalent: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The pairs between atoms of elements that bond covalently, and those that a metal is near to."""
    return np.concatenate([pairs[covalent[pairs].all(axis=1)], near[~covalent[near].all(axis=1)]])


def _missing(pairs: NDArray[np.int64], among: NDArray[np.int64], n_atoms: int) -> NDArray[np.int64]:
    """Those of the pairs that are not among others."""
    return pairs[~found(keys(pairs, n_atoms), keys(among, n_atoms))]


def _fragments(structures: Structures, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fragments of each molecule, [M]."""
    firsts = np.unique(component_firsts(pairs, structures.n_atoms))
    return np.bincount(structures.molecule_index[firsts], minlength=len(structures))


def _hydrogens(structures: Structures, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hydrogens at each atom, [A]."""
    is_hydrogen = structures.numbers == 1
    counts = np.zeros(structures.n_atoms, np.int64)
    for a, b in ((0, 1), (1, 0)):
        counts += np.bincount(pairs[is_hydrogen[pairs[:, b]], a], minlength=structures.n_atoms)
    return counts


def _same_hydrogens(structures: Structures, before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each atom of a molecule has as many hydrogens, [M]."""
    differs = _hydrogens(structures, before) != _hydrogens(structures, after)
    return structures.per_molecule_sum(differs.astype(np.float64)) == 0


def _sound_hydrogens(structures: Structures, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each hydrogen has one neighbour, [M]."""
    degree = np.bincount(pairs.ravel(), minlength=structures.n_atoms)
    odd = (structures.numbers == 1) & (degree != 1)
    return structures.per_molecule_sum(odd.astype(np.float64)) == 0
