"""Relaxing one molecule on a potential energy surface: the baselines of the paper (section 3.2), for worker processes.

Shapes: N atoms. Units: Å, eV, eV/Å. The largest force is that of one atom: max over atoms of the norm of its force.

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
from morered.relaxation.codes import Code
from morered.relaxation.recording import UNITS, Recording
from morered.relaxation.result import Result
from morered.structures import Structures
from morered.trajectories import Recorder, Trajectories
from morered.units import EV_PER_KCAL_MOL

#: The paper's threshold: 1.15e-3 kcal/mol/Å.
FMAX = 5.0e-5
#: The paper's cap for every method.
STEPS = 1000

# Rounding in float32 is near the threshold.
_DEFAULTS: dict[str, dict[str, Any]] = {"so3lr": {"dtype": "float64"}, "mlff": {"dtype": "float64"}}

MMFF94_VARIANTS = ("paper", "tight", "rdkit")


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
) -> Result:
    """Relax one molecule.

    Parameters
    ----------
    numbers, positions, charge, unpaired, bonds, frozen
        See `Task`.
    program
        ``"mmff94"``, ``"gfn1"``, ``"gfn2"``, ``"so3lr"`` or ``"mlff"``, or any other calculator's name.
    **options
        ``fmax``, ``steps`` and ``recording``; ``variant`` for MMFF94 (`relax_mmff94`); for the others (`relax_lbfgs`) the
        calculator's own options.

    Raises
    ------
    ValueError
        If the program or an option is unknown. What is wrong with a molecule is not raised but told by the verdict.

    Returns
    -------
    Result
        Of one molecule, with its energy and forces. It has converged by the optimiser's own criterion, reached the cap, was
        refused (nothing could be calculated for the input: the reason says whether its elements, coordinates, perceived bonds or
        missing parameters are why), or failed on the way; the last two keep the input's coordinates. A result that stands has a
        reason as well where something is doubtful: MMFF94's variant "paper" runs on odd bonds, and an odd number of electrons is
        taken for a radical.
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


def relax_molecule(molecule: Task | tuple[ArrayLike, ArrayLike], **options: Any) -> Result:
    """`relax_one` of a molecule, at least its numbers and positions.

    A task for `morered.parallel.map_processes`, through `functools.partial`.
    """
    return relax_one(*molecule, **options)


def relax_lbfgs(
    molecule: Task,
    *,
    calculator: str,
    fmax: float = FMAX,
    steps: int = STEPS,
    recording: Recording | None = None,
    **options: Any,
) -> Result:
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
    recording
        What is kept of the steps; the first is the input.
    **options
        Of the calculator. SO3LR and the MLFF run in float64 unless told otherwise.
    """
    chosen = _calculator(calculator, tuple(sorted((_DEFAULTS.get(calculator, {}) | options).items())))
    return _relax(molecule, chosen, _lbfgs, fmax, steps, recording)


def relax_mmff94(
    molecule: Task,
    *,
    variant: Literal["paper", "tight", "rdkit"] = "paper",
    fmax: float = FMAX,
    steps: int = STEPS,
    recording: Recording | None = None,
) -> Result:
    """Relax one molecule on MMFF94's surface.

    Parameters
    ----------
    molecule
        Open Babel's MMFF94 takes neutral molecules only and perceives their bonds itself; RDKit's takes ions too and the bonds
        that are stated. Neither takes radicals, and "paper" no frozen atoms.
    variant
        ``"paper"``: Open Babel's conjugate gradients to its own stop, on whatever bonds it perceives; ``fmax`` is not used.
        ``"tight"``: L-BFGS to ``fmax`` on sound bonds. ``"rdkit"``: RDKit's minimiser to ``fmax``, without Open Babel.
    fmax, steps, recording
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
        return _relax(molecule, calculator, _rdkit, fmax, steps, recording)
    tight = variant == "tight"
    calculator = _calculator("mmff94-openbabel", (("check_bonds", tight),))
    return _relax(molecule, calculator, _lbfgs if tight else _open_babel, fmax, steps, recording)


# --------------------------------------------------------------------- the course of a relaxation


class _Path:
    """A surface that remembers the geometries it was evaluated at as steps of a relaxation."""

    def __init__(self, surface: Surface, recording: Recording | None, frozen: NDArray[np.bool_] | None = None) -> None:
        self.surface = surface
        self.recording = recording
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
        if self.recording is not None:
            self._kept.append((positions.astype(np.float32), energy, self.fmax))
        return energy, forces

    def trajectories(self, ids: NDArray[np.bytes_]) -> Trajectories | None:
        """The steps that are to be kept, of the one molecule of ``ids``."""
        if self.recording is None:
            return None
        recorder = Recorder(ids, UNITS)
        for k, (frame, energy, fmax) in enumerate(self._kept):
            if k % self.recording.stride == 0 or k == len(self._kept) - 1:
                columns: dict[str, ArrayLike] = {"step": [k], "fmax": [fmax], "energy": [energy]}
                recorder.add([0], columns, [frame] if self.recording.frames else None)
        return recorder.finish()


Optimiser = Callable[[NDArray[np.integer], NDArray[np.float64], _Path, float, int], bool]


def _relax(
    given: Task,
    calculator: Calculator,
    optimise: Optimiser,
    fmax: float,
    steps: int,
    recording: Recording | None,
) -> Result:
    if not fmax > 0 or steps < 0:
        raise ValueError(f"fmax must be positive and steps not negative, not {fmax} and {steps}")
    numbers, start = np.asarray(given.numbers, dtype=np.int64), np.array(given.positions, dtype=np.float64)
    electrons = given.charge, given.unpaired
    stated: dict[str, Any] = {"bonds": given.bonds} if calculator.takes_bonds else {}
    begin = time.perf_counter()
    result = Result.begin(Structures.build([numbers], [start], ["molecule"]).with_electrons(*electrons), forces=True)
    path: _Path | None = None
    try:
        molecule = accepted(calculator, numbers, start, *electrons)
        radical = radical_note(int(electron_counts(molecule)[0]), *electrons)
        path = _Path(calculator.surface(numbers, start, *electrons, **stated), recording, given.frozen)
        converged = optimise(numbers, start, path, fmax, steps)
    except CalculationError as error:
        refused = error.stage in ("input", "perception", "setup") and (path is None or path.positions is None)
        result.code[:], result.reasons = int(Code.REFUSED if refused else Code.FAILED), [str(error)]
    else:
        assert path.positions is not None
        assert path.forces is not None
        columns = result.structures
        result.code[:] = int(Code.CONVERGED if converged else Code.STEP_CAP)
        result.positions[:], columns.column("forces")[:] = path.positions, path.forces
        columns.column("energy")[:], columns.column("last_fmax")[:] = path.energy, path.fmax
        capped = None if converged else f"not converged in {path.steps} steps: largest force {path.fmax:.2g} eV/Å"
        result.reasons = ["; ".join(filter(None, (capped, getattr(path.surface, "bond_problem", None), radical))) or None]
    if path is not None:
        result.steps[:], result.values("first_fmax")[:] = path.steps, path.first_fmax
        result.trajectories = path.trajectories(result.structures.ids)
    result.seconds[:] = time.perf_counter() - begin
    return result


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
            if path.recording is not None or not going:
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
        taken, geometries = surface.descend(steps - path.steps, tolerance, path.recording is not None)
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
