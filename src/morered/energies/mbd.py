"""Many-body dispersion, MBD@rsSCS (Ambrosetti et al. 2014), from Hirshfeld volume ratios; pymbd does the work."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike

from morered.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE


def mbd_energy(numbers: ArrayLike, positions: ArrayLike, volume_ratios: ArrayLike, beta: float) -> float:
    """Dispersion energy in eV of numbers [N], positions [N, 3] in Å and Hirshfeld volume ratios [N].

    Raises
    ------
    ValueError
        If a coupled oscillator has no real frequency (a "polarisation catastrophe": atoms far too close), where MBD has no
        energy.
    """
    from pymbd import mbd_energy_species

    numbers = np.asarray(numbers, dtype=int)
    if len(numbers) < 2:
        return 0.0
    species = [chemical_symbols[z] for z in numbers]
    try:
        with np.errstate(invalid="ignore"):
            energy = mbd_energy_species(
                np.asarray(positions, dtype=float) / ANGSTROM_PER_BOHR, species, np.asarray(volume_ratios), beta
            )
    except np.linalg.LinAlgError:
        energy = np.nan
    if not np.isfinite(energy):
        raise ValueError("MBD has no energy here (polarisation catastrophe): atoms are too close")
    return float(energy) * EV_PER_HARTREE
