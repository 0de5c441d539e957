"""Relaxes molecules one after another with ASE's own L-BFGS. It is slower, and the batched one is checked against it.

Shapes: M molecules, N atoms of one molecule.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.optimize import LBFGS
from numpy.typing import ArrayLike

from morered.batching import Batch, pad
from morered.frozen import frozen_atoms
from morered.relaxation.codes import Code
from morered.relaxation.downhill.potentials import BatchedPotential
from morered.relaxation.engine.endings import code_of
from morered.relaxation.recording import UNITS, Recording
from morered.relaxation.result import Result
from morered.settings.relaxation import PotentialMethod
from morered.structures import Structures
from morered.trajectories import Recorder


class _NoForces(Exception):
    """The potential gave forces that are not finite."""


class PotentialCalculator(Calculator):
    """A batched potential as ASE's calculator, one molecule at a time."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (ASE's way)

    def __init__(
        self, potential: BatchedPotential, device: torch.device | str = "cpu", charge: int = 0, unpaired: int = 0
    ) -> None:
        super().__init__()
        self._electrons = charge, unpaired
        self._potential = potential
        self._device = device
        self._batch: Batch | None = None

    def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes) -> None:
        """Energy in eV and forces in eV/Å of the atoms' current positions."""
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        # As they are, not centred anew: the same numbers as in the batched optimiser give the same rounding, step after step.
        one = Structures.build([self.atoms.numbers], [self.atoms.positions], ["molecule"]).with_electrons(*self._electrons)
        energy, forces = self._potential.energy_forces(pad(one, device=self._device))
        self.results = {"energy": float(energy[0]), "forces": forces[0, : one.n_atoms].to("cpu", torch.float64).numpy()}
        if not np.isfinite(self.results["forces"]).all():
            raise _NoForces


def relax_one_by_one(
    structures: Structures,
    method: PotentialMethod,
    potential: BatchedPotential,
    *,
    device: torch.device | str = "cpu",
    recording: Recording | None = None,
    progress: Any = None,
) -> Result:
    """Relax molecules one after another; after Ctrl-C what is done by then is kept."""
    result = Result.begin(structures)
    recorder = None if recording is None else Recorder(structures.ids, UNITS)
    steps = 0
    try:
        for m, electrons in enumerate(zip(structures.charges.tolist(), structures.unpaired.tolist(), strict=True)):
            calculator = PotentialCalculator(potential, device, *electrons)
            _relax(m, structures, method, calculator, result, recorder, recording)
            steps += int(result.steps[m])
            if progress is not None:
                progress(m + 1, len(structures), steps)
    except KeyboardInterrupt:
        result.interrupted = True
    result.trajectories = None if recorder is None else recorder.finish()
    return result


def _relax(
    m: int,
    structures: Structures,
    method: PotentialMethod,
    calculator: PotentialCalculator,
    result: Result,
    recorder: Recorder | None,
    recording: Recording | None,
) -> None:
    _, numbers, positions = structures.molecule(m)
    held = frozen_atoms(structures)[int(structures.offsets[m]) : int(structures.offsets[m + 1])]
    fixed = FixAtoms(mask=held) if held.any() else None
    atoms = Atoms(numbers, np.array(positions, dtype=np.float64), calculator=calculator, constraint=fixed)
    rules: dict[str, Any] = {name: getattr(method, name) for name in ("maxstep", "memory", "damping", "alpha")} | {
        "logfile": None
    }
    optimiser = LBFGS(atoms, **rules)
    begin = time.perf_counter()
    forces = []
    code = Code.STEP_CAP
    try:
        for converged in optimiser.irun(fmax=method.fmax, steps=method.steps):
            forces.append(float(np.linalg.norm(atoms.get_forces(), axis=1).max()))
            last = converged or optimiser.nsteps >= method.steps
            if recorder is not None and recording is not None and (optimiser.nsteps % recording.stride == 0 or last):
                energy = atoms.get_potential_energy()
                columns: dict[str, ArrayLike] = {"step": [optimiser.nsteps], "fmax": [forces[-1]], "energy": [energy]}
                recorder.add([m], columns, [atoms.positions] if recording.frames else None)
            if converged:
                code = Code.CONVERGED
                break
            if (broken := code_of(positions, atoms.positions)) is not None:
                code = broken
                break
    except _NoForces:
        code = Code.NO_FORCES
    atoms_of = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
    result.positions[atoms_of] = atoms.positions
    result.steps[m], result.seconds[m] = optimiser.nsteps, time.perf_counter() - begin
    if forces:
        result.values("first_fmax")[m], result.values("last_fmax")[m] = forces[0], forces[-1]
    if code is Code.CONVERGED:
        result.reasons[m] = f"the largest force is below {method.fmax:g} eV/Å"
    result.code[m] = int(code)
