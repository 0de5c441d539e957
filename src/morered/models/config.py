"""What a network is made of: the part of a weights file's header that its code is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args

Kind = Literal["morered-jt", "noise", "time", "mlff"]
Representation = Literal["painn", "so3net"]
Engine = Literal["dense", "schnetpack"]
Schedule = Literal["polynomial", "cosine", "linear"]
TimeScale = Literal["linear", "noise-level", "log-snr"]

#: The version written today. Every version ever written stays readable: `ModelConfig.from_dict` upgrades it.
VERSION = 1


@dataclass(frozen=True)
class DiffusionConfig:
    """The noise schedule that a diffusion model was trained with (paper, Appendix C.2), and the a(t) its times are (Eq. 6)."""

    schedule: Schedule = "polynomial"
    T: int = 1000
    s: float = 1e-5
    time_scale: TimeScale = "linear"

    def __post_init__(self) -> None:
        _check_choice("diffusion.schedule", self.schedule, get_args(Schedule))
        _check_choice("diffusion.time_scale", self.time_scale, get_args(TimeScale))
        _check_positive("diffusion.T", self.T)


@dataclass(frozen=True)
class ModelConfig:
    """Architecture of a network; the defaults are the paper's diffusion models (Appendix C).

    Attributes
    ----------
    kind
        "morered-jt" (noise and time heads on one representation), "noise" (DDPM, and the noise half of AS and ITP), "time" (their
        time half) or "mlff" (energy, forces as its gradient).
    representation
        "painn" or "so3net".
    features
        F, features per atom: 256 in the paper, 512 for the large generation models, 128 for MLFF and SO3Net.
    interactions, radial_basis, cutoff
        Interaction blocks, Gaussian radial basis functions K, and the cosine cutoff in Å.
    l_max
        Highest degree of the spherical harmonics; SO3Net only.
    noise_layers, time_layers, energy_layers
        Layers of each head; features halve from layer to layer, so 3 layers have two hidden ones. The large models' noise head
        has 5.
    engine
        "dense" (PaiNN in padded tensors, fast) or "schnetpack" (SchNetPack's own modules); SO3Net has only the latter.
    diffusion
        The schedule; unused by "mlff".

    Raises
    ------
    ValueError
        If a value is not allowed; the message names the key and what is.
    """

    kind: Kind = "morered-jt"
    representation: Representation = "painn"
    features: int = 256
    interactions: int = 3
    radial_basis: int = 20
    cutoff: float = 5.0
    l_max: int = 1
    noise_layers: int = 3
    time_layers: int = 3
    energy_layers: int = 3
    engine: Engine = "dense"
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    version: int = VERSION

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, get_args(Kind))
        _check_choice("representation", self.representation, get_args(Representation))
        _check_choice("engine", self.engine, get_args(Engine))
        for name in ("features", "interactions", "cutoff", "noise_layers", "time_layers", "energy_layers"):
            _check_positive(name, getattr(self, name))
        if self.radial_basis < 2:
            raise ValueError(f"radial_basis must be at least 2 (its spacing is its width), not {self.radial_basis}")
        if self.representation == "so3net" and self.l_max < 1:
            raise ValueError(f"l_max must be at least 1: noise is a vector; not {self.l_max}")
        if self.representation == "so3net" and self.engine == "dense":
            object.__setattr__(self, "engine", "schnetpack")  # the only one it has
        if self.version != VERSION:
            raise ValueError(f"version must be {VERSION}, not {self.version}")

    @property
    def is_diffusion(self) -> bool:
        """Whether the network predicts noise, time or both, rather than an energy."""
        return self.kind != "mlff"

    @property
    def predicts_noise(self) -> bool:
        """Whether there is a noise head."""
        return self.kind in ("morered-jt", "noise")

    @property
    def predicts_time(self) -> bool:
        """Whether there is a time head."""
        return self.kind in ("morered-jt", "time")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` of this or an earlier version wrote.

        Raises
        ------
        ValueError
            If a key is unknown, the version is newer than this code, or a value is not allowed.
        """
        given = dict(values)
        version = given.get("version", VERSION)
        if not isinstance(version, int) or version > VERSION:
            raise ValueError(f"the model config has version {version}; this code reads versions up to {VERSION}: update morered")
        _check_keys("model config", given, cls)
        if "diffusion" in given:
            diffusion = dict(given["diffusion"])
            _check_keys("diffusion", diffusion, DiffusionConfig)
            given["diffusion"] = DiffusionConfig(**diffusion)
        return cls(**given)


def _check_keys(where: str, given: Mapping[str, Any], cls: type) -> None:
    known = [f.name for f in fields(cls)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in {where}; there are: {', '.join(known)}")


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be positive, not {value}")
