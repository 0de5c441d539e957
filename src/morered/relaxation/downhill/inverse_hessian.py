"""The inverse Hessian of L-BFGS for many molecules at once: what it starts from, and pairs of differences that correct it.

ASE's two-loop recursion takes two products per pair of differences, one after another; `Compact` applies the same matrix in its
compact form (Byrd, Nocedal, Schnabel, Math. Program. 63, 129, 1994, Theorem 2.2),

    H = H0 + [S  Z] [ R^-T (D + Y^T Z) R^-1   -R^-T ] [ S^T ]       Z = H0 Y,
                    [ -R^-1                    0    ] [ Z^T ],      R_ij = s_i^T y_j (i <= j), D = diag(R),

which is a few batched products whatever the memory. It is equal to the recursion up to rounding. R is upper triangular, so R^-1
gets a column with each pair, and loses a row and a column with the oldest. `Recursive` is the recursion itself in the compiled
kernels, molecule by molecule: it reads the pairs alone, where R^-1 and Y^T Z are larger than they are for small molecules.

H0 is 1/alpha as in ASE (`Scaled`), or the inverse Hessian of a valence force field at the start (`Valence`), with which a
molecule of forty atoms needs a fifth of the steps: stiff bonds and soft torsions are told apart from the beginning. Where an atom
has gone far, what was soft may be stiff: that molecule begins anew, with the Hessian of where it is and without pairs.

Shapes: B batch, N padded atoms, D = 3N coordinates, H pairs of differences.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from morered.batching import Batch
from morered.diffusion import valence
from morered.relaxation.engine.state import Rows
from morered.relaxation.kernels import lbfgs_direction

#: Pairs that the history may run over its memory before it is moved to the front: a copy every so many steps.
_SLACK = 16


class InverseHessian(Protocol):
    """Of all rows of a batch. All rows write their pairs at the same place; those that came later have zeros before theirs, which
    change nothing.
    """

    def begin(self) -> None:
        """No pairs."""
        ...

    def init(self, batch: Batch) -> Rows:
        """Scratch rows of molecules that begin."""
        ...

    def numbers(self, size: int) -> int:
        """How many numbers a molecule of D coordinates keeps."""
        ...

    def renew(self, scratch: Rows, batch: Batch) -> Tensor:
        """Begin anew with the molecules whose H0 holds no longer, in place; which these are, [B] bool."""
        ...

    def append(self, scratch: Rows, s: Tensor, y: Tensor) -> None:
        """Take in the newest pair s, y [B, D]."""
        ...

    def direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """H f [B, D], f being minus the gradient."""
        ...


class InitialInverse(Protocol):
    """H0 of each molecule."""

    def init(self, batch: Batch) -> Rows:
        """Scratch rows of molecules that begin."""
        ...

    def numbers(self, size: int) -> int:
        """How many numbers a molecule of D coordinates keeps."""
        ...

    def stale(self, scratch: Rows, batch: Batch) -> Tensor:
        """Whether H0 no longer holds where the molecules are, [B] bool."""
        ...

    def apply(self, scratch: Rows, vectors: Tensor) -> Tensor:
        """H0 v [B, D] of vectors [B, D]."""
        ...


class Scaled:
    """H0 = h, the same for every coordinate, in Å²/eV."""

    def __init__(self, h: float) -> None:
        self._h = h

    def init(self, batch: Batch) -> Rows:
        """See `InitialInverse`: nothing is kept."""
        return {}

    def numbers(self, size: int) -> int:
        """See `InitialInverse`."""
        return 0

    def stale(self, scratch: Rows, batch: Batch) -> Tensor:
        """See `InitialInverse`: never."""
        return torch.zeros(len(batch), dtype=torch.bool, device=batch.positions.device)

    def apply(self, scratch: Rows, vectors: Tensor) -> Tensor:
        """See `InitialInverse`."""
        return self._h * vectors


class Valence:
    """H0 = (`morered.diffusion.valence.hessian` at the start + `SOFTEST`)^-1.

    `SOFTEST`, in eV/Å², stands for all that the force field leaves out. Steps to 0.005 eV/Å with AIMNet2 for eight drugs of forty
    atoms from MMFF94: 201 with H0 = 1/70 Å²/eV, and 39, 40, 45 and 60 with 0.1, 0.3, 1 and 3 eV/Å²
    (``benchmarks/preconditioner.py``). Of some 90 test molecules from ETKDGv3, 11 did not come to rest in 600 steps with the
    Hessian of the start; the six of these that were tried did in 84 to 132 with a new one after each `REACH`, in Å.
    """

    SOFTEST = 0.3
    REACH = 1.0

    def init(self, batch: Batch) -> Rows:
        """See `InitialInverse`."""
        positions = batch.positions
        size = positions[0].numel()
        inverse = np.zeros((len(batch), size, size))
        arrays = (batch.numbers.cpu().numpy(), positions.cpu().double().numpy(), batch.sizes.tolist())
        frozen = None if batch.frozen is None else batch.frozen.cpu().numpy()
        for m, (numbers, points, n) in enumerate(zip(*arrays, strict=True)):
            matrix = valence.hessian(numbers[:n], points[:n])
            if frozen is not None:  # what no step moves does not give way
                held = np.repeat(frozen[m, :n], 3)
                matrix[held, :] = matrix[:, held] = 0.0
            matrix[np.diag_indices(3 * n)] += self.SOFTEST
            inverse[m, : 3 * n, : 3 * n] = np.linalg.inv(matrix)
        return {"h0": torch.from_numpy(inverse).to(positions), "of": positions.clone()}

    def numbers(self, size: int) -> int:
        """See `InitialInverse`."""
        return size**2 + size

    def stale(self, scratch: Rows, batch: Batch) -> Tensor:
        """See `InitialInverse`: where an atom is further than `REACH` from where H0 was made."""
        return (batch.positions - scratch["of"]).square().sum(dim=-1).amax(dim=-1) > self.REACH**2

    def apply(self, scratch: Rows, vectors: Tensor) -> Tensor:
        """See `InitialInverse`."""
        return (scratch["h0"] @ vectors[..., None])[..., 0]


class Compact:
    """The compact form above: batched products, on any device."""

    def __init__(self, memory: int, initial: InitialInverse) -> None:
        self._memory, self._initial = memory, initial
        self._capacity = memory + _SLACK
        self._end = 0  # pairs written so far

    def begin(self) -> None:
        """See `InverseHessian`."""
        self._end = 0

    def init(self, batch: Batch) -> Rows:
        """See `InverseHessian`."""
        capacity, like, count = self._capacity, batch.positions, len(batch)
        history = like.new_zeros(count, capacity, like[0].numel())
        return self._initial.init(batch) | {
            "s": history,
            "z": history.clone(),  # H0 y
            "d": like.new_zeros(count, capacity),  # D: s_i.y_i
            "r": torch.eye(capacity, dtype=like.dtype, device=like.device).repeat(count, 1, 1),  # R^-1
            "yz": like.new_zeros(count, capacity, capacity),  # y_i.z_j
        }

    def numbers(self, size: int) -> int:
        """See `InverseHessian`."""
        return 2 * self._capacity * size + 3 * self._capacity**2 + self._initial.numbers(size)

    def renew(self, scratch: Rows, batch: Batch) -> Tensor:
        """See `InverseHessian`."""
        stale = self._initial.stale(scratch, batch)
        rows = stale.nonzero()[:, 0]
        if len(rows):
            for name, values in self.init(batch[rows]).items():
                scratch[name][rows] = values
        return stale

    def append(self, scratch: Rows, s: Tensor, y: Tensor) -> None:
        """See `InverseHessian`."""
        ss, zs, d, r, yz = (scratch[name] for name in ("s", "z", "d", "r", "yz"))
        if self._end == self._capacity:
            self._end = self._memory
            for history in (ss, zs, d):
                history[:, : self._end] = history[:, -self._end :].clone()
            for matrix in (r, yz):
                matrix[:, : self._end, : self._end] = matrix[:, -self._end :, -self._end :].clone()
        end = self._end
        ss[:, end], zs[:, end] = s, self._initial.apply(scratch, y)
        earlier, self._end = self._window(), end + 1
        new = y[:, :, None]
        product = (s * y).sum(dim=1)
        d[:, end] = product
        pivot = torch.where(product == 0, 1.0, product)  # a pair of zeros has no share
        r[:, earlier, end] = -(r[:, earlier, earlier] @ (ss[:, earlier] @ new))[..., 0] / pivot[:, None]
        r[:, end, end] = 1.0 / pivot
        with_new = (zs[:, : end + 1] @ new)[..., 0]
        yz[:, : end + 1, end] = with_new
        yz[:, end, : end + 1] = with_new

    def direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """See `InverseHessian`: the formula above, right to left."""
        w = self._window()
        s, z, d, r, yz = scratch["s"][:, w], scratch["z"][:, w], scratch["d"][:, w], scratch["r"][:, w, w], scratch["yz"][:, w, w]
        u = r @ (s @ f[..., None])
        top = r.transpose(1, 2) @ (d[..., None] * u + yz @ u - z @ f[..., None])
        return self._initial.apply(scratch, f) + (s.transpose(1, 2) @ top - z.transpose(1, 2) @ u)[..., 0]

    def _window(self) -> slice:
        return slice(max(0, self._end - self._memory), self._end)


class Recursive:
    """ASE's recursion of two loops with H0 = h, in the compiled kernels."""

    def __init__(self, memory: int, h: float) -> None:
        self._memory, self._h = memory, h
        self._end = 0  # pairs written so far

    def begin(self) -> None:
        """See `InverseHessian`."""
        self._end = 0

    def init(self, batch: Batch) -> Rows:
        """See `InverseHessian`."""
        like = batch.positions
        history = like.new_zeros(len(batch), self._memory, like[0].numel())
        return {"s": history, "y": history.clone(), "rho": like.new_zeros(len(batch), self._memory)}

    def numbers(self, size: int) -> int:
        """See `InverseHessian`."""
        return self._memory * (2 * size + 1)

    def renew(self, scratch: Rows, batch: Batch) -> Tensor:
        """See `InverseHessian`: none."""
        return torch.zeros(len(batch), dtype=torch.bool, device=batch.positions.device)

    def append(self, scratch: Rows, s: Tensor, y: Tensor) -> None:
        """See `InverseHessian`: in place of the oldest pair."""
        place = self._end % self._memory
        self._end += 1
        product = (s * y).sum(dim=1)
        scratch["s"][:, place], scratch["y"][:, place] = s, y
        scratch["rho"][:, place] = torch.where(product == 0, 0.0, 1.0 / product)  # a pair of zeros has no share

    def direction(self, scratch: Rows, f: Tensor) -> Tensor:
        """See `InverseHessian`."""
        count = min(self._end, self._memory)
        oldest = (self._end - count) % self._memory
        return lbfgs_direction(scratch["s"], scratch["y"], scratch["rho"], f.contiguous(), oldest, count, self._h)
