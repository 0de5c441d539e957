"""Single points with PySCF: converged on a coarse grid, evaluated once on the fine one, or a reason why not.

The density that is self-consistent on the coarse grid differs from the fine grid's to first order, the energy to second: 4e-5
kcal/mol for a third to a half of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from morered.dft.core_potentials import core_potentials
from morered.electrons import parity_problem
from morered.extras import needs
from morered.settings.level import Level
from morered.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE


@dataclass(frozen=True)
class Field:
    """A converged self-consistent field, evaluated on the fine grid.

    ``energy`` in eV, ``cycles`` of all attempts together, ``seconds`` of wall time, ``way`` how it converged, ``mean_field``
    PySCF's object (its grids the fine ones) and ``density_matrix`` [n_ao, n_ao], or [2, n_ao, n_ao] of the two spins where
    electrons are unpaired.
    """

    energy: float
    cycles: int
    seconds: float
    way: str
    mean_field: Any
    density_matrix: NDArray[np.floating]

    @property
    def total_density_matrix(self) -> NDArray[np.floating]:
        """Both spins together, [n_ao, n_ao]."""
        return self.density_matrix.sum(axis=0) if self.density_matrix.ndim == 3 else self.density_matrix


class Gradient(NamedTuple):
    """Forces [N, 3] in eV/Å, and the cycles that the field took on the fine grid to be fit for them."""

    forces: NDArray[np.floating]
    cycles: int


class NotConverged(RuntimeError):
    """No way led to a converged field: there is no energy. ``cycles`` says how many were spent."""

    def __init__(self, message: str, cycles: int) -> None:
        super().__init__(message)
        self.cycles = cycles


def molecule(numbers: ArrayLike, positions: ArrayLike, level: Level, charge: int = 0, unpaired: int = 0) -> Any:
    """PySCF's molecule of numbers [N], positions [N, 3] in Å, total charge (e) and unpaired electrons.

    Raises
    ------
    ValueError
        If the basis does not know an element, charge and unpaired electrons do not fit together, or the number of electrons is
        odd and nobody said that one is unpaired: a forgotten charge is as likely as a radical.
    """
    with needs("dft"):
        from pyscf import gto
        from pyscf.lib.exceptions import BasisNotFoundError

    numbers = np.asarray(numbers, dtype=int)
    electrons = int(numbers.sum()) - charge
    if electrons % 2 and not unpaired:
        given = f" with charge {charge:+d}" if charge else ""
        raise ValueError(
            f"{electrons} electrons{given}: a radical, or an ion whose charge is not given; "
            "give the charge (--charge, charge=), or the unpaired electrons (--unpaired 1, unpaired=1)"
        )
    if problem := parity_problem(electrons, charge, unpaired):
        raise ValueError(problem)
    atoms = [
        (chemical_symbols[z], tuple(map(float, x))) for z, x in zip(numbers, np.asarray(positions, dtype=float), strict=True)
    ]
    cores = core_potentials(level.basis, (symbol for symbol, _ in atoms))
    settings: dict[str, Any] = {"basis": level.basis, "ecp": cores, "charge": charge, "spin": unpaired, "verbose": 0}
    if level.max_memory is not None:
        settings["max_memory"] = level.max_memory
    try:
        return gto.M(atom=atoms, unit="Angstrom", **settings)
    except (BasisNotFoundError, KeyError) as error:
        raise ValueError(f"basis {level.basis!r} has no functions for this molecule: {error}") from None


def converge(
    numbers: ArrayLike,
    positions: ArrayLike,
    level: Level,
    guess: NDArray[np.floating] | None = None,
    charge: int = 0,
    unpaired: int = 0,
) -> Field:
    """The self-consistent field of one molecule: restricted for a closed shell, unrestricted where electrons are unpaired.

    Parameters
    ----------
    numbers, positions
        [N], and [N, 3] in Å.
    level
        Functional, basis, grids and the rest.
    guess
        Density matrix to start from, e.g. a neighbouring geometry's; where it leads nowhere, PySCF's own takes its place.
    charge, unpaired
        Total charge in e, and unpaired electrons.

    Raises
    ------
    NotConverged
        If plain DIIS, damping with a level shift, and the second-order solver all failed.
    ValueError
        If the molecule or the basis is impossible.
    """
    start = time.perf_counter()
    system = molecule(numbers, positions, level, charge, unpaired)
    spent = 0
    with _threads(level):
        for way, solver in _ways(system, level):  # noqa: B007 - the way is told below
            mean_field = solver()
            count = [0]
            mean_field.callback = _counter(count)
            energy = mean_field.kernel(dm0=guess)
            spent += count[0]
            guess = None
            if mean_field.converged and np.isfinite(energy):
                break
        else:
            raise NotConverged(
                f"no self-consistent field after {spent} cycles (DIIS, level shift with damping, second order)", spent
            )
        matrix = mean_field.make_rdm1()
        if level.grid != level.coarse_grid:
            mean_field.grids.level = level.grid  # forgets the coarse points
            energy = mean_field.energy_tot(dm=matrix)
    return Field(
        energy=float(energy) * EV_PER_HARTREE,
        cycles=spent,
        seconds=time.perf_counter() - start,
        way=way,
        mean_field=mean_field,
        density_matrix=on_host(matrix),
    )


def forces(field: Field, level: Level) -> Gradient:
    """Forces of the functional.

    A gradient needs the density that is self-consistent on its own grid, so the field is converged there first.

    Raises
    ------
    NotConverged
        If it does not converge on the fine grid.
    """
    mean_field = field.mean_field
    count = [0]
    with _threads(level):
        if level.grid != level.coarse_grid:
            mean_field.callback = _counter(count)
            mean_field.kernel(dm0=mean_field.make_rdm1())
            if not mean_field.converged:
                raise NotConverged(
                    "the self-consistent field did not converge on the fine grid, where forces need it", field.cycles + count[0]
                )
        gradient = mean_field.nuc_grad_method()
        gradient.grid_response = True
        return Gradient(-on_host(gradient.kernel()) * EV_PER_HARTREE / ANGSTROM_PER_BOHR, count[0])


def _ways(system: Any, level: Level) -> Iterator[tuple[str, Callable[[], Any]]]:
    """From the fastest way to converge to the most dependable."""
    yield "DIIS", lambda: _mean_field(system, level)
    yield "level shift and damping", lambda: _mean_field(system, level, level_shift=0.3, damp=0.3, max_cycle=4 * level.max_cycles)
    yield "second order", lambda: _mean_field(system, level).newton()


def _mean_field(system: Any, level: Level, **settings: Any) -> Any:
    dft = _dft(level)
    mean_field = (dft.UKS if system.spin else dft.RKS)(system, xc=level.functional)
    if level.density_fitting:
        mean_field = mean_field.density_fit()
    mean_field.grids = _grids(system, level.coarse_grid)
    mean_field.conv_tol = level.convergence
    mean_field.max_cycle = level.max_cycles
    for name, value in settings.items():
        setattr(mean_field, name, value)
    return mean_field.to_gpu() if level.gpu else mean_field


def _dft(level: Level) -> Any:
    from pyscf import dft

    if level.gpu:
        try:
            import gpu4pyscf  # noqa: F401
        except ImportError:
            raise ValueError("gpu: true needs the package gpu4pyscf (pip install gpu4pyscf-cuda12x)") from None
    return dft


def _grids(system: Any, grid_level: int) -> Any:
    from pyscf import dft

    grids = dft.Grids(system)
    grids.level = grid_level
    return grids


def _threads(level: Level) -> AbstractContextManager[Any]:
    """PySCF's number of threads while the block runs."""
    from pyscf import lib

    return nullcontext() if level.threads is None else lib.with_omp_threads(level.threads)


def _counter(count: list[int]) -> Callable[[dict[str, Any]], None]:
    def callback(variables: dict[str, Any]) -> None:
        count[0] += 1

    return callback


def on_host(array: Any) -> NDArray[np.floating]:
    """A numpy array of what may lie on a GPU (CuPy).

    A density matrix keeps the orbitals that PySCF tagged it with: it builds exchange from them where they are there.
    """
    return np.asanyarray(array.get() if hasattr(array, "get") else array)
