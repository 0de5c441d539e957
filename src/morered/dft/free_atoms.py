"""Spherical free atoms: the densities that Hirshfeld's partition weighs with, in the molecule's own basis and functional.

An open shell is averaged over directions by fractional occupation, so that the density depends on the distance alone.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from morered.dft.core_potentials import core_potentials
from morered.files import atomic_path

#: Radial points in bohr at which a density is tabulated; the same for every element.
RADII = np.concatenate([[0.0], np.geomspace(1e-4, 30.0, 1500)])
#: Densities below this (electrons per bohr cubed) are noise of the basis' tail.
FLOOR = 1e-30


@dataclass(frozen=True)
class FreeAtom:
    """A free atom's density [R] in electrons/bohr³ at ``RADII`` in bohr, and its volume, the mean of r³, in bohr³."""

    number: int
    density: NDArray[np.floating]

    @property
    def volume(self) -> float:
        """4 pi times the integral of r^5 n(r) in bohr³ (Tkatchenko and Scheffler 2009, Eq. 7, for the free atom)."""
        return float(4 * np.pi * _integral(RADII**5 * self.density))

    @property
    def electrons(self) -> float:
        """The integral of the density: all electrons, or those outside the core where the basis has a potential for that."""
        return float(4 * np.pi * _integral(RADII**2 * self.density))

    def at(self, radii: NDArray[np.floating]) -> NDArray[np.floating]:
        """Density in electrons/bohr³ at radii in bohr of any shape; 0 beyond the table."""
        spline = _spline(self.density.tobytes())
        inside = np.minimum(radii, RADII[-1])
        return np.where(radii < RADII[-1], np.exp(spline(inside)), 0.0)


@cache
def free_atom(number: int, functional: str, basis: str) -> FreeAtom:
    """The free atom of an element, computed once and kept on disk ($XDG_CACHE_HOME/morered, else ~/.cache/morered)."""
    path = _cache_path(number, functional, basis)
    try:
        return FreeAtom(number, np.load(path, allow_pickle=False))
    except (OSError, ValueError):
        pass  # not there yet, or not whole
    density = _compute(number, functional, basis)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.save(file, density, allow_pickle=False)
    except OSError:
        pass  # a cache that cannot be written costs seconds, no result
    return FreeAtom(number, density)


def _compute(number: int, functional: str, basis: str) -> NDArray[np.floating]:
    from pyscf import dft, gto
    from pyscf.scf import ADIIS
    from pyscf.scf.atom_ks import AtomSphAverageRKS

    symbol = chemical_symbols[number]
    cores = core_potentials(basis, [symbol])
    atom = gto.M(atom=[(symbol, (0.0, 0.0, 0.0))], basis=basis, ecp=cores, spin=number % 2, verbose=0)
    field = AtomSphAverageRKS(atom)
    field.xc = functional
    field.grids.atom_grid = (200, 302)
    field.diis = ADIIS()
    field.diis.space = 12
    if cores:
        field.init_guess = "1e"  # PySCF's guess for atoms knows no potentials
    field.run()
    matrix = (field.mo_coeff * field.mo_occ) @ field.mo_coeff.T
    # Any direction will do: the density is spherical.
    points = RADII[:, None] * np.array([[0.6, 0.0, 0.8]])
    orbitals = dft.numint.eval_ao(atom, points)
    return np.maximum(np.einsum("pi,ij,pj->p", orbitals, matrix, orbitals), FLOOR)


def _integral(values: NDArray[np.floating]) -> float:
    return float(CubicSpline(RADII, values).integrate(RADII[0], RADII[-1]))


@cache
def _spline(density: bytes) -> CubicSpline:
    return CubicSpline(RADII, np.log(np.frombuffer(density)))


def _cache_path(number: int, functional: str, basis: str) -> Path:
    import pyscf

    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "morered" / "free_atoms"
    key: tuple[Any, ...] = (number, functional.lower(), basis.lower(), pyscf.__version__, len(RADII), float(RADII[-1]))
    if cores := core_potentials(basis, [chemical_symbols[number]]):
        key = (*key, cores)  # without its potential another density was kept under the name of the rest
    return root / f"{chemical_symbols[number]}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.npy"
