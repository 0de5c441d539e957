"""Which noise the training inputs get: isotropic as in the paper, or mixed with elastic noise.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple, Self, get_args

import torch
from torch import Tensor

from morered.diffusion.elastic import ElasticNetwork, mix
from morered.diffusion.noise import centre, normal, stream

Kind = Literal["isotropic", "elastic"]


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


@dataclass(frozen=True)
class NoiseProcess:
    """A kind of noise and its settings.

    Attributes
    ----------
    kind
        isotropic (Eq. 2) or elastic, see `ElasticNetwork`.
    elastic
        Settings of the latter.
    fixed_norm
        Scale each draw to the norm that is expected. A step then says exactly how far the atoms were moved (RMSD), and so does a
        predicted time. The norm of a draw along a few soft modes scatters otherwise as much as the steps do.
    """

    kind: Kind = "isotropic"
    elastic: ElasticNetwork = field(default_factory=ElasticNetwork)
    fixed_norm: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown noise process {self.kind!r}; there are {', '.join(get_args(Kind))}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read ``{kind, fixed_norm}`` and the settings of `ElasticNetwork`.

        Raises
        ------
        ValueError
            For unknown keys, impossible values, or settings of elastic noise beside isotropic noise.
        """
        settings = dict(values)
        kind, fixed_norm = settings.pop("kind", "isotropic"), settings.pop("fixed_norm", False)
        known = [f.name for f in fields(ElasticNetwork)]
        if unknown := sorted(set(settings) - set(known)):
            raise ValueError(f"unknown key {unknown[0]!r} in the noise process; there are: kind, fixed_norm, {', '.join(known)}")
        if not isinstance(fixed_norm, bool):
            raise ValueError(f"fixed_norm must be true or false, not {fixed_norm!r}")
        if settings and kind != "elastic":
            raise ValueError(f"{', '.join(settings)} belong to elastic noise, and the kind is {kind!r}")
        return cls(kind, ElasticNetwork(**settings), fixed_norm)

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        norm = {"fixed_norm": True} if self.fixed_norm else {}
        return {"kind": self.kind, **norm, **(self.elastic.to_dict() if self.kind == "elastic" else {})}

    def factor(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor | None:
        """What a draw needs to know of the minima: `ElasticNetwork.factor` [B, 3N, 3N], or None where the noise is isotropic."""
        return self.elastic.factor(numbers, positions, mask) if self.kind == "elastic" else None

    def draw(self, seed: int, keys: Tensor, count: Tensor | int, mask: Tensor, factor: Tensor | None = None) -> Tensor:
        """Centred noise, float64 [B, N, 3], 0 on padding; keys [B] and ``count`` as for `noise.normal`."""
        return self.shape(self.deviates(seed, keys, count, mask.shape[1]), mask, factor)

    def deviates(self, seed: int, keys: Tensor, count: Tensor | int, n_atoms: int) -> Deviates:
        """What is random in the noise of molecules of up to ``n_atoms``: more atoms change nothing for the first ones."""
        isotropic = normal(stream(seed, "isotropic"), keys, count, n_atoms)
        if self.kind == "isotropic":
            return Deviates(isotropic)
        elastic = normal(stream(seed, "elastic"), keys, count, n_atoms, dtype=torch.float32)
        return Deviates(isotropic, elastic, self.elastic.mixture(seed, keys, count))

    def shape(self, deviates: Deviates, mask: Tensor, factor: Tensor | None = None) -> Tensor:
        """The noise of `draw` from what is random in it; ``factor`` is needed where the noise is elastic."""
        if deviates.elastic is None:
            noise = centre(deviates.isotropic, mask)
        else:
            assert deviates.mixture is not None
            assert factor is not None
            noise = mix(deviates.isotropic, deviates.elastic, deviates.mixture, mask, factor)
        return _to_expected_norm(noise, mask, deviates.mixture) if self.fixed_norm else noise


def _to_expected_norm(noise: Tensor, mask: Tensor, mixture: Tensor | None) -> Tensor:
    """Draws [B, N, 3] scaled to |e|^2 = 3 (n - 1) + 3 l: centring takes three degrees of freedom from the isotropic part only."""
    expected = 3 * (mask.sum(1) - 1).clamp(min=0) + (0 if mixture is None else 3 * mixture)
    square = noise.square().sum((1, 2)).clamp(min=1e-12)
    return noise * (expected / square).sqrt().reshape(-1, 1, 1)
