"""Relaxing one molecule on a potential energy surface: the baselines of the paper (section 3.2), for worker processes.

Shapes: N atoms, S steps. Units: Å, eV, eV/Å. The largest force is that of one atom: max over atoms of the norm of its force.

GFN-xTB, SO3LR and the MLFF go downhill by ASE's L-BFGS to 5e-5 eV/Å (1.15e-3 kcal/mol/Å, the paper's threshold). MMFF94 comes in
three variants: "paper" is Open Babel's own conjugate-gradient routine with its own stop (the energy changes by less than 1e-6
kcal/mol), as the paper used it, whatever bonds are perceived; it leaves forces of some 0.01 eV/Å. "tight" is L-BFGS to the same
threshold as the others, in forces without Open Babel's mistake (see `morered.calculators.mmff94_openbabel`), for molecules whose
perceived bonds make sense. "rdkit" needs no Open Babel: RDKit's MMFF94 and its minimiser, to the same threshold; this is what
people get who ask for mmff94 by name.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.optimize import LBFGS
from numpy.typing import ArrayLike, NDArray

from morered.calculators.base import CalculationError, Calculator, Surface, accepted, largest_force
from morered.calculators.on_surface import OnSurface
from morered.calculators.registry import get
from morered.calculators.registry import options as calculator_options
from morered.electrons import electron_counts, radical_note
from morered.units import EV_PER_KCAL_MOL

#: The paper's threshold: 1.15e-3 kcal/mol/Å.
FMAX = 5.0e-5
#: The paper's cap for every method.
STEPS = 1000

# Rounding in float32 is near the threshold.
_DEFAULTS: dict[str, dict[str, Any]] = {"so3lr": {"dtype": "float64"}, "mlff": {"dtype": "float64"}}

MMFF94_VARIANTS = ("paper", "tight", "rdkit")

Verdict = Literal["converged", "step-cap", "refused", "failed"]


@dataclass(frozen=True)
class Steps:
    """What a relaxation passed through, the input first: S + 1 geometries.

    Attributes
    ----------
    positions
        [S+1, N, 3] float32, Å.
    energies
        [S+1], eV.
    fmax
        [S+1], largest force, eV/Å.
    """

    positions: NDArray[np.float32]
    energies: NDArray[np.float64]
    fmax: NDArray[np.float64]


@dataclass(frozen=True)
class RelaxedOne:
    """A molecule after its relaxation.

    Attributes
    ----------
    positions
        [N, 3], Å; those of the input if it was refused or failed.
    steps
        Steps taken.
    first_fmax, last_fmax
        Largest force before and after, eV/Å; NaN where there is none.
    energy
        At ``positions``, eV; NaN if it was refused or failed.
    forces
        At ``positions``, [N, 3] in eV/Å; None if it was refused or failed.
    converged
        Whether the optimiser's own criterion was met within the cap.
    reason
        Why it did not converge; None if it did.
    verdict
        ``"converged"``; ``"step-cap"``; ``"refused"``: nothing could be calculated for the input (its elements or coordinates,
        its perceived bonds, missing parameters; the reason says which); ``"failed"``: a calculation or the optimiser failed on
        the way.
    warning
        What is doubtful about a result that stands: the variant "paper" of MMFF94 runs on odd bonds, or the molecule is taken for
        a radical because its electrons are odd in number.
    record
        The steps, if asked for.
    """

    positions: NDArray[np.float64]
    steps: int
    first_fmax: float
    last_fmax: float
    energy: float
    converged: bool
    reason: str | None
    verdict: Verdict
    warning: str | None = None
    record: Steps | None = None
    forces: NDArray[np.float64] | None = None


class Task(NamedTuple):
    """One molecule to relax.

    Attributes
    ----------
    numbers, positions
        [N] and [N, 3] in Å.
    charge, unpaired
        Total charge in e and unpaired electrons.
    bonds
        [E, 2], who is bonded to whom where the source states it, for methods that need bonds.
    frozen
        [N] bool, atoms that keep their places; None for none.
    """

    numbers: ArrayLike
    positions: ArrayLike
    charge: int = 0
    unpaired: int = 0
    bonds: NDArray[np.integer] | None = None
    frozen: NDArray[np.bool_] | None = None


def relax_one(
    numbers: ArrayLike,
    positions: ArrayLike,
    charge: int = 0,
    unpaired: int = 0,
    bonds: NDArray[np.integer] | None = None,
    frozen: NDArray[np.bool_] | None = None,
    *,
    program: str,
    **options: Any,
) -> RelaxedOne:
    """Relax one molecule.

    Parameters
    ----------
    numbers, positions, charge, unpaired, bonds, frozen
        See `Task`.
    program
        ``"mmff94"``, ``"gfn1"``, ``"gfn2"``, ``"so3lr"`` or ``"mlff"``, or any other calculator's name.
    **options
        ``fmax``, ``steps`` and ``record``; ``variant`` for MMFF94 (`relax_mmff94`); the calculator's own options for the others
        (`relax_lbfgs`).

    Raises
    ------
    ValueError
        If the program or an option is unknown. What is wrong with a molecule is not raised but told by the verdict.
    """
    known = program_options(program)
    for option in options:
        if option not in known:
            raise ValueError(f"method {program!r} has no option {option!r}; there are: {', '.join(known)}")
    molecule = Task(numbers, positions, charge, unpaired, bonds, frozen)
    if program == "mmff94":
        return relax_mmff94(molecule, **options)
    return relax_lbfgs(molecule, calculator=program, **options)


def program_options(program: str) -> dict[str, Any]:
    """The options of a program and their defaults (`inspect.Parameter.empty` for one that must be given).

    Raises
    ------
    ValueError
        If there is no such program.
    """
    if program == "mmff94":
        return _keywords(relax_mmff94)
    own = _keywords(relax_lbfgs)
    del own["calculator"]
    return own | calculator_options(program) | _DEFAULTS.get(program, {})


def relax_molecule(molecule: Task | tuple[ArrayLike, ArrayLike], **options: Any) -> RelaxedOne:
    """`relax_one` of a molecule, at least its numbers and positions.

    A task for `morered.parallel.map_processes`, through `functools.partial`.
    """
    return relax_one(*molecule, **options)


def timed_relax_molecule(molecule: Task | tuple[ArrayLike, ArrayLike], **options: Any) -> tuple[RelaxedOne, float]:
    """`relax_molecule` with the seconds it took."""
    begin = time.perf_counter()
    return relax_molecule(molecule, **options), time.perf_counter() - begin


def relax_lbfgs(
    molecule: Task,
    *,
    calculator: str,
    fmax: float = FMAX,
    steps: int = STEPS,
    record: bool = False,
    **options: Any,
) -> RelaxedOne:
    """Relax one molecule by ASE's L-BFGS on the surface of a calculator.

    Parameters
    ----------
    molecule
        What is relaxed.
    calculator
        Its name.
    fmax
        Largest force at which it is converged, eV/Å.
    steps
        Cap.
    record
        Keep every step.
    **options
        Of the calculator. SO3LR and the MLFF run in float64 unless told otherwise.
    """
    chosen = _calculator(calculator, tuple(sorted((_DEFAULTS.get(calculator, {}) | options).items())))
    return _relax(molecule, chosen, _lbfgs, fmax, steps, record)


def relax_mmff94(
    molecule: Task,
    *,
    variant: Literal["paper", "tight", "rdkit"] = "paper",
    fmax: float = FMAX,
    steps: int = STEPS,
    record: bool = False,
) -> RelaxedOne:
    """Relax one molecule on MMFF94's surface.

    Parameters
    ----------
    molecule
        Open Babel's MMFF94 takes neutral molecules only and perceives their bonds itself; RDKit's takes ions too and the bonds
        that are stated. Neither takes radicals, and "paper" no frozen atoms.
    variant
        ``"paper"``: Open Babel's conjugate gradients to its own stop, on whatever bonds it perceives; ``fmax`` is not used.
        ``"tight"``: L-BFGS to ``fmax`` on sound bonds. ``"rdkit"``: RDKit's minimiser to ``fmax``, without Open Babel.
    fmax, steps, record
        As for `relax_lbfgs`.

    Raises
    ------
    ValueError
        If there is no such variant.
    """
    if variant not in MMFF94_VARIANTS:
        raise ValueError(f"MMFF94 has the variants {', '.join(map(repr, MMFF94_VARIANTS))}, not {variant!r}")
    if variant == "rdkit":
        calculator = _calculator("mmff94", ())
        return _relax(molecule, calculator, _rdkit, fmax, steps, record)
    tight = variant == "tight"
    calculator = _calculator("mmff94-openbabel", (("check_bonds", tight),))
    return _relax(molecule, calculator, _lbfgs if tight else _open_babel, fmax, steps, record)


# --------------------------------------------------------------------- the course of a relaxation


class _Path:
    """A surface that remembers the geometries it was evaluated at as steps of a relaxation."""

    def __init__(self, surface: Surface, record: bool, frozen: NDArray[np.bool_] | None = None) -> None:
        self.surface = surface
        self.record = record
        self.frozen = frozen
        self.steps = 0
        self.fmax = self.first_fmax = self.energy = np.nan
        self.positions: NDArray[np.float64] | None = None  # of the last evaluation
        self.forces: NDArray[np.float64] | None = None
        self._kept: list[tuple[NDArray[np.float32], float, float]] = []

    def evaluate(self, positions: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        energy, forces = self.surface.evaluate(positions)
        free = forces if self.frozen is None else forces[~self.frozen]
        self.energy, self.forces, self.fmax = energy, forces, largest_force(free)
        if self.positions is None:
            self.first_fmax = self.fmax
        self.positions = np.array(positions, dtype=np.float64)
        if self.record:
            self._kept.append((positions.astype(np.float32), energy, self.fmax))
        return energy, forces

    def history(self) -> Steps | None:
        if not self.record:
            return None
        if not self._kept:
            return Steps(np.empty((0, 0, 3), np.float32), np.empty(0), np.empty(0))
        frames, energies, fmax = zip(*self._kept, strict=True)
        return Steps(np.stack(frames), np.array(energies), np.array(fmax))


Optimiser = Callable[[NDArray[np.integer], NDArray[np.float64], _Path, float, int], bool]


def _relax(
    given: Task,
    calculator: Calculator,
    optimise: Optimiser,
    fmax: float,
    steps: int,
    record: bool,
) -> RelaxedOne:
    if not fmax > 0 or steps < 0:
        raise ValueError(f"fmax must be positive and steps not negative, not {fmax} and {steps}")
    numbers, start = np.asarray(given.numbers, dtype=np.int64), np.array(given.positions, dtype=np.float64)
    electrons = given.charge, given.unpaired
    stated: dict[str, Any] = {"bonds": given.bonds} if calculator.takes_bonds else {}
    path: _Path | None = None
    try:
        molecule = accepted(calculator, numbers, start, *electrons)
        radical = radical_note(int(electron_counts(molecule)[0]), *electrons)
        path = _Path(calculator.surface(numbers, start, *electrons, **stated), record, given.frozen)
        converged = optimise(numbers, start, path, fmax, steps)
    except CalculationError as error:
        refused = error.stage in ("input", "perception", "setup") and (path is None or path.positions is None)
        return RelaxedOne(
            positions=start,
            steps=0 if path is None else path.steps,
            first_fmax=np.nan if path is None else path.first_fmax,
            last_fmax=np.nan,
            energy=np.nan,
            converged=False,
            reason=str(error),
            verdict="refused" if refused else "failed",
            record=None if path is None else path.history(),
        )
    assert path.positions is not None
    return RelaxedOne(
        positions=path.positions,
        steps=path.steps,
        first_fmax=path.first_fmax,
        last_fmax=path.fmax,
        energy=path.energy,
        converged=converged,
        reason=None if converged else f"not converged in {path.steps} steps: largest force {path.fmax:.2g} eV/Å",
        verdict="converged" if converged else "step-cap",
        warning="; ".join(filter(None, (getattr(path.surface, "bond_problem", None), radical))) or None,
        record=path.history(),
        forces=path.forces,
    )


def _lbfgs(numbers: NDArray[np.integer], start: NDArray[np.float64], path: _Path, fmax: float, steps: int) -> bool:
    fixed = None if path.frozen is None else FixAtoms(mask=path.frozen)
    atoms = Atoms(numbers, start, calculator=OnSurface(path), constraint=fixed)  # type: ignore[arg-type]
    optimiser = LBFGS(atoms, logfile=None)  # type: ignore[arg-type]
    try:
        return bool(optimiser.run(fmax=fmax, steps=steps))
    finally:
        path.steps = optimiser.nsteps


def _open_babel(numbers: NDArray[np.integer], start: NDArray[np.float64], path: _Path, fmax: float, steps: int) -> bool:
    from morered.calculators.mmff94_openbabel import Mmff94Surface

    surface = path.surface
    assert isinstance(surface, Mmff94Surface)
    if path.frozen is not None:
        raise CalculationError(
            "Open Babel's own minimiser keeps no atoms in their places; --method mmff94 and mmff94-openbabel do", "setup"
        )
    path.evaluate(start)
    force_field = surface.claim()
    going = steps > 0
    if going:
        force_field.ConjugateGradientsInitialize(steps, _ENERGY_CHANGE)
    try:
        while going:
            going = force_field.ConjugateGradientsTakeNSteps(1)
            path.steps += 1
            if path.record or not going:
                path.evaluate(surface.positions())
    except CalculationError as error:
        raise CalculationError(f"Open Babel's optimiser failed: {error}", "optimiser") from None
    return path.steps < steps


def _rdkit(numbers: NDArray[np.integer], start: NDArray[np.float64], path: _Path, fmax: float, steps: int) -> bool:
    from morered.calculators.mmff94 import Mmff94Surface

    surface = path.surface
    assert isinstance(surface, Mmff94Surface)
    if path.frozen is not None:
        surface.freeze(path.frozen)
    path.evaluate(start)
    tolerance = 0.1 * fmax / EV_PER_KCAL_MOL  # RDKit scales forces by the energy before it compares: sometimes it stops too early
    for _ in range(_TRIES):
        if path.fmax <= fmax or path.steps >= steps:
            break
        taken, geometries = surface.descend(steps - path.steps, tolerance, path.record)
        path.steps += taken
        for geometry in geometries:
            path.evaluate(geometry)
        tolerance /= 4
    return path.fmax <= fmax


_TRIES = 20
_ENERGY_CHANGE = 1e-6  # kcal/mol, Open Babel's default


def _keywords(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


@lru_cache(maxsize=8)
def _calculator(name: str, options: tuple[tuple[str, Any], ...]) -> Calculator:
    """One calculator of each kind per process: a network is loaded once."""
    return get(name, **dict(options))
