"""Noise that moves atoms as molecules do: the covariance of elastic forces, an alternative to isotropic noise.

Isotropic noise breaks bonds long before it turns a methyl group; thermal displacements do the opposite. Training inputs that
are displaced along soft modes teach a model to relax such structures, and nothing but minima is needed for it.

What holds a minimum together is either a valence force field (`morered.diffusion.valence`: much nearer to thermal displacements)
or a network of springs, with constants k_ij by the number of bonds between two atoms (1, 2, 3, more). With u_ij the unit vector
from atom i to atom j, the springs' Hessian has the 3 x 3 blocks

    H_ij = -k_ij u_ij u_ij^T  for i != j,        H_ii = sum_j k_ij u_ij u_ij^T.

A diagonal F is added so that the softest modes stay finite: ``floor`` for springs, `valence.floor` for the force field.
Translations and rotations are taken out exactly (they are built from the coordinates, so a linear molecule loses five modes and
a planar one keeps its bending out of the plane). The modes v_k of what is left of H + F, with eigenvalues w_k, make the
covariance

    C = c sum_k v_k v_k^T / w_k,        c such that trace C = 3 n for n atoms: unit variance per coordinate in the mean.

The noise is

    e = sqrt(1 - l) z_1 + sqrt(l) C^(1/2) z_2,        z_1, z_2 ~ N(0, I),

that is e ~ N(0, (1 - l) I + l C), then centred. Each draw has l = 0 but for a part ``share`` of them. There l is uniform in
[0, 1] where ``decades`` is 0, else 1 - l is log-uniform over so many decades below 1: thermal displacements have so little
isotropic noise on the bonds that l close to 1 alone resembles them. C^(1/2) is the symmetric root: it turns with the molecule,
and does not depend on the signs or the order of the eigenvectors.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morered.chemistry import BOND_SCALE, covalent_radii
from morered.diffusion import valence
from morered.diffusion.random_numbers import centre, stream, uniform
from morered.settings.noise import ElasticNoise

Numbers = NDArray[np.integer]
Floats = NDArray[np.float64]

_LEFT_OUT = -1.0  # eigenvalue of what does not move: all others are above 0
_CHUNK = 256  # molecules decomposed at once: 256 of 24 atoms take 10 MB


class ElasticNetwork:
    """Elastic noise with these settings."""

    def __init__(self, settings: ElasticNoise | None = None) -> None:
        self.settings = settings or ElasticNoise()

    def hessian(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """The Hessian H, float64 [B, 3N, 3N], 0 on padding; numbers [B, N], positions [B, N, 3] in Å, mask [B, N]."""
        if self.settings.forces == "valence":
            return _of_each(numbers, positions, mask, valence.hessian)
        return self._springs(numbers, positions, mask)

    def factor(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """The symmetric root C^(1/2), float32 [B, 3N, 3N], 0 on padding and for molecules that have no internal mode.

        Parameters as for `hessian`; coordinates in the order x, y, z of atom 1, x, y, z of atom 2 and so on.
        """
        chunks = (numbers.split(_CHUNK), positions.split(_CHUNK), mask.split(_CHUNK))
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # a decomposition uses one core alone
            parts = list(pool.map(self._factor, *chunks))
        n = 3 * mask.shape[1]
        return torch.cat(parts) if parts else torch.empty((0, n, n), dtype=torch.float32, device=mask.device)

    def mixture(
        self,
        seed: int,
        keys: Tensor,
        count: Tensor | int,
        share: Tensor | None = None,
        decades: Tensor | None = None,
    ) -> Tensor:
        """The elastic part l of each draw, [B]; keys [B] and ``count`` as for `random_numbers.normal`.

        ``share`` and ``decades`` [B] stand in for the settings' where they are given.
        """
        chance = uniform(stream(seed, "mixture"), keys, count, 1)[:, 0]
        if decades is None:
            part = 1 - 10 ** (-self.settings.decades * chance[:, 1]) if self.settings.decades else chance[:, 1]
        else:
            part = torch.where(decades > 0, 1 - 10 ** (-decades * chance[:, 1]), chance[:, 1])
        return torch.where(chance[:, 0] < (self.settings.share if share is None else share), part, 0.0)

    def _springs(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        positions = positions.to(torch.float64)
        b, n = mask.shape
        difference = positions.unsqueeze(1) - positions.unsqueeze(2)
        same = torch.eye(n, dtype=torch.bool, device=mask.device)
        pairs = mask.unsqueeze(1) & mask.unsqueeze(2) & ~same
        distance = difference.norm(dim=-1)
        radii = torch.as_tensor(covalent_radii, device=mask.device)[numbers]
        bonded = pairs & (distance < BOND_SCALE * (radii.unsqueeze(1) + radii.unsqueeze(2)))
        constants = self._constants(bonded) * pairs
        unit = difference / distance.masked_fill(~pairs, 1).clamp(min=1e-6).unsqueeze(-1)
        blocks = -constants[..., None, None] * unit.unsqueeze(-1) * unit.unsqueeze(-2)  # [B, N, N, 3, 3]
        diagonal = torch.arange(n, device=mask.device)
        blocks[:, diagonal, diagonal] = -blocks.sum(2)
        return blocks.permute(0, 1, 3, 2, 4).reshape(b, 3 * n, 3 * n)

    def _floor(self, numbers: Tensor, real: Tensor) -> Tensor:
        """The diagonal F, [B, 3N], 0 on padding."""
        if self.settings.forces == "springs":
            return self.settings.floor * real
        return torch.from_numpy(valence.floor(numbers.cpu().numpy())).to(real.device) * real

    def _constants(self, bonded: Tensor) -> Tensor:
        """Spring constants [B, N, N] from the bonds [B, N, N]."""
        constants = torch.full(bonded.shape, self.settings.springs[3], dtype=torch.float64, device=bonded.device)
        bond = bonded.to(torch.float64)
        reached = bond
        paths = [bond]
        for _ in range(2):
            reached = ((reached @ bond) > 0).to(torch.float64)
            paths.append(reached)
        for constant, path in reversed(list(zip(self.settings.springs[:3], paths, strict=True))):  # the shortest path wins
            constants = torch.where(path > 0, constant, constants)
        return constants

    def _factor(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        matrix = self.hessian(numbers, positions, mask)
        real = mask.repeat_interleave(3, 1)
        matrix.diagonal(dim1=1, dim2=2).add_(self._floor(numbers, real))
        rigid = _rigid_basis(positions.to(torch.float64), mask)
        inside = torch.diag_embed(real.to(torch.float64)) - rigid @ rigid.mT
        matrix = inside @ matrix @ inside + _LEFT_OUT * (rigid @ rigid.mT)
        matrix.diagonal(dim1=1, dim2=2).masked_fill_(~real, _LEFT_OUT)
        eigenvalues, modes = torch.linalg.eigh(matrix)
        variance = torch.where(eigenvalues > 0, 1 / eigenvalues, 0.0)
        scale = real.sum(1) / variance.sum(1).clamp(min=1e-12)
        root = (modes * (variance * scale.unsqueeze(1)).sqrt().unsqueeze(1)) @ modes.mT
        return root.to(torch.float32)


def _of_each(numbers: Tensor, positions: Tensor, mask: Tensor, hessian: Callable[[Numbers, Floats], Floats]) -> Tensor:
    """Hessians of single molecules in a padded tensor, float64 [B, 3N, 3N]."""
    b, n = mask.shape
    padded = torch.zeros((b, 3 * n, 3 * n), dtype=torch.float64)
    arrays = (numbers.cpu().numpy(), positions.cpu().double().numpy(), mask.cpu().numpy())
    for m, (z, x, real) in enumerate(zip(*arrays, strict=True)):
        rows = np.flatnonzero(np.repeat(real, 3))
        padded[m, rows[:, None], rows] = torch.from_numpy(hessian(z[real], x[real]))
    return padded.to(mask.device)


def mix(isotropic: Tensor, elastic: Tensor, mixture: Tensor, mask: Tensor, factor: Tensor) -> Tensor:
    """The centred noise sqrt(1 - l) z_1 + sqrt(l) C^(1/2) z_2, float64 [B, N, 3].

    Parameters
    ----------
    isotropic, elastic
        The standard normal z_1 (float64) and z_2 (the factor's type), [B, N, 3].
    mixture
        l, [B].
    mask, factor
        [B, N] and [B, 3N, 3N].
    """
    shaped = (factor @ elastic.flatten(1).unsqueeze(-1)).reshape(elastic.shape).to(torch.float64)
    mixture = mixture.reshape(-1, 1, 1)
    return centre((1 - mixture).sqrt() * isotropic + mixture.sqrt() * shaped, mask)


def _rigid_basis(positions: Tensor, mask: Tensor) -> Tensor:
    """Orthonormal translations and rotations, [B, 3N, 6]; columns that do not exist (linear molecules) are 0."""
    b, n = mask.shape
    centred = centre(positions, mask)
    atoms = mask.to(positions.dtype)
    axes = torch.eye(3, dtype=positions.dtype, device=positions.device)
    shifts = atoms[..., None, None] * axes  # [B, N, 3, 3]: last the axis
    turns = torch.linalg.cross(axes.T.expand(b, n, 3, 3), centred.unsqueeze(2).expand(b, n, 3, 3)).mT
    basis = torch.cat([shifts, turns], -1).reshape(b, 3 * n, 6)
    left, size, _ = torch.linalg.svd(basis, full_matrices=False)
    # for a linear molecule one rotation moves nothing: its singular value is rounding, others are at least a bond length (Å)
    return left * (size > 1e-3).unsqueeze(1)
