"""How a padded batch is laid out for computing: as it is, or flat without padding.

Shapes: B batch, N padded atoms, A atoms (flat); `...` is [B, N] or [A].
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from morered.models import torch_ops
from morered.models.geometry import pair_geometry
from morered.models.native import ops as native_ops
from morered.models.native.graph import Graph
from morered.models.painn import PaiNN
from morered.models.torch_ops import Ops


class Layout(Protocol):
    """A batch ready for the steps ``ops``.

    Attributes
    ----------
    numbers : Tensor
        [...] int64.
    pairs
        What ``ops.message`` takes.
    """

    ops: Ops
    numbers: Tensor
    pairs: Any

    def per_atom(self, values: Tensor, /) -> Tensor:
        """[B] of molecules -> [...] of their atoms."""
        ...

    def spread(self, rows: Tensor, /) -> Tensor:
        """[..., X] -> [B, N, X], 0 on padding."""
        ...


class Padded:
    """[B, N] as given, for `torch_ops` or `gpu.ops`; ``representation`` gives the pairs' radial functions, None gives none."""

    def __init__(
        self, numbers: Tensor, positions: Tensor, mask: Tensor, representation: PaiNN | None, ops: Ops = torch_ops
    ) -> None:
        self.ops = ops
        self.numbers = numbers
        self.mask = mask
        self.pairs: Any = None
        if representation is not None:
            basis = representation.radial_basis
            self.pairs = pair_geometry(positions, mask, basis.offsets, basis.widths, representation.cutoff)

    def per_atom(self, values: Tensor) -> Tensor:
        """[B] of molecules -> [B, N] of their atoms."""
        return values[:, None].expand(self.mask.shape)

    def spread(self, rows: Tensor) -> Tensor:
        """[B, N, ...], 0 on padding."""
        return rows.masked_fill(~self.mask.reshape(*self.mask.shape, *[1] * (rows.ndim - 2)), 0.0)


class Flat:
    """[A] without padding, for `native.ops`."""

    ops: Ops = native_ops

    def __init__(self, numbers: Tensor, positions: Tensor, mask: Tensor, representation: PaiNN) -> None:
        self.mask = mask
        sizes = mask.sum(dim=1)
        self.atoms = mask.flatten().nonzero().squeeze(1)
        self.molecules = torch.repeat_interleave(sizes, output_size=len(self.atoms))
        self.numbers = numbers.flatten()[self.atoms]
        basis = representation.radial_basis
        self.pairs = Graph(
            positions.flatten(0, 1)[self.atoms],
            torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]),
            basis.offsets,
            basis.widths,
            representation.cutoff,
            representation.features,
        )

    def per_atom(self, values: Tensor) -> Tensor:
        """[B] of molecules -> [A] of their atoms."""
        return values[self.molecules]

    def spread(self, rows: Tensor) -> Tensor:
        """[A, ...] -> [B, N, ...], 0 on padding."""
        padded = rows.new_zeros(self.mask.numel(), *rows.shape[1:])
        return padded.index_copy(0, self.atoms, rows).unflatten(0, self.mask.shape)

    @staticmethod
    def fits(representation: PaiNN) -> bool:
        """Whether the kernels take a network's numbers: float32 on a CPU, features in blocks of 16."""
        weight = representation.embedding.weight
        single = weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        sizes = representation.features % 16 == 0 and len(representation.radial_basis.offsets) < 64
        return weight.device.type == "cpu" and single and sizes
