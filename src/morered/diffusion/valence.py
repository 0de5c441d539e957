"""Hessian of a valence force field at a minimum: what a molecule's bonds, angles and torsions resist, without any calculator.

Force constants go with the model Hessian of Lindh et al. (Chem. Phys. Lett. 1995, 241, 423), made to guess the first steps of
geometry optimizations: with rho_ij = exp(a (r0^2 - r_ij^2)), a and r0 by the rows of the two elements, they are

    bond i-j                    43.7 rho_ij                                eV/Å^2   (0.45 hartree/bohr^2)
    angle i-j-k                 4.08 rho_ij rho_jk                         eV       (0.15 hartree)
    torsion about j-k           0.5  rho_jk^3, mean over i-j-k-l           eV
    atom j out of its plane     6 (1 - (h / 0.25 Å)^2)                     eV/Å^2

The first two are Lindh's, but that linear angles are softer. So are torsions, and much stiffer about short bonds; an atom with
three neighbours resists leaving their plane, h being how far it is out of that. What is not Lindh's was fitted to displaced
structures of validation molecules (docs/training.md). Bonds are those of `chemistry.bonds`; nothing acts between atoms that no
such path joins.

Shapes: n atoms of one molecule.
"""

from __future__ import annotations

import numpy as np
from ase.data import atomic_masses
from ase.geometry import get_dihedrals_derivatives
from ase.units import Bohr
from numpy.typing import NDArray

from morered.chemistry import bonds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BOND, ANGLE, TORSION, PLANE = 43.7, 4.08, 0.5, 6.0
#: An atom further from its neighbours' plane than this does not resist, Å: it is pyramidal, and its angles do.
OUT_OF_PLANE = 0.25
#: An angle whose cosine is below this resists bending in two directions, the nearer to -1 the more alike, and there by this part
#: of its constant only.
LINEAR, SOFTER = -0.94, 0.2
#: There is no torsion about an angle whose sine is below this.
STRAIGHT = 0.05
#: Softer modes are stiffened: squared frequency in eV/(Å² u) of 80 1/cm, below which a rotor is no harmonic oscillator.
FLOOR = 0.0235

_EXPONENTS = np.array([[1.0, 0.3949, 0.3949], [0.3949, 0.28, 0.28], [0.3949, 0.28, 0.28]]) / Bohr**2  # 1/Å²
_DISTANCES = np.array([[1.35, 2.10, 2.53], [2.10, 2.87, 3.40], [2.53, 3.40, 3.40]]) * Bohr  # Å


def hessian(numbers: NDArray[np.integer], positions: Floats) -> Floats:
    """Hessian [3n, 3n] in eV/Å² of the force field whose minimum is at ``positions``.

    Parameters
    ----------
    numbers
        Atomic numbers, [n].
    positions
        Å, [n, 3].

    Returns
    -------
    NDArray
        Symmetric, positive semidefinite; coordinates in the order x, y, z of atom 1, x, y, z of atom 2 and so on.
    """
    numbers, positions = np.asarray(numbers), np.asarray(positions, dtype=np.float64)
    pairs = bonds(numbers, positions)
    bonded = np.zeros((len(numbers),) * 2, dtype=bool)
    bonded[pairs[:, 0], pairs[:, 1]] = bonded[pairs[:, 1], pairs[:, 0]] = True
    strength = _strengths(numbers, positions)
    terms = (
        _bonds(positions, pairs, strength),
        _angles(positions, bonded, strength),
        _torsions(positions, bonded, strength),
        _planes(positions, bonded),
    )
    total = np.zeros((3 * len(numbers),) * 2)
    for constants, atoms, gradients in terms:
        rows = np.zeros((len(constants), len(numbers), 3))
        np.add.at(rows, (np.arange(len(constants))[:, None], atoms), gradients)
        flat = rows.reshape(len(constants), 3 * len(numbers))
        total += (flat * constants[:, None]).T @ flat
    return total


def floor(numbers: NDArray[np.integer]) -> Floats:
    """Diagonal in eV/Å² that leaves no mode softer than `FLOOR` where a Hessian has it added: [..., n] -> [..., 3n]."""
    return FLOOR * np.repeat(atomic_masses[np.asarray(numbers)], 3, axis=-1)


# Each term: force constants [m], the atoms of its internal coordinates [m, k] and those coordinates' gradients [m, k, 3].
_Terms = tuple[Floats, Ints, Floats]


def _strengths(numbers: NDArray[np.integer], positions: Floats) -> Floats:
    """The rho of all pairs, [n, n]."""
    row = np.digitize(numbers, [3, 11])
    exponent, distance = _EXPONENTS[row[:, None], row], _DISTANCES[row[:, None], row]
    return np.exp(exponent * (distance**2 - np.square(positions[:, None] - positions).sum(-1)))


def _bonds(x: Floats, pairs: Ints, strength: Floats) -> _Terms:
    i, j = pairs.T
    unit = _unit(x[i] - x[j])
    return BOND * strength[i, j], pairs, np.stack([unit, -unit], 1)


def _angles(x: Floats, bonded: NDArray[np.bool_], strength: Floats) -> _Terms:
    j, i, k = np.nonzero(bonded[:, :, None] & bonded[:, None, :] & np.tri(len(x), k=-1, dtype=bool).T)
    left, right = x[i] - x[j], x[k] - x[j]
    u, v = _unit(left), _unit(right)
    cosine = np.einsum("mx,mx->m", u, v)
    normal = np.cross(u, v)
    any_normal = np.cross(u, np.eye(3)[np.abs(u).argmin(1)])  # of a linear angle, whose plane is any
    normal = _unit(np.where(cosine[:, None] < -1 + 1e-6, any_normal, normal))
    constants = ANGLE * strength[i, j] * strength[j, k]
    sizes = np.linalg.norm(left, axis=1, keepdims=True), np.linalg.norm(right, axis=1, keepdims=True)

    def bend(first: Floats, second: Floats) -> Floats:
        first, second = first / sizes[0], second / sizes[1]
        return np.stack([first, -first - second, second], 1)

    atoms = np.stack([i, j, k], 1)
    inside, outside = bend(np.cross(u, normal), np.cross(normal, v)), bend(normal, normal)
    straight = np.clip((LINEAR - cosine) / (LINEAR + 1), 0, 1)
    both = np.concatenate([constants * (1 - (1 - SOFTER) * straight), constants * SOFTER * straight])
    return both, np.concatenate([atoms, atoms]), np.concatenate([inside, outside])


def _torsions(x: Floats, bonded: NDArray[np.bool_], strength: Floats) -> _Terms:
    j, k = np.nonzero(np.triu(bonded))
    others = ~np.eye(len(x), dtype=bool)
    ends = bonded[j][:, :, None] & bonded[k][:, None, :] & others  # i and l of each bond; not one atom, as in a triangle
    ends &= others[k][:, :, None] & others[j][:, None, :]
    bond, i, l = np.nonzero(ends)  # noqa: E741
    j, k = j[bond], k[bond]
    axis = x[k] - x[j]
    first, second = _sine(x[i] - x[j], axis), _sine(x[l] - x[k], axis)
    turns = np.minimum(first, second) > STRAIGHT
    i, j, k, l = (a[turns] for a in (i, j, k, l))  # noqa: E741
    axis, sines = axis[turns], (first * second)[turns]
    degree = bonded.sum(1) - 1
    constants = TORSION * strength[j, k] ** 3 * sines**2 / (degree[j] * degree[k])
    atoms = np.stack([i, j, k, l], 1)
    if not len(atoms):
        return constants, atoms, np.zeros((0, 4, 3))
    return constants, atoms, np.radians(get_dihedrals_derivatives(x[j] - x[i], axis, x[l] - x[k]))


def _planes(x: Floats, bonded: NDArray[np.bool_]) -> _Terms:
    j = np.flatnonzero(bonded.sum(1) == 3)
    around = np.nonzero(bonded[j])[1].reshape(-1, 3)
    a, b, c = (x[around[:, m]] for m in range(3))
    area = np.cross(b - a, c - a)
    size = np.linalg.norm(area, axis=1, keepdims=True)
    normal = area / np.maximum(size, 1e-12)
    height = np.einsum("mx,mx->m", x[j] - a, normal)
    foot = x[j] - height[:, None] * normal
    # how much each neighbour carries the plane at the atom: barycentric coordinates
    parts = [np.einsum("mx,mx->m", np.cross(p - foot, q - foot), normal) for p, q in ((b, c), (c, a), (a, b))]
    weights = np.stack(parts, 1) / np.maximum(size, 1e-12)
    inside = (weights.min(1) > -0.2) & (np.abs(height) < OUT_OF_PLANE)
    constants = np.where(inside, PLANE * (1 - (height / OUT_OF_PLANE) ** 2), 0)
    gradients = np.concatenate([normal[:, None], -weights[..., None] * normal[:, None]], 1)
    return constants[inside], np.concatenate([j[:, None], around], 1)[inside], gradients[inside]


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _sine(left: Floats, right: Floats) -> Floats:
    return np.linalg.norm(np.cross(_unit(left), _unit(right)), axis=-1)
