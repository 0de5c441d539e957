"""Which noise the training inputs get: isotropic as in the paper, or mixed with elastic-network noise.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
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
    """

    kind: Kind = "isotropic"
    elastic: ElasticNetwork = field(default_factory=ElasticNetwork)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown noise process {self.kind!r}; there are {', '.join(get_args(Kind))}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read ``{kind, share, springs, floor}``.

        Raises
        ------
        ValueError
            For unknown keys, impossible values, or settings of elastic noise beside isotropic noise.
        """
        settings = dict(values)
        kind = settings.pop("kind", "isotropic")
        known = [f.name for f in fields(ElasticNetwork)]
        if unknown := sorted(set(settings) - set(known)):
            raise ValueError(f"unknown key {unknown[0]!r} in the noise process; there are: kind, {', '.join(known)}")
        if settings and kind != "elastic":
            raise ValueError(f"{', '.join(settings)} belong to elastic noise, and the kind is {kind!r}")
        return cls(kind, ElasticNetwork(**settings))

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        settings = asdict(self.elastic) if self.kind == "elastic" else {}
        return {"kind": self.kind, **({**settings, "springs": list(settings["springs"])} if settings else {})}

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
            return centre(deviates.isotropic, mask)
        assert deviates.mixture is not None
        assert factor is not None
        return mix(deviates.isotropic, deviates.elastic, deviates.mixture, mask, factor)
