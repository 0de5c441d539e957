"""Whether a molecule's geometry can be that of its bonds, by the rules of PoseBusters (Buttenschoen et al., Chem. Sci. 2024, 15,
3130, Table 2): lengths, angles, clashes and flat groups.

Lengths and angles (as distances of atoms two bonds apart) must lie within 25 % of the bounds of distance geometry. Heavy atoms
further apart must not come nearer than 60 % of the lower bound. The atoms of an aromatic ring, and those around a double bond of
carbon, must lie within 0.25 Å of a plane. PoseBusters leaves hydrogens out; here their lengths and angles count, because they are
generated as well.

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom

#: Share by which a length, or the distance across an angle, may miss its bounds.
TOLERANCE = 0.25
#: Share of the lower bound that heavy atoms three bonds and more apart must keep.
CLASH = 0.6
#: Å, largest distance of an atom of a flat group from the plane of the group.
FLAT = 0.25

_RINGS = tuple(map(Chem.MolFromSmarts, ("[a;r5]1[a;r5][a;r5][a;r5][a;r5]1", "[a;r6]1[a;r6][a;r6][a;r6][a;r6][a;r6]1")))
_DOUBLE = Chem.MolFromSmarts("[C;X3;^2](*)(*)=[C;X3;^2](*)(*)")


def problem(molecule: Chem.Mol) -> str:
    """What is wrong with a molecule's conformer, all hydrogens explicit: the first fault found, empty where there is none."""
    with rdBase.BlockLogs():
        bounds = rdDistGeom.GetMoleculeBoundsMatrix(molecule)
    points = np.array(molecule.GetConformer().GetPositions())
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    i, j = np.triu_indices(len(points), k=1)
    upper, lower, found = bounds[i, j], bounds[j, i], distances[i, j]
    apart = Chem.GetDistanceMatrix(molecule)[i, j]
    for bonds, name in ((1, "bond length"), (2, "angle")):
        off = (apart == bonds) & ((found < (1 - TOLERANCE) * lower) | (found > (1 + TOLERANCE) * upper))
        if off.any():
            return f"{name} at {_pair(molecule, i, j, off)}"
    heavy = np.array([atom.GetAtomicNum() > 1 for atom in molecule.GetAtoms()])
    near = (apart > 2) & heavy[i] & heavy[j] & (found < CLASH * lower)
    if near.any():
        return f"clash of {_pair(molecule, i, j, near)}"
    for pattern, name in (*((ring, "aromatic ring") for ring in _RINGS), (_DOUBLE, "double bond")):
        for group in molecule.GetSubstructMatches(pattern):
            if _out_of_plane(points[list(group)]) > FLAT:
                return f"{name} at {molecule.GetAtomWithIdx(group[0]).GetSymbol()}{group[0] + 1} is not flat"
    return ""


def _out_of_plane(points: NDArray[np.float64]) -> float:
    """Largest distance in Å of points [n, 3] from their plane of least squares."""
    centred = points - points.mean(axis=0)
    return float(np.abs(centred @ np.linalg.svd(centred)[2][2]).max())


def _pair(molecule: Chem.Mol, i: NDArray[np.int64], j: NDArray[np.int64], which: NDArray[np.bool_]) -> str:
    """The first of the chosen pairs, atoms numbered from 1."""
    first = int(np.flatnonzero(which)[0])
    return "–".join(f"{molecule.GetAtomWithIdx(int(k)).GetSymbol()}{k + 1}" for k in (i[first], j[first]))
