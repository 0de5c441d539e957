"""How a network is trained. The defaults are the paper's (Appendix C.2) and those of the authors' published code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args

from morered.diffusion.process import NoiseProcess
from morered.models.config import Kind

Schedule = Literal["plateau", "cosine", "constant"]
Precision = Literal["float32", "tf32", "bf16"]
Compile = Literal["auto", "always", "never"]
Device = Literal["auto", "cpu", "gpu"]

#: Where the force field differs from the diffusion models (Appendix C.2); gradients are clipped for diffusion only.
_MLFF: dict[str, Any] = {
    "batch_size": 10,
    "learning_rate": 1e-3,
    "clip": None,
    "early_stopping": 30,
    "skip_factor": 1000.0,
}
_MLFF_PATIENCE = 15


@dataclass(frozen=True)
class Plateau:
    """When the learning rate falls.

    Attributes
    ----------
    factor
        It is multiplied by this
    patience
        after so many validations without a lower loss
    cooldown
        and then not again for so many.
    threshold
        Relative improvement that counts.
    """

    factor: float = 0.5
    patience: int = 150
    cooldown: int = 10
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1:
            raise ValueError(f"plateau.factor must lie between 0 and 1, not {self.factor}")
        for name in ("patience", "cooldown", "threshold"):
            if getattr(self, name) < 0:
                raise ValueError(f"plateau.{name} must not be negative, not {getattr(self, name)}")


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run.

    Attributes
    ----------
    batch_size
        Molecules in a batch, on all devices together.
    learning_rate, weight_decay
        Of AdamW.
    schedule, warmup_steps
        plateau: `Plateau`; cosine: to 0 at the end of the run, which needs a limit; constant. The rate rises linearly over the
        first steps.
    ema_decay, ema_warmup
        The weights that are validated, kept and used are an exponential moving average. With warm-up the decay at step n is at
        most (1 + n) / (10 + n), so that the average of a short run does not lag behind.
    clip
        Largest norm of the gradient; None leaves it.
    skip_factor
        A batch whose loss exceeds so many times the running mean is skipped and counted, like one with a non-finite loss or
        gradient.
    early_stopping
        Stop after so many validations without a lower loss; None never.
    max_epochs, max_steps, max_time
        Limits in passes over the data, batches, seconds of training (interruptions not counted); None is no limit.
    validate_every
        Batches between validations; None: one epoch.
    seed
        Of weights, order, steps and noise.
    init
        A weights file, or the name of shipped weights, to start from.
    eta
        Weight of the noise loss in the joint loss (section 2.4).
    noise
        Noise of the training and validation inputs.
    step_power
        Training steps are T u^step_power with u uniform: 1 as in Algorithm 1; 2 draws half of them below T/4, where
        structures to be relaxed lie. Validation steps are uniform.
    forces_weight
        Weight of the forces in the force field's loss; the energy has the rest.
    precision
        float32; tf32 and bf16 are faster on GPUs and less accurate.
    compile
        How the network is computed, see `morered.models.compile.maybe_compile`. Results agree to rounding. Where auto turns to
        ``torch.compile`` in the middle of a run (GPUs), two runs of one seed agree to rounding only.
    device, devices
        auto takes a GPU if there is one; several devices train one model together (DDP).
    checkpoint_minutes
        Between checkpoints, in minutes. One is also written at the end and when a signal asks for it.

    Raises
    ------
    ValueError
        If a value is impossible; the message names the key.
    """

    batch_size: int = 128
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    schedule: Schedule = "plateau"
    plateau: Plateau = field(default_factory=Plateau)
    warmup_steps: int = 0
    ema_decay: float = 0.999
    ema_warmup: bool = True
    clip: float | None = 0.5
    skip_factor: float = 10.0
    early_stopping: int | None = 300
    max_epochs: int | None = None
    max_steps: int | None = None
    max_time: float | None = None
    validate_every: int | None = None
    seed: int = 0
    init: str | None = None
    eta: float = 0.9
    noise: NoiseProcess = field(default_factory=NoiseProcess)
    step_power: int = 1
    forces_weight: float = 0.95
    precision: Precision = "float32"
    compile: Compile = "auto"
    device: Device = "auto"
    devices: int = 1
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        for name, allowed in (("schedule", Schedule), ("precision", Precision), ("compile", Compile), ("device", Device)):
            if getattr(self, name) not in get_args(allowed):
                raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, not {getattr(self, name)!r}")
        positive = ("batch_size", "learning_rate", "clip", "early_stopping", "max_epochs", "max_steps", "max_time")
        for name in (*positive, "validate_every", "devices", "step_power"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("weight_decay", "warmup_steps", "checkpoint_minutes", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        for name in ("eta", "forces_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), not {self.ema_decay}")
        if not self.skip_factor > 1:
            raise ValueError(f"skip_factor must be above 1, not {self.skip_factor}")
        if self.schedule == "cosine" and not self.is_limited:
            raise ValueError("the cosine schedule needs an end: set max_steps, max_epochs or max_time")
        if self.early_stopping is None and not self.is_limited:
            raise ValueError("the run has no end: set early_stopping, max_steps, max_epochs or max_time")

    @property
    def is_limited(self) -> bool:
        """Whether steps, epochs or time are limited."""
        return not self.max_epochs is self.max_steps is self.max_time is None

    @classmethod
    def defaults(cls, kind: Kind) -> dict[str, Any]:
        """The defaults of one kind of model, as plain values."""
        defaults = cls().to_dict()
        if kind == "mlff":
            defaults |= _MLFF
            defaults["plateau"] = {**defaults["plateau"], "patience": _MLFF_PATIENCE}
        return defaults

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], kind: Kind = "morered-jt") -> Self:
        """Read settings; what is not given is at the default of this kind of model.

        Raises
        ------
        ValueError
            For unknown keys, wrong types and impossible values; the message names the key.
        """
        defaults = cls.defaults(kind)
        _check_keys("training", values, defaults)
        settings = {**defaults, **values}
        for key, default in defaults.items():
            if key not in ("plateau", "noise"):
                settings[key] = _typed(key, settings[key], _TYPES[key], default)
        _check_keys("training.plateau", settings["plateau"], defaults["plateau"])
        settings["plateau"] = Plateau(**{**defaults["plateau"], **settings["plateau"]})
        settings["noise"] = NoiseProcess.from_dict(settings["noise"])
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what `from_dict` reads."""
        return {**asdict(self), "noise": self.noise.to_dict()}


_TYPES = {f.name: str(f.type) for f in fields(TrainingConfig)}


def _check_keys(where: str, given: object, known: Mapping[str, Any]) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} must be a mapping, not {given!r}")
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"unknown key {unknown[0]!r} in {where}; there are: {', '.join(known)}")


def _typed(key: str, value: Any, annotation: str, default: Any) -> Any:
    """``value`` if it is of the annotated type, an integer as float where one is wanted."""
    if value is None and "None" in annotation:
        return None
    if "float" in annotation and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    wanted = {"int": int, "int | None": int, "bool": bool}.get(annotation, str)
    if "float" in annotation or not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise ValueError(f"training.{key} must be of type {annotation} (default {default!r}), not {value!r}")
    return value
