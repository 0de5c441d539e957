"""SchNetPack's own PaiNN and SO3net behind the padded interface of the dense engine.

Shapes: B batch, N padded atoms, A atoms (flat), E edges, F features.
"""

from __future__ import annotations

import schnetpack.properties as keys
import torch
from schnetpack import representation
from schnetpack.nn import CosineCutoff, GaussianRBF
from torch import Tensor

from morered.models.geometry import SOFTENING


class SchNetPackPaiNN(representation.PaiNN):
    """SchNetPack's PaiNN on padded batches. Its state dict is that of the dense engine's `PaiNN`."""

    def __init__(self, features: int, interactions: int = 3, radial_basis: int = 20, cutoff: float = 5.0) -> None:
        super().__init__(features, interactions, GaussianRBF(n_rbf=radial_basis, cutoff=cutoff), CosineCutoff(cutoff))
        self.cutoff = cutoff  # SchNetPack has a second reference to the buffer there, which would stay behind on another device

    def forward(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars [B, N, F], vectors [B, N, 3, F], 0 on padding, from numbers [B, N], positions [B, N, 3] in Å, mask [B, N]."""
        outputs = super().forward(edges(numbers, positions, mask, self.cutoff))
        return spread(outputs["scalar_representation"], mask), spread(outputs["vector_representation"], mask)


class SchNetPackSO3net(representation.SO3net):
    """SchNetPack's SO3net on padded batches (paper, Appendix B.4); its vectors are the features of degree 1."""

    def __init__(self, features: int, interactions: int = 3, radial_basis: int = 20, cutoff: float = 5.0, l_max: int = 1) -> None:
        super().__init__(
            features,
            interactions,
            l_max,
            GaussianRBF(n_rbf=radial_basis, cutoff=cutoff),
            CosineCutoff(cutoff),
            return_vector_representation=True,
        )
        self.cutoff = cutoff

    def forward(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars [B, N, F], vectors [B, N, 3, F], 0 on padding, from numbers [B, N], positions [B, N, 3] in Å, mask [B, N]."""
        outputs = super().forward(edges(numbers, positions, mask, self.cutoff))
        return spread(outputs["scalar_representation"], mask), spread(outputs["vector_representation"], mask)


def edges(numbers: Tensor, positions: Tensor, mask: Tensor, cutoff: float) -> dict[str, Tensor]:
    """SchNetPack's inputs: flat atomic numbers [A], and the pairs of a molecule's atoms closer than the cutoff.

    The authors make every pair an edge; those beyond the cutoff carry nothing, so leaving them out changes only the time.
    """
    n_padded = mask.shape[1]
    atoms = mask.flatten().nonzero().squeeze(1)
    place = torch.empty(mask.numel(), dtype=torch.int64, device=mask.device)
    place[atoms] = torch.arange(len(atoms), device=mask.device)
    positions = positions.masked_fill(~mask[..., None], 0.0)
    with torch.no_grad():
        distances = (positions[:, None] - positions[:, :, None]).square().sum(dim=-1)
        other = ~torch.eye(n_padded, dtype=torch.bool, device=mask.device)
        molecule, i, j = (mask[:, :, None] & mask[:, None] & other & ~(distances >= cutoff**2)).nonzero(as_tuple=True)
    return {
        keys.Z: numbers.flatten()[atoms],
        keys.Rij: _apart(positions[molecule, j] - positions[molecule, i]),
        keys.idx_i: place[molecule * n_padded + i],
        keys.idx_j: place[molecule * n_padded + j],
    }


def spread(values: Tensor, mask: Tensor) -> Tensor:
    """Rows of atoms [A, ...] put into their padded places [B, N, ...]."""
    padded = values.new_zeros((mask.numel(), *values.shape[1:]))
    return padded.index_copy(0, mask.flatten().nonzero().squeeze(1), values).unflatten(0, mask.shape)


def _apart(vectors: Tensor) -> Tensor:
    """Edge vectors [E, 3], those of coinciding atoms moved off zero: SchNetPack divides by their lengths."""
    coincide = (vectors.abs().amax(dim=-1, keepdim=True) < SOFTENING).to(vectors.dtype)
    return vectors + coincide * SOFTENING
