"""Displaced structures of minima along normal modes, with the energies that a temperature asks for.

As in QM7-X (Appendix B.1 of the paper): of each minimum, structures displaced along random combinations of its normal modes, so
that their energies above it are distributed as a temperature has it. The harmonic approximation overshoots along stiff
bonds, so each displacement is then rescaled until the calculator's own energy fits.

One molecule is done at a time, all of its geometries in batches: a result depends on the molecule, the settings and the seed, and
on nothing that was built beside it. Units: Å, eV, eV/Å. Shapes: N atoms, D displaced structures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from morered import calculators
from morered.calculators import CalculationError, Calculator
from morered.datasets.modes import FLOOR, STEP, NormalModes, hessian, normal_modes, stencil, thermal_displacements
from morered.datasets.stationary import Geometries, stationary_point
from morered.structures import Column, Structures, as_names, offsets_of

Floats = NDArray[np.float64]
#: Of what is built here; raise it when a result changes, so that pieces of the former version are not continued.
VERSION = 1


@dataclass(frozen=True)
class Displacing:
    """How minima are displaced.

    Attributes
    ----------
    per_minimum
        Displaced structures of each minimum, D.
    calculator, options
        Name and options of the calculator of Hessian and energies (`morered.calculators.get`).
    labels, label_options
        Calculator of energies and forces of the displaced structures; None for the same as ``calculator``.
    forces
        Whether the displaced structures get forces.
    temperature
        Of the classical oscillators, K.
    energies
        Distribution of the energies; see `morered.datasets.modes.thermal_displacements`.
    floor
        Softer modes are stiffened to this wave number, 1/cm.
    step
        Of the central differences, Å.
    tolerance
        Largest relative deviation of a displaced structure's energy from the one drawn.
    stationary
        Largest force in eV/Å at which a minimum counts as stationary for the calculator. Any other is relaxed with it first, for
        the Hessian alone: the displacements start from the minimum as it is given.
    relaxation_steps
        Cap on the steps of that relaxation.

    Raises
    ------
    ValueError
        If a number is not positive, or the distribution is unknown.
    """

    per_minimum: int = 100
    calculator: str = "so3lr"
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: str | None = None
    label_options: Mapping[str, Any] = field(default_factory=dict)
    forces: bool = False
    temperature: float = 1500.0
    energies: Literal["gamma", "exponential"] = "gamma"
    floor: float = FLOOR
    step: float = STEP
    tolerance: float = 0.02
    stationary: float = 0.02
    relaxation_steps: int = 300

    def __post_init__(self) -> None:
        for name in ("per_minimum", "temperature", "floor", "step", "tolerance", "stationary", "relaxation_steps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if self.energies not in ("gamma", "exponential"):
            raise ValueError(f"energies must be 'gamma' or 'exponential', not {self.energies!r}")


class BuildError(Exception):
    """A molecule from which nothing can be built; the message is the reason."""


def generator(seed: int, name: str, purpose: str) -> np.random.Generator:
    """Random numbers of one molecule and purpose: the same whatever else is built, and independent of all others."""
    words = hashlib.blake2b(f"{purpose}\0{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *np.frombuffer(words, dtype="<u4").tolist()])))


def modes_of(
    calculator: Calculator,
    numbers: NDArray[np.uint8],
    positions: Floats,
    settings: Displacing,
    charge: int = 0,
    unpaired: int = 0,
) -> NormalModes:
    """Normal modes of one molecule by central differences of a calculator's forces, at the stationary point next to
    ``positions``.

    Parameters
    ----------
    calculator
        Any.
    numbers, positions
        [N], and [N, 3] in Å.
    settings
        ``step``, ``stationary`` and ``relaxation_steps`` are used.
    charge, unpaired
        Total charge in e and unpaired electrons.

    Raises
    ------
    CalculationError
        If the calculator fails at one of the geometries, or there is no stationary point nearby.
    """
    geometries = Geometries(calculator, numbers, positions, charge, unpaired)
    _, forces = geometries.surface.evaluate(positions)
    origin = positions
    if np.linalg.norm(forces, axis=1).max() > settings.stationary:
        origin = stationary_point(geometries, numbers, positions, settings.stationary, settings.relaxation_steps)
    energies, moved = geometries.evaluate(stencil(origin, settings.step))
    assert moved is not None
    if failed := int(np.sum(~np.isfinite(energies))):
        raise CalculationError(f"{calculator.name} fails at {failed} of the geometries of the Hessian")
    return normal_modes(numbers, origin, hessian(moved, settings.step))


def displace(minimum: Structures, settings: Displacing, seed: int) -> Structures:
    """Displaced structures of one minimum.

    Parameters
    ----------
    minimum
        One molecule (M = 1).
    settings
        How.
    seed
        Of the displacements; with the molecule's id it decides them.

    Returns
    -------
    Structures
        D structures, ids ``<minimum>-d1`` to ``-dD``, in the frame of the minimum. Columns, [D]:

        - ``displacement_energy`` (eV): by ``settings.calculator``, above the minimum;
        - ``target_energy`` (eV): what was drawn;
        - ``scale``: factor on the harmonic displacement;
        - ``energy`` (eV) and ``forces`` [A, 3] (eV/Å): by ``settings.labels``, where ``settings.forces``.

    Raises
    ------
    BuildError
        If the molecule has a single atom, its modes cannot be had, or its displacements do not reach their energies.
    """
    (name,) = minimum.names
    numbers, positions = minimum.numbers, np.asarray(minimum.positions, dtype=np.float64)
    if len(numbers) < 2:
        raise BuildError("it has no vibrations: fewer than two atoms")
    calculator = _calculator(settings.calculator, tuple(sorted(settings.options.items())))
    try:
        electrons = int(minimum.charges[0]), int(minimum.unpaired[0])
        modes = modes_of(calculator, numbers, positions, settings, *electrons)
        geometries = Geometries(calculator, numbers, positions, *electrons)
        base, _ = geometries.surface.evaluate(positions)
    except CalculationError as error:
        raise BuildError(f"no normal modes by {settings.calculator}: {error}") from None
    displaced, targets, found, scales = _reach(
        lambda geometry: geometries.evaluate(geometry, forces=False)[0] - base,
        positions,
        modes,
        settings,
        generator(seed, name, "modes"),
    )
    names = as_names([f"{name}-d{k}" for k in range(1, settings.per_minimum + 1)])
    structures = Structures(
        np.tile(numbers, len(names)),
        displaced.reshape(-1, 3),
        offsets_of(np.full(len(names), len(numbers))),
        names,
        np.repeat(minimum.ids, len(names)),
        {
            "displacement_energy": Column(found, "eV"),
            "target_energy": Column(targets, "eV"),
            "scale": Column(scales),
        },
    )
    kept = minimum.without_columns().columns  # its charge and unpaired electrons, if it has any
    rows = {key: column._replace(values=np.repeat(column.values, len(names))) for key, column in kept.items()}
    structures = structures.with_columns(rows)
    return labelled(structures, numbers, positions, settings) if settings.forces else structures


def labelled(
    structures: Structures, numbers: NDArray[np.uint8], positions: NDArray[np.floating], settings: Displacing
) -> Structures:
    """Geometries of one molecule with the columns ``energy`` (eV) and ``forces`` (eV/Å) by the calculator of the labels.

    Raises
    ------
    BuildError
        If a label cannot be had.
    """
    name, options = settings.calculator, settings.options
    if settings.labels is not None:
        name, options = settings.labels, settings.label_options
    calculator = _calculator(name, tuple(sorted(options.items())))
    geometries = np.asarray(structures.positions, dtype=np.float64).reshape(len(structures), -1, 3)
    electrons = int(structures.charges[0]), int(structures.unpaired[0])
    try:
        surface = Geometries(calculator, numbers, np.asarray(positions, dtype=np.float64), *electrons)
        energies, forces = surface.evaluate(geometries)
    except CalculationError as error:
        raise BuildError(f"no energies and forces by {name}: {error}") from None
    assert forces is not None
    if failed := int(np.sum(~np.isfinite(energies))):
        raise BuildError(f"no energies and forces by {name} for {failed} of its {len(structures)} structures")
    return structures.with_columns(
        {"energy": Column(energies, "eV"), "forces": Column(forces.reshape(-1, 3), "eV/Å", per_atom=True)}
    )


# --------------------------------------------------------------------- rescaling to the drawn energies

#: Evaluations of one displacement before another direction is tried, and directions tried.
_EVALUATIONS, _DIRECTIONS = 8, 6
#: Factors beyond which a displacement is not stretched or shrunk: another direction is tried.
_SHORTEST, _LONGEST = 0.1, 4.0


def _reach(
    energy: Callable[[Floats], Floats], positions: Floats, modes: NormalModes, settings: Displacing, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """Displaced geometries [D, N, 3] whose energies fit those drawn; with the drawn energies, the true ones and the factors, [D]
    each.

    A direction along which the energy is not reached (a rotor's barrier is below it, the calculator fails) is replaced by
    another one, the energy to be reached stays: so the distribution of the energies is that of the temperature.
    """
    count = settings.per_minimum
    displaced = np.empty((count, *positions.shape))
    found, scales, targets = np.full(count, np.nan), np.full(count, np.nan), np.full(count, np.nan)
    left = np.arange(count)
    for attempt in range(_DIRECTIONS):
        # as many draws as at the beginning, so that what one displacement gets does not depend on the others' luck
        directions, energies = thermal_displacements(modes, rng, count, settings.temperature, settings.energies, settings.floor)
        if attempt == 0:
            targets = energies
        else:
            directions = directions * np.sqrt(targets / energies)[:, None, None]
        scale, true = rescale(energy, positions, directions[left], targets[left], settings.tolerance)
        fits = np.isfinite(scale)
        reached = left[fits]
        displaced[reached] = positions + scale[fits, None, None] * directions[reached]
        found[reached], scales[reached] = true[fits], scale[fits]
        left = left[~fits]
        if not len(left):
            return displaced, targets, found, scales
    raise BuildError(f"{len(left)} of {count} displacements do not reach their energies, the first {targets[left[0]]:.2f} eV")


def rescale(
    energy: Callable[[Floats], Floats], positions: Floats, directions: Floats, targets: Floats, tolerance: float
) -> tuple[Floats, Floats]:
    """Factors on displacements that give them the energies wanted.

    A secant method on the logarithms, where an energy that grows as a power of the factor is a straight line, kept within the
    bracket known so far.

    Parameters
    ----------
    energy
        Geometries [D, N, 3] -> energies [D] in eV above the minimum; NaN where there is none.
    positions, directions
        The minimum [N, 3] and displacements [D, N, 3], Å.
    targets
        Energies wanted, [D] in eV.
    tolerance
        Relative.

    Returns
    -------
    tuple
        Factors and energies [D]; NaN where the energy was not reached.
    """
    count = len(targets)
    x = np.zeros(count)  # logarithm of the factor tried next
    low, high = np.full(count, np.log(_SHORTEST)), np.full(count, np.log(_LONGEST))
    last_x, last_y = np.full(count, np.nan), np.full(count, np.nan)
    scales, found = np.full(count, np.nan), np.full(count, np.nan)
    active = np.arange(count)
    for _ in range(_EVALUATIONS):
        true = energy(positions + np.exp(x[active])[:, None, None] * directions[active])
        fits = np.abs(true / targets[active] - 1) <= tolerance
        scales[active[fits]], found[active[fits]] = np.exp(x[active[fits]]), true[fits]
        active, true = active[~fits], true[~fits]
        if not len(active):
            break
        here = x[active]
        # A calculator fails where atoms come too close: too far. An energy below the minimum's: not far enough.
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.where(np.isnan(true), np.inf, np.where(true > 0, np.log(np.maximum(true, 1e-300) / targets[active]), -np.inf))
            below = y < 0
            low[active[below]] = here[below]
            high[active[~below]] = here[~below]
            slope = (y - last_y[active]) / (here - last_x[active])
            slope = np.where(np.isfinite(slope), np.clip(slope, 1.0, 40.0), 2.0)  # 2 for a harmonic oscillator
            proposal = here - y / slope
        inside = np.isfinite(proposal) & (proposal > low[active]) & (proposal < high[active])
        x[active] = np.where(inside, proposal, (low[active] + high[active]) / 2)
        last_x[active], last_y[active] = here, np.where(np.isfinite(y), y, np.nan)
    return scales, found


@cache
def _calculator(name: str, options: tuple[tuple[str, Any], ...]) -> Calculator:
    """The calculator, made once for each process."""
    return calculators.get(name, **dict(options))
