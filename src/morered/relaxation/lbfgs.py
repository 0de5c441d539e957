"""L-BFGS for many molecules at once, each with its own history, by the rules of ASE's `LBFGS`.

The inverse Hessian starts as 1/alpha for every molecule and step, the step is scaled down where an atom would move further than
``maxstep``, and there is no line search. ASE's two-loop recursion takes two products per pair of differences, one after
another; here the same matrix is applied in its compact form (Byrd, Nocedal, Schnabel, Math. Program. 63, 129, 1994, Theorem
2.2),

    H = h I + [S  hY] [ R^-T (D + h Y^T Y) R^-1   -R^-T ] [ S^T  ]
                      [ -R^-1                      0    ] [ hY^T ],   R_ij = s_i^T y_j (i <= j), D = diag(R),

which is a few batched products whatever the memory. It is equal to the recursion up to rounding. R is upper triangular, so R^-1
gets a column with each pair, and loses a row and a column with the oldest.

Shapes: B batch, N padded atoms, D = 3N coordinates, H pairs of differences.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.batching import Batch
from morered.relaxation.codes import REASONS, Code, constant
from morered.relaxation.methods import PotentialMethod
from morered.relaxation.mixing import shortened
from morered.relaxation.potentials import BatchedPotential
from morered.relaxation.state import Move, Rows, Start, State

#: Pairs that the history may run over its memory before it is moved to the front: a copy every so many steps.
_SLACK = 16


class LbfgsRelaxer:
    """See `morered.relaxation.state.Relaxer`; reports ``first_fmax`` and ``last_fmax`` in eV/Å.

    One `step` evaluates the forces, sees whether the molecule has converged, and moves it if not, so a molecule that is relaxed
    already takes no step, and the last force belongs to the result.
    """

    first_record = 0

    def __init__(self, method: PotentialMethod, potential: BatchedPotential) -> None:
        self.method = method
        self._potential = potential
        self._end = 0  # pairs written so far in every row's history; rows that came later have zeros before theirs

    def begin(self) -> None:
        """Histories start empty."""
        self._end = 0

    def init(self, batch: Batch) -> Start:
        """Empty histories: zeros, which change nothing."""
        x = batch.positions
        capacity, size = self.method.memory + _SLACK, x[0].numel()
        history = x.new_zeros(len(batch), capacity, size)
        forces = x.new_full((len(batch),), torch.nan)
        scratch = {
            "s": history,
            "y": history.clone(),
            "d": x.new_zeros(len(batch), capacity),  # D: s_i.y_i
            "r": torch.eye(capacity, dtype=x.dtype, device=x.device).repeat(len(batch), 1, 1),  # R^-1
            "yy": x.new_zeros(len(batch), capacity, capacity),  # y_i.y_j
            "x": x.flatten(1).clone(),
            "f": torch.zeros_like(x).flatten(1),
        }
        return Start(x, {"first_fmax": forces, "last_fmax": forces.clone()}, scratch)

    def step(self, state: State) -> Move:
        """Forces at the current positions; then a move of the molecules that need one."""
        method, batch = self.method, state.batch
        energy, forces = self._potential.energy_forces(batch)
        forces = torch.where(batch.mask[..., None], forces.to(torch.float64), 0.0)
        fmax = largest_forces(forces)
        converged = fmax < method.fmax
        capped = ~converged & (state.taken >= method.steps)
        code = torch.where(converged, constant(Code.CONVERGED, fmax.device), constant(Code.RUNNING, fmax.device))
        code = torch.where(capped, constant(Code.STEP_CAP, fmax.device), code)
        code = torch.where(torch.isfinite(fmax), code, constant(Code.NO_FORCES, fmax.device))
        self._remember(state.scratch, batch.positions.flatten(1), forces.flatten(1), state.taken > 0)
        direction = self._direction(state.scratch, forces.flatten(1)).reshape(forces.shape)
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
        capacity = self.method.memory + _SLACK
        return self._potential.bytes_per_molecule(n_padded) + 2 * 8 * (2 * capacity * 3 * n_padded + 3 * capacity**2)

    # ----------------------------------------------------------------- the history

    def _remember(self, scratch: Rows, x: Tensor, f: Tensor, known: Tensor) -> None:
        """Append the differences to the last step, zeros where ``known`` [B] is false; all rows write at the same place."""
        s, y, d, r, yy = (scratch[name] for name in ("s", "y", "d", "r", "yy"))
        if self._end == s.shape[1]:
            self._end = self.method.memory
            for history in (s, y, d):
                history[:, : self._end] = history[:, -self._end :].clone()
            for matrix in (r, yy):
                matrix[:, : self._end, : self._end] = matrix[:, -self._end :, -self._end :].clone()
        end = self._end
        ds, dy = x - scratch["x"], scratch["f"] - f
        s[:, end] = torch.where(known[:, None], ds, 0.0)
        y[:, end] = torch.where(known[:, None], dy, 0.0)
        earlier, self._end = self._window(), end + 1
        new = y[:, end, :, None]
        product = (s[:, end] * y[:, end]).sum(dim=1)
        d[:, end] = product
        pivot = torch.where(product == 0, 1.0, product)  # a pair of zeros has no share
        r[:, earlier, end] = -(r[:, earlier, earlier] @ (s[:, earlier] @ new))[..., 0] / pivot[:, None]
        r[:, end, end] = 1.0 / pivot
        with_new = (y[:, : end + 1] @ new)[..., 0]
        yy[:, : end + 1, end] = with_new
        yy[:, end, : end + 1] = with_new
        scratch["x"], scratch["f"] = x, f

    def _window(self) -> slice:
        return slice(max(0, self._end - self.method.memory), self._end)

    def _direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """H f [B, D], f being minus the gradient: the formula above, right to left."""
        w, h = self._window(), 1.0 / self.method.alpha
        s, y, d, r, yy = scratch["s"][:, w], scratch["y"][:, w], scratch["d"][:, w], scratch["r"][:, w, w], scratch["yy"][:, w, w]
        u = r @ (s @ f[..., None])
        top = r.transpose(1, 2) @ (d[..., None] * u + h * (yy @ u - y @ f[..., None]))
        return h * f + (s.transpose(1, 2) @ top - h * (y.transpose(1, 2) @ u))[..., 0]


def largest_forces(forces: Tensor) -> Tensor:
    """Norm of the largest force on an atom [B], of forces [B, N, 3]: what ASE compares with fmax."""
    return forces.square().sum(dim=-1).amax(dim=-1).sqrt()
