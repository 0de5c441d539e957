"""Which noise the training inputs get: isotropic as in the paper, or mixed with elastic noise (`morered.diffusion.elastic`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from morered.settings.base import Settings, key, several

_FIXED_NORM = (
    "Scale each draw to its expected norm, so that a step, and the time predicted for it, says how far atoms were moved."
)


@dataclass(frozen=True)
class IsotropicNoise(Settings):
    """The same for every coordinate (Eq. 2)."""

    KINDS: ClassVar[tuple[str, ...]] = ("isotropic",)
    kind: Literal["isotropic"] = key(
        "isotropic", "isotropic as in the paper; elastic: mixed with noise that moves atoms as molecules do."
    )
    fixed_norm: bool = key(False, _FIXED_NORM)


@dataclass(frozen=True)
class ElasticNoise(Settings):
    """Mixed with noise whose covariance is that of elastic forces at the minimum."""

    KINDS: ClassVar[tuple[str, ...]] = ("elastic",)
    kind: Literal["elastic"] = key(
        "elastic", "isotropic as in the paper; elastic: mixed with noise that moves atoms as molecules do."
    )
    fixed_norm: bool = key(False, _FIXED_NORM)
    share: float = key(0.6, "Part of the draws that are mixed with elastic noise; the others are isotropic.", ge=0, le=1)
    forces: Literal["springs", "valence"] = key(
        "springs",
        "What holds the minima together. valence: a force field of bonds, angles, torsions and planes; springs: a network of "
        "springs. Soft modes move most.",
    )
    springs: tuple[float, ...] = several(
        (1.0, 0.3, 0.01, 0.001), "Spring constants for atoms one, two, three and more bonds apart.", least=4, most=4
    )
    floor: float = key(0.003, "Added to the eigenvalues of the springs, so that the softest modes stay finite.", gt=0)
    decades: float = key(
        0.0,
        "How the elastic part l of a draw is drawn: uniform (0), or 1 - l log-uniform over so many decades, closer to thermal "
        "displacements.",
        ge=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.springs) < 0:
            raise ValueError(f"springs: {list(self.springs)} are impossible: they must be at least 0")
        default = {"springs": (1.0, 0.3, 0.01, 0.001), "floor": 0.003}
        if self.forces == "valence" and any(getattr(self, name) != value for name, value in default.items()):
            raise ValueError("forces: springs and floor belong to the forces 'springs', and these are 'valence'")

    def stated(self) -> dict[str, Any]:
        """As for all settings; the kind is stated, because noise is isotropic by default."""
        return {"kind": self.kind, **super().stated()}


Noise = IsotropicNoise | ElasticNoise


def used(noise: Noise) -> dict[str, Any]:
    """The settings in use, as plain values: what a training is, and what its weights say of it."""
    values = noise.to_dict()
    unused = {"fixed_norm"} if not noise.fixed_norm else set()
    if isinstance(noise, ElasticNoise):
        unused |= {"springs", "floor"} if noise.forces == "valence" else {"forces"}
    return {name: value for name, value in values.items() if name not in unused}
