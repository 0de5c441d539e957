"""L-BFGS for many molecules at once, each with its own history, by the rules of ASE's `LBFGS`.

The inverse Hessian starts as 1/alpha for every molecule and step, the step is scaled down where an atom would move further than
``maxstep``, and there is no line search. ASE's two-loop recursion takes two products per pair of differences, one after
another; here the same matrix is applied in its compact form (Byrd, Nocedal, Schnabel, Math. Program. 63, 129, 1994, Theorem
2.2),

    H = h I + [S  hY] [ R^-T (D + h Y^T Y) R^-1   -R^-T ] [ S^T  ]
                      [ -R^-1                      0    ] [ hY^T ],   R_ij = s_i^T y_j (i <= j), D = diag(R),

which is a few batched products whatever the memory. It is equal to the recursion up to rounding. R is upper triangular, so R^-1
gets a column with each pair, and loses a row and a column with the oldest. On a CPU with compiled kernels the recursion itself is
taken, molecule by molecule: it reads the pairs alone, where R^-1 and Y^T Y are larger than they are for small molecules.

Shapes: B batch, N padded atoms, D = 3N coordinates, H pairs of differences.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from morered.batching import Batch
from morered.models.native import moves
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

    def __init__(self, method: PotentialMethod, potential: BatchedPotential, kernels: bool = False) -> None:
        self.method = method
        self._potential = potential
        history: type[Compact | Recursive] = Recursive if kernels else Compact
        self._history: History = history(method.memory, 1.0 / method.alpha)

    def begin(self) -> None:
        """Histories start empty."""
        self._history.begin()

    def init(self, batch: Batch) -> Start:
        """Empty histories: zeros, which change nothing."""
        x = batch.positions
        forces = x.new_full((len(batch),), torch.nan)
        scratch = self._history.init(len(batch), x[0].numel(), x)
        scratch |= {"x": x.flatten(1).clone(), "f": torch.zeros_like(x).flatten(1)}
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
        direction = self._direction(state, forces.flatten(1)).reshape(forces.shape)
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
        return self._potential.bytes_per_molecule(n_padded) + 2 * 8 * self._history.numbers(3 * n_padded)

    def _direction(self, state: State, f: Tensor) -> Tensor:
        """H f [B, D], the differences to the last step being part of H from now on."""
        scratch, x = state.scratch, state.batch.positions.flatten(1)
        known = (state.taken > 0)[:, None]  # a first step has no difference
        s, y = torch.where(known, x - scratch["x"], 0.0), torch.where(known, scratch["f"] - f, 0.0)
        scratch["x"], scratch["f"] = x, f
        self._history.append(scratch, s, y)
        return self._history.direction(scratch, f)


class History(Protocol):
    """The pairs of differences of all rows, and what they make of a gradient. All rows write at the same place; those that came
    later have zeros before theirs, which change nothing.
    """

    def begin(self) -> None:
        """No pairs."""
        ...

    def init(self, batch: int, size: int, like: Tensor) -> Rows:
        """Scratch rows of B molecules of D coordinates."""
        ...

    def numbers(self, size: int) -> int:
        """How many numbers a molecule of D coordinates keeps."""
        ...

    def append(self, scratch: Rows, s: Tensor, y: Tensor) -> None:
        """Take in the newest pair s, y [B, D]."""
        ...

    def direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """H f [B, D], f being minus the gradient."""
        ...


class Compact:
    """The compact form above: batched products, on any device."""

    def __init__(self, memory: int, h: float) -> None:
        self._memory, self._h = memory, h
        self._capacity = memory + _SLACK
        self._end = 0  # pairs written so far

    def begin(self) -> None:
        """See `History`."""
        self._end = 0

    def init(self, batch: int, size: int, like: Tensor) -> Rows:
        """See `History`."""
        capacity = self._capacity
        history = like.new_zeros(batch, capacity, size)
        return {
            "s": history,
            "y": history.clone(),
            "d": like.new_zeros(batch, capacity),  # D: s_i.y_i
            "r": torch.eye(capacity, dtype=like.dtype, device=like.device).repeat(batch, 1, 1),  # R^-1
            "yy": like.new_zeros(batch, capacity, capacity),  # y_i.y_j
        }

    def numbers(self, size: int) -> int:
        """See `History`."""
        return 2 * self._capacity * size + 3 * self._capacity**2

    def append(self, scratch: Rows, s: Tensor, y: Tensor) -> None:
        """See `History`."""
        ss, ys, d, r, yy = (scratch[name] for name in ("s", "y", "d", "r", "yy"))
        if self._end == self._capacity:
            self._end = self._memory
            for history in (ss, ys, d):
                history[:, : self._end] = history[:, -self._end :].clone()
            for matrix in (r, yy):
                matrix[:, : self._end, : self._end] = matrix[:, -self._end :, -self._end :].clone()
        end = self._end
        ss[:, end], ys[:, end] = s, y
        earlier, self._end = self._window(), end + 1
        new = y[:, :, None]
        product = (s * y).sum(dim=1)
        d[:, end] = product
        pivot = torch.where(product == 0, 1.0, product)  # a pair of zeros has no share
        r[:, earlier, end] = -(r[:, earlier, earlier] @ (ss[:, earlier] @ new))[..., 0] / pivot[:, None]
        r[:, end, end] = 1.0 / pivot
        with_new = (ys[:, : end + 1] @ new)[..., 0]
        yy[:, : end + 1, end] = with_new
        yy[:, end, : end + 1] = with_new

    def direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """See `History`: the formula above, right to left."""
        w, h = self._window(), self._h
        s, y, d, r, yy = scratch["s"][:, w], scratch["y"][:, w], scratch["d"][:, w], scratch["r"][:, w, w], scratch["yy"][:, w, w]
        u = r @ (s @ f[..., None])
        top = r.transpose(1, 2) @ (d[..., None] * u + h * (yy @ u - y @ f[..., None]))
        return h * f + (s.transpose(1, 2) @ top - h * (y.transpose(1, 2) @ u))[..., 0]

    def _window(self) -> slice:
        return slice(max(0, self._end - self._memory), self._end)


class Recursive:
    """ASE's recursion of two loops, in the compiled kernels."""

    def __init__(self, memory: int, h: float) -> None:
        self._memory, self._h = memory, h
        self._end = 0  # pairs written so far

    def begin(self) -> None:
        """See `History`."""
        self._end = 0

    def init(self, batch: int, size: int, like: Tensor) -> Rows:
        """See `History`."""
        history = like.new_zeros(batch, self._memory, size)
        return {"s": history, "y": history.clone(), "rho": like.new_zeros(batch, self._memory)}

    def numbers(self, size: int) -> int:
        """See `History`."""
        return self._memory * (2 * size + 1)

    def append(self, scratch: Rows, s: Tensor, y: Tensor) -> None:
        """See `History`: in place of the oldest pair."""
        place = self._end % self._memory
        self._end += 1
        product = (s * y).sum(dim=1)
        scratch["s"][:, place], scratch["y"][:, place] = s, y
        scratch["rho"][:, place] = torch.where(product == 0, 0.0, 1.0 / product)  # a pair of zeros has no share

    def direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """See `History`."""
        count = min(self._end, self._memory)
        oldest = (self._end - count) % self._memory
        return moves.lbfgs_direction(scratch["s"], scratch["y"], scratch["rho"], f.contiguous(), oldest, count, self._h)


def largest_forces(forces: Tensor) -> Tensor:
    """Norm of the largest force on an atom [B], of forces [B, N, 3]: what ASE compares with fmax."""
    return forces.square().sum(dim=-1).amax(dim=-1).sqrt()
