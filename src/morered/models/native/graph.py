"""Pairs of a flat batch.

Shapes: B molecules, A atoms (flat), P pairs, K radial functions.
"""

from __future__ import annotations

from torch import Tensor

from morered.models.geometry import SOFTENING
from morered.models.native import library
from morered.models.native.library import arrays

#: Pairs below which a second thread costs more than it saves.
_PAIRS = 4096


class Graph:
    """Pairs of atoms within the cutoff, each once, with the kernels' messages along them.

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
    native : binding.Graph
        What the kernels made of it.
    """

    def __init__(
        self, positions: Tensor, atom_offsets: Tensor, offsets: Tensor, widths: Tensor, cutoff: float, features: int
    ) -> None:
        self.positions = positions
        self.radial_basis = len(offsets)
        self.native = library.binding().Graph(
            library.load(),
            *arrays(positions.contiguous(), atom_offsets, offsets, widths),
            cutoff,
            SOFTENING,
            features,
            positions.requires_grad,
        )
        self.n_molecules: int = self.native.n_molecules
        self.n_pairs: int = self.native.n_pairs
        library.parallel(lambda _, start, stop: self.native.describe(start, stop), self.n_pairs, _PAIRS)
