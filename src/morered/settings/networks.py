"""What a network is made of, and the noise schedule that it is trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from morered.settings.base import Settings, group, key, short

Kind = Literal["morered-jt", "noise", "time", "mlff"]
Representation = Literal["painn", "so3net"]
Engine = Literal["dense", "schnetpack"]

#: The version written today. Every version ever written stays readable: `ModelConfig.from_dict` upgrades it.
VERSION = 1


@dataclass(frozen=True)
class DiffusionConfig(Settings):
    """The noise schedule that a diffusion model is trained with (paper, Appendix C.2), and the a(t) its times are (Eq. 6)."""

    schedule: Literal["polynomial", "cosine", "linear"] = key("polynomial", "Shape of alpha_bar over time.")
    T: int = key(1000, "Diffusion steps.", ge=2, le=1_000_000)
    s: float = key(1.0e-5, "Precision parameter of the polynomial schedule.", ge=0, lt=0.5)
    time_scale: Literal["linear", "noise-level", "log-snr"] = key(
        "linear",
        "a(t) of Eq. 6, the scale on which times are predicted: t/T, the noise level, or the logarithm of signal over noise.",
    )


@dataclass(frozen=True, kw_only=True)
class Architecture(Settings):
    """The representation of a network; the defaults are the paper's diffusion models (Appendix C).

    The paper has 256 features, 512 in the large generation models, 128 in the MLFF and with SO3Net. SO3Net has SchNetPack's
    modules only, whatever ``engine`` says.
    """

    representation: Representation = key("painn", "Equivariant representation.")
    features: int = key(256, "Features per atom.", ge=1, le=4096)
    interactions: int = key(3, "Interaction blocks.", ge=1, le=64)
    radial_basis: int = key(20, "Gaussian radial basis functions.", ge=2, le=1000)
    cutoff: float = key(5.0, "Cosine cutoff in Å.", gt=0, le=100)
    l_max: int = key(1, "Highest degree of SO3Net's spherical harmonics.", le=6)
    engine: Engine = key("dense", "dense: the package's own padded network, for painn; schnetpack: SchNetPack's modules.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.representation == "so3net":
            if self.l_max < 1:
                raise ValueError(f"l_max: {self.l_max} is impossible: it must be at least 1, because noise is a vector")
            object.__setattr__(self, "engine", "schnetpack")  # the only one it has


@dataclass(frozen=True, kw_only=True)
class NoiseHead(Settings):
    """The head that predicts noise. Features halve from layer to layer, so that 3 layers have two hidden ones."""

    noise_layers: int = key(3, "Layers of the noise head.", ge=1, le=16)


@dataclass(frozen=True, kw_only=True)
class TimeHead(Settings):
    """The head that predicts times."""

    time_layers: int = key(3, "Layers of the time head.", ge=1, le=16)


@dataclass(frozen=True, kw_only=True)
class EnergyHead(Settings):
    """The head that predicts energies."""

    energy_layers: int = key(3, "Layers of the energy head.", ge=1, le=16)


@dataclass(frozen=True, kw_only=True)
class Diffused(Settings):
    """What every diffusion model has."""

    diffusion: DiffusionConfig = group(DiffusionConfig, "The forward process and the scale of the times.")
    charges: int = key(
        0,
        "Ions up to this total charge, positive or negative, are told from neutral molecules; 0: the network knows no charge.",
        ge=0,
        le=9,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.charges and getattr(self, "engine", "dense") != "dense":
            raise ValueError(f"charges: {self.charges} is impossible: only PaiNN with the engine 'dense' is told of charges")


@dataclass(frozen=True)
class ModelConfig(Diffused, EnergyHead, TimeHead, NoiseHead, Architecture):
    """Architecture of a network: the part of a weights file's header that it is built from.

    What its kind does not have (heads, the schedule of "mlff") is stored and not used.
    """

    kind: Kind = key(
        "morered-jt",
        "morered-jt: noise and time heads on one representation; noise (DDPM) and time: the two networks of MoreRed-AS and "
        "-ITP; mlff: energy, and forces as its gradient.",
    )
    version: int = key(VERSION, "Version of the config.", ge=VERSION, le=VERSION)

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

    @classmethod
    def of_header(cls, values: object) -> Self:
        """Read what `to_dict` of this or an earlier version wrote into a weights file.

        A file is read whenever a molecule is relaxed, so this does without pydantic, which takes a quarter of a second to import.

        Raises
        ------
        ValueError
            If a key is unknown, the version is newer than this code, or a value is not allowed.
        """
        given = _known(cls, values, "the model config")
        version = given.get("version", VERSION)
        if not isinstance(version, int) or version > VERSION:
            raise ValueError(f"the model config has version {version}; this code reads versions up to {VERSION}: update morered")
        if "diffusion" in given:
            try:
                given["diffusion"] = DiffusionConfig(**_known(DiffusionConfig, given["diffusion"], "diffusion"))
            except ValueError as error:
                raise ValueError(f"diffusion.{error}" if not str(error).startswith("diffusion") else str(error)) from None
        return cls(**given)


def _known(cls: type[Settings], values: object, where: str) -> dict[str, Any]:
    """Values by the names of fields of a class; others are refused."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} must be a mapping, not {short(values)}")
    known = [f.name for f in fields(cls)]
    if unknown := sorted(set(map(str, values)) - set(known)):
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; there are: {', '.join(known)}")
    return dict(values)
