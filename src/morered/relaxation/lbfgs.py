"""L-BFGS for many molecules at once, each with its own history, by the rules of ASE's `LBFGS`.

The inverse Hessian starts as 1/alpha for every molecule and step, the step is scaled down where an atom would move further than
``maxstep``, and there is no line search. ASE's two-loop recursion takes two products per pair of differences, one after
another; here the same matrix is applied in its compact form (Byrd, Nocedal, Schnabel, Math. Program. 63, 129, 1994, Theorem
2.2),

    H = h I + [S  hY] [ R^-T (D + h Y^T Y) R^-1   -R^-T ] [ S^T  ]
                      [ -R^-1                      0    ] [ hY^T ],   R_ij = s_i^T y_j (i <= j), D = diag(R),

which is a few batched products whatever the memory. It is equal to the recursion up to rounding.

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
        products = x.new_zeros(len(batch), capacity, capacity)
        forces = x.new_full((len(batch),), torch.nan)
        scratch = {
            "s": history,
            "y": history.clone(),
            "sy": products,  # R: s_i.y_j for i <= j
            "yy": products.clone(),  # y_i.y_j
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
        s, y, sy, yy = scratch["s"], scratch["y"], scratch["sy"], scratch["yy"]
        if self._end == s.shape[1]:
            self._end = self.method.memory
            for history in (s, y):
                history[:, : self._end] = history[:, -self._end :].clone()
            for products in (sy, yy):
                products[:, : self._end, : self._end] = products[:, -self._end :, -self._end :].clone()
        end = self._end
        s[:, end] = torch.where(known[:, None], x - scratch["x"], 0.0)
        y[:, end] = torch.where(known[:, None], scratch["f"] - f, 0.0)
        self._end += 1
        window = self._window()
        new = y[:, end, :, None]
        sy[:, window, end] = (s[:, window] @ new)[..., 0]
        with_new = (y[:, window] @ new)[..., 0]
        yy[:, window, end] = with_new
        yy[:, end, window] = with_new
        scratch["x"].copy_(x)
        scratch["f"].copy_(f)

    def _window(self) -> slice:
        return slice(max(0, self._end - self.method.memory), self._end)

    def _direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """H f [B, D], f being minus the gradient: the formula above, right to left."""
        w, h = self._window(), 1.0 / self.method.alpha
        s, y, yy = scratch["s"][:, w], scratch["y"][:, w], scratch["yy"][:, w, w]
        r = scratch["sy"][:, w, w].triu()
        d = r.diagonal(dim1=1, dim2=2)
        r = r + torch.diag_embed((d == 0).to(r.dtype))  # a pair of zeros has no share
        a, b = s @ f[..., None], h * (y @ f[..., None])
        u = torch.linalg.solve_triangular(r, a, upper=True)
        top = torch.linalg.solve_triangular(r.transpose(1, 2), d[..., None] * u + h * (yy @ u) - b, upper=False)
        return h * f + (s.transpose(1, 2) @ top - h * (y.transpose(1, 2) @ u))[..., 0]


def largest_forces(forces: Tensor) -> Tensor:
    """Norm of the largest force on an atom [B], of forces [B, N, 3]: what ASE compares with fmax."""
    return forces.square().sum(dim=-1).amax(dim=-1).sqrt()
