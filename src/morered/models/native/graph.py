"""Pairs of a flat batch.

Shapes: B molecules, A atoms (flat), P pairs, K radial functions, L = K + 1 rounded up to a multiple of 8.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_void_p

import torch
from torch import Tensor

from morered.models.geometry import SOFTENING
from morered.models.native import library


class _Struct(ctypes.Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("atom_offsets", "pair_offsets", "pair_atoms", "radial", "slope", "u", "d")),
        *((name, c_int64) for name in ("L", "K1", "F", "origin")),
    ]


class Graph:
    """Pairs of atoms within the cutoff, each once, as the kernels read them.

    Parameters
    ----------
    positions : Tensor
        [A, 3] float32, Å. Where it requires a gradient, messages give it one, see `ops.positions_only`.
    atom_offsets : Tensor
        [B + 1] int64, molecule m owns atoms atom_offsets[m]:atom_offsets[m + 1].
    offsets, widths : Tensor
        [K] of the Gaussians, Å.
    cutoff : float
        Å.
    features : int
        F.

    Attributes
    ----------
    positions : Tensor
        As given.
    n_molecules : int
        B.
    n_pairs : int
        P.
    """

    def __init__(
        self, positions: Tensor, atom_offsets: Tensor, offsets: Tensor, widths: Tensor, cutoff: float, features: int
    ) -> None:
        kernels = library.load()
        self.positions = positions
        self.n_molecules = len(atom_offsets) - 1
        self.radial_basis = len(offsets)
        fixed = positions.detach().contiguous()
        sizes = atom_offsets.diff()
        pair_atoms = torch.empty((int((sizes * (sizes - 1)).sum()) // 2, 2), dtype=torch.int32)
        pair_offsets = torch.empty_like(atom_offsets)
        self.n_pairs = kernels.find_pairs(
            fixed.data_ptr(), atom_offsets.data_ptr(), self.n_molecules, cutoff, pair_atoms.data_ptr(), pair_offsets.data_ptr()
        )
        length = -(-(self.radial_basis + 1) // 8) * 8
        radial = torch.empty(self.n_pairs, length)
        slope = torch.empty(self.n_pairs, length) if positions.requires_grad else None
        u, d = torch.empty(self.n_pairs, 3), torch.empty(self.n_pairs)

        def describe(_: int, start: int, stop: int) -> None:
            kernels.describe_pairs(
                fixed.data_ptr(),
                pair_atoms.data_ptr() + 8 * start,
                stop - start,
                cutoff,
                SOFTENING,
                offsets.data_ptr(),
                widths.data_ptr(),
                self.radial_basis,
                length,
                radial.data_ptr() + 4 * length * start,
                None if slope is None else slope.data_ptr() + 4 * length * start,
                u.data_ptr() + 12 * start,
                d.data_ptr() + 4 * start,
            )

        library.parallel(describe, self.n_pairs, grain=4096)
        self._kept = (atom_offsets, pair_offsets, pair_atoms, radial, slope, u, d)  # what the struct points to
        pointers = [None if tensor is None else tensor.data_ptr() for tensor in self._kept]
        self._struct = _Struct(*pointers, length, self.radial_basis + 1, features, 0)

    @property
    def pointer(self) -> int:
        """Address of the kernels' struct; valid as long as this object."""
        return ctypes.addressof(self._struct)
