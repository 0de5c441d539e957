"""L-BFGS for many molecules at once, each with its own history, by the rules of ASE's `LBFGS`.

The step is scaled down where an atom would move further than ``maxstep``, and there is no line search. What the inverse Hessian
starts from and how it is applied is in `morered.relaxation.downhill.inverse_hessian`.

Shapes: B batch, N padded atoms, D = 3N coordinates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.batching import Batch
from morered.relaxation.codes import REASONS, Code
from morered.relaxation.downhill.inverse_hessian import Compact, InverseHessian, Recursive, Scaled, Valence
from morered.relaxation.downhill.potentials import BatchedPotential
from morered.relaxation.engine.endings import constant
from morered.relaxation.engine.state import Move, Start, State, shortened
from morered.settings.relaxation import PotentialMethod


class BatchedLbfgs:
    """See `morered.relaxation.engine.state.BatchedMethod`; reports ``first_fmax`` and ``last_fmax`` in eV/Å.

    One `step` evaluates the forces, sees whether the molecule has converged, and moves it if not, so a molecule that is relaxed
    already takes no step, and the last force belongs to the result.
    """

    first_record = 0

    def __init__(self, method: PotentialMethod, potential: BatchedPotential, kernels: bool = False) -> None:
        self.method = method
        self._potential = potential
        self._inverse: InverseHessian
        if method.initial_hessian == "valence":
            self._inverse = Compact(method.memory, Valence())
        elif kernels:
            self._inverse = Recursive(method.memory, 1.0 / method.alpha)
        else:
            self._inverse = Compact(method.memory, Scaled(1.0 / method.alpha))

    def begin(self) -> None:
        """Histories start empty."""
        self._inverse.begin()

    def init(self, batch: Batch) -> Start:
        """Empty histories: zeros, which change nothing."""
        x = batch.positions
        forces = x.new_full((len(batch),), torch.nan)
        scratch = self._inverse.init(batch)
        scratch |= {"x": x.flatten(1).clone(), "f": torch.zeros_like(x).flatten(1)}
        return Start(x, {"first_fmax": forces, "last_fmax": forces.clone()}, scratch)

    def step(self, state: State) -> Move:
        """Forces at the current positions; then a move of the molecules that need one."""
        method, batch = self.method, state.batch
        energy, forces = self._potential.energy_forces(batch)
        forces = batch.loose(torch.where(batch.mask[..., None], forces.to(torch.float64), 0.0))
        fmax = largest_forces(forces)
        converged = fmax < method.fmax
        capped = ~converged & (state.taken >= method.steps)
        code = torch.where(converged, constant(Code.CONVERGED, fmax.device), constant(Code.RUNNING, fmax.device))
        code = torch.where(capped, constant(Code.STEP_CAP, fmax.device), code)
        code = torch.where(torch.isfinite(fmax), code, constant(Code.NO_FORCES, fmax.device))
        direction = batch.loose(self._direction(state, forces.flatten(1)).reshape(forces.shape))
        move = shortened(direction, method.maxstep) * method.damping
        running = code == 0
        first = torch.where(state.taken == 0, fmax, state.results["first_fmax"])
        return Move(
            positions=torch.where(running[:, None, None], batch.positions + move, batch.positions),
            taken=state.taken + running,
            code=code,
            results={"first_fmax": first, "last_fmax": fmax},
            record={"step": state.taken, "fmax": fmax, "energy": energy},
            recorded_positions=batch.positions,
        )

    def reason(self, code: Code) -> str:
        """A sentence for how a molecule ended."""
        return f"the largest force is below {self.method.fmax:g} eV/Å" if code is Code.CONVERGED else REASONS[code]

    def bytes_per_molecule(self, n_padded: int) -> int:
        """The potential's own, and twice the history, of which refilling a slot makes a copy."""
        return self._potential.bytes_per_molecule(n_padded) + 2 * 8 * self._inverse.numbers(3 * n_padded)

    def _direction(self, state: State, f: Tensor) -> Tensor:
        """H f [B, D], the differences to the last step being part of H from now on."""
        scratch, x = state.scratch, state.batch.positions.flatten(1)
        known = ((state.taken > 0) & ~self._inverse.renew(scratch, state.batch))[:, None]  # a first step has no difference
        s, y = torch.where(known, x - scratch["x"], 0.0), torch.where(known, scratch["f"] - f, 0.0)
        scratch["x"], scratch["f"] = x, f
        self._inverse.append(scratch, s, y)
        return self._inverse.direction(scratch, f)


def largest_forces(forces: Tensor) -> Tensor:
    """Norm of the largest force on an atom [B], of forces [B, N, 3]: what ASE compares with fmax."""
    return forces.square().sum(dim=-1).amax(dim=-1).sqrt()
