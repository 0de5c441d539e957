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

#: Largest value of each size: far above what anyone trains, far below what fills a memory.
_MOST = {
    "features": 4096,
    "interactions": 64,
    "radial_basis": 1000,
    "cutoff": 100.0,
    "noise_layers": 16,
    "time_layers": 16,
    "energy_layers": 16,
}
_MOST_DEGREE = 6

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
        _check_number("diffusion.T", self.T, 1_000_000, whole=True)
        if not (_is_number(self.s) and 0 <= self.s < 0.5):
            raise ValueError(f"diffusion.s must be a number from 0 to below 0.5, not {_short(self.s)}")


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
        for name, most in _MOST.items():
            _check_number(name, getattr(self, name), most, whole=name != "cutoff")
        if not isinstance(self.diffusion, DiffusionConfig):
            raise ValueError(f"diffusion must be a mapping of schedule, T, s and time_scale, not {_short(self.diffusion)}")
        if self.radial_basis < 2:
            raise ValueError(f"radial_basis must be at least 2 (its spacing is its width), not {self.radial_basis}")
        if not isinstance(self.l_max, int) or self.l_max > _MOST_DEGREE:
            raise ValueError(f"l_max must be a whole number of at most {_MOST_DEGREE}, not {_short(self.l_max)}")
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
        if not isinstance(values, Mapping):
            raise ValueError(f"the model config must be a mapping, not {_short(values)}")
        given = dict(values)
        version = given.get("version", VERSION)
        if not isinstance(version, int) or version > VERSION:
            raise ValueError(f"the model config has version {version}; this code reads versions up to {VERSION}: update morered")
        _check_keys("model config", given, cls)
        if "diffusion" in given:
            diffusion = given["diffusion"]
            if not isinstance(diffusion, Mapping):
                raise ValueError(f"diffusion must be a mapping, not {_short(diffusion)}")
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
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {_short(value)}")


def _check_number(name: str, value: object, most: float, *, whole: bool) -> None:
    """Refuse what is no number above 0, or above ``most``."""
    if not _is_number(value) or (whole and not isinstance(value, int)):
        raise ValueError(f"{name} must be a {'whole ' * whole}number, not {_short(value)}")
    if not value > 0:  # type: ignore[operator]
        raise ValueError(f"{name} must be positive, not {value}")
    if not value <= most:  # type: ignore[operator]
        raise ValueError(f"{name} must be at most {most:g}, not {value}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
