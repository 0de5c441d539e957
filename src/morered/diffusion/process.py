"""Which noise the training inputs get: isotropic as in the paper, or mixed with elastic noise.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from morered.diffusion.elastic import ElasticNetwork, mix
from morered.diffusion.random_numbers import centre, normal, stream
from morered.settings.noise import ElasticNoise, IsotropicNoise, Noise


class Deviates(NamedTuple):
    """What is random in the noise of a batch.

    Attributes
    ----------
    isotropic
        Standard normal, float64 [B, N, 3].
    elastic, mixture
        Standard normal, float32 [B, N, 3], and the elastic part [B] of each draw; None where the noise is isotropic.
    """

    isotropic: Tensor
    elastic: Tensor | None = None
    mixture: Tensor | None = None

    def part(self, rows: slice, n_atoms: int) -> Deviates:
        """Those of some molecules, for the first ``n_atoms`` atoms."""
        elastic = None if self.elastic is None else self.elastic[rows, :n_atoms]
        return Deviates(self.isotropic[rows, :n_atoms], elastic, None if self.mixture is None else self.mixture[rows])


class NoiseProcess:
    """Noise with these settings: isotropic (Eq. 2), or mixed with that of an `ElasticNetwork`.

    Where the norm is fixed, each draw is scaled to the norm that is expected. A step then says exactly how far the atoms were
    moved (RMSD), and so does a predicted time. The norm of a draw along a few soft modes scatters otherwise as much as the steps
    do.
    """

    def __init__(self, settings: Noise | None = None) -> None:
        self.settings = settings or IsotropicNoise()
        self.elastic = ElasticNetwork(self.settings) if isinstance(self.settings, ElasticNoise) else None

    def factor(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor | None:
        """What a draw needs to know of the minima: `ElasticNetwork.factor` [B, 3N, 3N], or None where the noise is isotropic."""
        return None if self.elastic is None else self.elastic.factor(numbers, positions, mask)

    def draw(self, seed: int, keys: Tensor, count: Tensor | int, mask: Tensor, factor: Tensor | None = None) -> Tensor:
        """Centred noise, float64 [B, N, 3], 0 on padding; keys [B] and ``count`` as for `random_numbers.normal`."""
        return self.shape(self.deviates(seed, keys, count, mask.shape[1]), mask, factor)

    def deviates(
        self,
        seed: int,
        keys: Tensor,
        count: Tensor | int,
        n_atoms: int,
        share: Tensor | None = None,
        decades: Tensor | None = None,
    ) -> Deviates:
        """What is random in the noise of molecules of up to ``n_atoms``: more atoms change nothing for the first ones.

        ``share`` and ``decades`` as for `ElasticNetwork.mixture`.
        """
        isotropic = normal(stream(seed, "isotropic"), keys, count, n_atoms)
        if self.elastic is None:
            return Deviates(isotropic)
        elastic = normal(stream(seed, "elastic"), keys, count, n_atoms, dtype=torch.float32)
        return Deviates(isotropic, elastic, self.elastic.mixture(seed, keys, count, share, decades))

    def shape(self, deviates: Deviates, mask: Tensor, factor: Tensor | None = None) -> Tensor:
        """The noise of `draw` from what is random in it; ``factor`` is needed where the noise is elastic."""
        if deviates.elastic is None:
            noise = centre(deviates.isotropic, mask)
        else:
            assert deviates.mixture is not None
            assert factor is not None
            noise = mix(deviates.isotropic, deviates.elastic, deviates.mixture, mask, factor)
        return _to_expected_norm(noise, mask, deviates.mixture) if self.settings.fixed_norm else noise


def _to_expected_norm(noise: Tensor, mask: Tensor, mixture: Tensor | None) -> Tensor:
    """Draws [B, N, 3] scaled to |e|^2 = 3 (n - 1) + 3 l: centring takes three degrees of freedom from the isotropic part only."""
    expected = 3 * (mask.sum(1) - 1).clamp(min=0) + (0 if mixture is None else 3 * mixture)
    square = noise.square().sum((1, 2)).clamp(min=1e-12)
    return noise * (expected / square).sqrt().reshape(-1, 1, 1)
