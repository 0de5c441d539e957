"""Root-mean-square deviation of atomic positions after the best rotation and translation (Kabsch, Acta Cryst. A32, 922, 1976).

Atoms are matched by their order, every atom counts the same, and only proper rotations are used: a molecule never fits its mirror
image. The paper's RMSD ratio is the RMSD to the reference after relaxation over that before.

Shapes: M molecules, A atoms (flat), B molecules of one size, N their atoms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered.chemistry import require_same_atoms
from morered.structures import Structures


def kabsch(mobile: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Proper rotations [..., 3, 3] that turn ``mobile`` best onto ``target``, both [..., N, 3]: ``mobile_centred @ rotation``.

    Both are centred here first. Where the rotation is not determined (one atom, atoms on a line), one of the equally good ones is
    returned.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a coordinate is not finite.
    """
    p, q = (_centred(x)[0] for x in (mobile, target))
    u, _, vt = np.linalg.svd(np.swapaxes(p, -1, -2) @ q)
    # The smallest singular direction is turned where the best orthogonal matrix would be a reflection.
    u[..., 2] *= np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)[..., None]
    return u @ vt


def superpose(mobile: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """``mobile`` [..., N, 3] moved rigidly onto ``target`` [..., N, 3], in the units and the frame of the target."""
    return _centred(mobile)[0] @ kabsch(mobile, target) + _centred(target)[1]


def rmsd(a: Structures, b: Structures) -> NDArray[np.float64]:
    """RMSD in Å between each molecule of ``a`` and the same molecule of ``b`` after superposition, [M].

    NaN where a coordinate is not finite, and for a molecule without atoms.

    Raises
    ------
    ValueError
        If the atoms, or their order, differ; the message names the first such molecule.
    """
    require_same_atoms(a, b)
    result = np.full(len(a), np.nan)
    for block in a.blocks():
        p, q = a.positions[block.atoms].astype(np.float64), b.positions[block.atoms].astype(np.float64)
        good = np.isfinite(p).all(axis=(1, 2)) & np.isfinite(q).all(axis=(1, 2))
        difference = superpose(p[good], q[good]) - q[good]
        result[block.molecules[good]] = np.sqrt(np.square(difference).sum(axis=2).mean(axis=1))
    return result


def align(mobile: Structures, target: Structures) -> Structures:
    """Each molecule of ``mobile`` moved rigidly onto the same one of ``target``; one with a coordinate that is not finite stays.

    Raises
    ------
    ValueError
        If the atoms, or their order, differ; the message names the first such molecule.
    """
    require_same_atoms(mobile, target)
    positions = np.array(mobile.positions, dtype=np.float64)
    for block in mobile.blocks():
        p, q = positions[block.atoms], target.positions[block.atoms].astype(np.float64)
        good = np.isfinite(p).all(axis=(1, 2)) & np.isfinite(q).all(axis=(1, 2))
        positions[block.atoms[good]] = superpose(p[good], q[good])
    return mobile.with_positions(positions)


def _centred(points: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points [..., N, 3] with their centre at the origin, and the centre [..., 1, 3]."""
    x = np.asarray(points, dtype=np.float64)
    centre = x.mean(axis=-2, keepdims=True)
    return x - centre, centre
