"""Many-body dispersion, MBD@rsSCS, from Hirshfeld volume ratios.

The method is that of Ambrosetti, Reilly, DiStasio and Tkatchenko, J. Chem. Phys. 140, 18A508 (2014), which splits the ranges of
Tkatchenko, DiStasio, Car and Scheffler, Phys. Rev. Lett. 108, 236402 (2012). Its steps, in atomic units:

1. The volume ratio v of each atom scales its free values (Tkatchenko and Scheffler 2009): alpha v, C6 v², R v^(1/3).
2. The atoms are oscillators of frequency omega = 4/3 C6 / alpha² and polarizability alpha(iu) = alpha / (1 + (u / omega)²), whose
   short-range part of the dipole interaction screens them at each u: the blocks of (diag(1/alpha(iu)) + T_SR)^-1, summed over one
   atom, are the screened polarizabilities, of which a third of the trace is used.
3. Their C6 is 3/pi times the integral of alpha(iu)² over u (Casimir and Polder), their radius R (alpha_screened / alpha)^(1/3).
4. The screened oscillators interact by the long-range part. With the eigenvalues lambda of
   C_ij = omega_i² delta_ij + omega_i omega_j (alpha_i alpha_j)^(1/2) T_LR,ij the energy is sum sqrt(lambda) / 2 - 3/2 sum omega.

The range is split by f(r) = 1 / (1 + exp(-6 (r / (beta (R_i + R_j)) - 1))): T_LR = f T with the dipole tensor T of points and
T_SR = (1 - f) T_GG with that of Gaussian charges.

Shapes: N atoms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from morered.dft.vdw_parameters import VDW_PARAMETERS
from morered.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE

#: Steepness of the damping function (Ambrosetti et al. 2014).
STEEPNESS = 6.0
#: Gauss and Legendre's points for the integral over imaginary frequencies, and the frequency (hartree) that halves them.
FREQUENCIES, FREQUENCY_SCALE = 15, 0.6

Array = NDArray[np.float64]


def mbd_energy(numbers: ArrayLike, positions: ArrayLike, volume_ratios: ArrayLike, beta: float) -> float:
    """Dispersion energy in eV of one molecule.

    Parameters
    ----------
    numbers
        Atomic numbers [N], hydrogen to radon.
    positions
        [N, 3] in Å.
    volume_ratios
        Hirshfeld volume of each atom over that of the free atom, [N].
    beta
        Damping parameter of the functional that the ratios are from: 0.83 for PBE, 0.85 for PBE0 (Ambrosetti et al. 2014).

    Raises
    ------
    ValueError
        If there are no free-atom values for an element, or if a coupled oscillator has no real frequency (a "polarisation
        catastrophe": atoms far too close), where MBD has no energy.
    """
    numbers = np.asarray(numbers, dtype=int)
    if unknown := sorted(set(numbers.tolist()) - set(VDW_PARAMETERS)):
        raise ValueError(f"MBD has no free-atom values for atomic number {unknown[0]}; it knows 1 to {max(VDW_PARAMETERS)}")
    if len(numbers) < 2:
        return 0.0
    ratios = np.asarray(volume_ratios, dtype=float)
    coordinates = np.asarray(positions, dtype=float) / ANGSTROM_PER_BOHR
    alpha, c6, radii = np.array([VDW_PARAMETERS[z] for z in numbers.tolist()]).T
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # what comes of them is looked at below
        try:
            screened = _screened(coordinates, alpha * ratios, c6 * ratios**2, radii * ratios ** (1 / 3), beta)
            energy = _coupled(coordinates, *screened, beta)
        except np.linalg.LinAlgError:
            energy = np.nan
    if not np.isfinite(energy):
        raise ValueError("MBD has no energy here (polarisation catastrophe): atoms are too close")
    return energy * EV_PER_HARTREE


def _screened(coordinates: Array, alpha: Array, c6: Array, radii: Array, beta: float) -> tuple[Array, Array, Array]:
    """Screened polarizabilities, C6 coefficients and radii, each [N] (steps 2 and 3)."""
    omega = 4 / 3 * c6 / alpha**2
    vectors, distances = _pairs(coordinates)
    short = 1 - _damping(distances, radii, beta)

    def at(frequency: float) -> Array:
        bare = alpha / (1 + (frequency / omega) ** 2)
        coupling = _matrix(short[..., None, None] * _gaussian_tensor(vectors, distances, bare))
        blocks = np.linalg.inv(np.diag(np.repeat(1 / bare, 3)) + coupling).reshape(len(alpha), 3, len(alpha), 3)
        return np.einsum("icjc->i", blocks) / 3

    points, weights = np.polynomial.legendre.leggauss(FREQUENCIES)
    # from [-1, 1] to [0, infinity)
    frequencies, weights = FREQUENCY_SCALE * (1 + points) / (1 - points), 2 * FREQUENCY_SCALE / (1 - points) ** 2 * weights
    static = at(0.0)
    casimir_polder = weights @ np.array([at(frequency) ** 2 for frequency in frequencies])
    return static, 3 / np.pi * casimir_polder, radii * (static / alpha) ** (1 / 3)


def _coupled(coordinates: Array, alpha: Array, c6: Array, radii: Array, beta: float) -> float:
    """Energy in hartree of the coupled oscillators less that of the free ones (step 4); NaN where a frequency is not real."""
    omega = 4 / 3 * c6 / alpha**2
    vectors, distances = _pairs(coordinates)
    coupling = _matrix(_damping(distances, radii, beta)[..., None, None] * _point_tensor(vectors, distances))
    scale = np.repeat(omega * np.sqrt(alpha), 3)
    eigenvalues = np.linalg.eigvalsh(np.diag(np.repeat(omega**2, 3)) + scale[:, None] * scale * coupling)
    return float(np.sqrt(eigenvalues).sum() / 2 - 3 / 2 * omega.sum())


def _pairs(coordinates: Array) -> tuple[Array, Array]:
    """Vectors [N, N, 3] and distances [N, N]; an atom is infinitely far from itself, so that no tensor couples the two."""
    vectors = coordinates[:, None] - coordinates
    distances = np.linalg.norm(vectors, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return vectors, distances


def _damping(distances: Array, radii: Array, beta: float) -> Array:
    """Weight f of the long range, [N, N]."""
    return 1 / (1 + np.exp(-STEEPNESS * (distances / (beta * (radii[:, None] + radii)) - 1)))


def _point_tensor(vectors: Array, distances: Array) -> Array:
    """Dipole interaction T = (r² - 3 r r) / r⁵ of points, [N, N, 3, 3]."""
    r = distances[..., None, None]
    return np.eye(3) / r**3 - 3 * _outer(vectors) / r**5


def _gaussian_tensor(vectors: Array, distances: Array, alpha: Array) -> Array:
    """Dipole interaction of two Gaussian charges, [N, N, 3, 3].

    Their widths sigma = (sqrt(2/pi) alpha / 3)^(1/3) add in squares; with zeta = r / sigma_ij and
    theta = 2 zeta / sqrt(pi) exp(-zeta²) it is (erf(zeta) - theta) T + 2 zeta² theta r r / r⁵ (Tkatchenko et al. 2012).
    """
    squared_width = (np.sqrt(2 / np.pi) * alpha / 3) ** (2 / 3)
    # an atom's distance to itself is infinite: any finite zeta will do there
    zeta = np.where(np.isinf(distances), 0.0, distances) / np.sqrt(squared_width[:, None] + squared_width)
    theta = 2 * zeta / np.sqrt(np.pi) * np.exp(-(zeta**2))
    inner = (erf(zeta) - theta)[..., None, None] * _point_tensor(vectors, distances)
    return inner + (2 * zeta**2 * theta)[..., None, None] * _outer(vectors) / distances[..., None, None] ** 5


def _outer(vectors: Array) -> Array:
    return vectors[..., :, None] * vectors[..., None, :]


def _matrix(tensors: Array) -> Array:
    """[N, N, 3, 3] as [3N, 3N]."""
    return tensors.swapaxes(1, 2).reshape(3 * len(tensors), -1)
