"""Normal modes of one molecule, and displacements along them.

Units: Å, eV, atomic mass units; wave numbers in 1/cm. Shapes: N atoms, K modes (3N - 6, 3N - 5 for a linear molecule), D
displacements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase.data import atomic_masses
from numpy.typing import NDArray
from scipy import constants
from scipy.special import log_ndtr

from morered.units import BOLTZMANN_EV

Floats = NDArray[np.float64]

#: Wave number in 1/cm of a mode whose squared frequency is 1 eV/(Å² u).
WAVE_NUMBER = float(
    np.sqrt(constants.elementary_charge / (constants.angstrom**2 * constants.atomic_mass)) / (2 * np.pi * constants.c * 100)
)

#: Step of the central differences in Å. At 0.005 the third-order error is below the noise of self-consistent forces.
STEP = 0.005

#: Modes below this wave number (and imaginary ones) are stiffened to it, in 1/cm: hindered rotors are no harmonic oscillators,
#: and a near-zero frequency would turn a methyl group round many times.
FLOOR = 100.0

#: A direction of rigid motion counts if its norm is above this part of the largest: the rotation of a linear molecule about
#: itself does not.
_RIGID_TOLERANCE = 1e-3


@dataclass(frozen=True)
class NormalModes:
    """Normal modes at a geometry.

    Attributes
    ----------
    squared
        [K], squared frequencies in eV/(Å² u), ascending; negative for an imaginary frequency.
    eigenvectors
        [K, 3N], orthonormal, of the mass-weighted Hessian.
    masses
        [N], u.
    """

    squared: Floats
    eigenvectors: Floats
    masses: Floats

    @property
    def wave_numbers(self) -> Floats:
        """Wave numbers [K] in 1/cm; negative for an imaginary frequency, as is usual."""
        return np.sign(self.squared) * np.sqrt(np.abs(self.squared)) * WAVE_NUMBER

    def floored(self, floor: float = FLOOR) -> Floats:
        """Squared frequencies [K] with every mode at ``floor`` (1/cm) at least."""
        return np.maximum(self.squared, (floor / WAVE_NUMBER) ** 2)


def stencil(positions: Floats, step: float = STEP) -> Floats:
    """Geometries of the central differences, [6N, N, 3] in Å: each coordinate in turn moved by +step, then by -step."""
    n = len(positions)
    moves = step * np.eye(3 * n).reshape(3 * n, n, 3)
    return positions + np.stack([moves, -moves], axis=1).reshape(6 * n, n, 3)


def hessian(forces: Floats, step: float = STEP) -> Floats:
    """Second derivatives [3N, 3N] in eV/Å² from the forces [6N, N, 3] (eV/Å) at the geometries of `stencil`, symmetrised."""
    n = forces.shape[1]
    pairs = forces.reshape(3 * n, 2, 3 * n)
    matrix = (pairs[:, 1] - pairs[:, 0]) / (2 * step)
    return (matrix + matrix.T) / 2


def normal_modes(numbers: NDArray[np.integer], positions: Floats, second_derivatives: Floats) -> NormalModes:
    """Normal modes with translations and rotations projected out.

    Parameters
    ----------
    numbers
        Atomic numbers, [N].
    positions
        Å, [N, 3].
    second_derivatives
        Hessian, [3N, 3N], eV/Å².

    Returns
    -------
    NormalModes
        K = 3N - 6, or 3N - 5 where all atoms lie on a line (0 for a single atom).
    """
    masses = atomic_masses[np.asarray(numbers, dtype=np.int64)]
    roots = np.sqrt(np.repeat(masses, 3))
    internal = internal_basis(masses, positions)
    weighted = second_derivatives / np.outer(roots, roots)
    squared, coefficients = np.linalg.eigh(internal.T @ weighted @ internal)
    return NormalModes(squared, (internal @ coefficients).T, masses)


def thermal_displacements(
    modes: NormalModes,
    rng: np.random.Generator,
    count: int,
    temperature: float,
    distribution: Literal["gamma", "exponential"] = "gamma",
    floor: float = FLOOR,
) -> tuple[Floats, Floats]:
    """Random combinations of normal modes with the potential energy of classical oscillators.

    Each of K classical harmonic oscillators at temperature T has a normally distributed amplitude with the mean potential energy
    kT / 2, so their total follows Gamma(K / 2, kT): that is ``"gamma"``. ``"exponential"`` draws the total from an exponential
    with mean kT instead and spreads it over the modes in the same way.

    The normal deviates are drawn for the mass-weighted coordinates and projected on the modes, not drawn for the modes: which
    eigenvectors a library chooses for degenerate modes (a methyl group's), and with which sign, then makes no difference.

    Parameters
    ----------
    modes
        K modes of N atoms; K > 0.
    rng
        Source of randomness: 3N + 1 draws for each displacement, whatever the distribution.
    count
        Displacements, D.
    temperature
        K.
    distribution, floor
        See above; see `NormalModes.floored`.

    Returns
    -------
    tuple
        Displacements [D, N, 3] in Å in the harmonic approximation, and the potential energies [D] in eV that they are to have.
    """
    kt = BOLTZMANN_EV * temperature
    n = len(modes.masses)
    normals = rng.standard_normal((count, 3 * n + 1))
    amplitudes = (
        normals[:, : 3 * n] @ modes.eigenvectors.T
    )  # [D, K], independent and normal since the eigenvectors are orthonormal
    norms = np.sum(amplitudes**2, axis=1)
    if distribution == "gamma":
        energies = norms / 2 * kt  # half a chi-squared of K degrees of freedom is Gamma(K / 2, 1)
    elif distribution == "exponential":
        energies = -log_ndtr(normals[:, 3 * n]) * kt  # P(normal < z) is uniform; minus its logarithm is exponential
    else:
        raise ValueError(f"distribution must be 'gamma' or 'exponential', not {distribution!r}")
    # energy (omega q)² / 2 in each mode, in proportion to the squared amplitude
    coordinates = amplitudes * np.sqrt(2 * energies / norms)[:, None] / np.sqrt(modes.floored(floor))
    displacements = (coordinates @ modes.eigenvectors).reshape(count, n, 3) / np.sqrt(modes.masses)[:, None]
    return displacements, energies


def internal_basis(masses: Floats, positions: Floats) -> Floats:
    """Orthonormal basis [3N, K] of the mass-weighted displacements that are neither translations nor rotations."""
    n = len(masses)
    roots = np.sqrt(masses)[:, None]
    centred = positions - np.average(positions, axis=0, weights=masses)
    axes = np.eye(3)
    translations = [np.broadcast_to(axis, (n, 3)) * roots for axis in axes]
    rotations = [np.cross(axis, centred) * roots for axis in axes]
    rigid = np.array([*translations, *rotations]).reshape(6, 3 * n)
    # The rotations span two directions only where the molecule is linear; scaled, so that its size does not matter.
    rigid[:3] /= np.linalg.norm(rigid[:3], axis=1, keepdims=True)
    rigid[3:] /= max(float(np.linalg.norm(rigid[3:], axis=1).max()), 1e-12)
    _, singular, basis = np.linalg.svd(rigid, full_matrices=True)
    rank = int(np.sum(singular > _RIGID_TOLERANCE * singular[0]))
    return basis[rank:].T
