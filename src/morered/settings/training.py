"""How a network is trained. The defaults are the paper's (Appendix C.2) and those of the authors' published code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from morered.settings.base import Kinds, Settings, group, key, several
from morered.settings.networks import Kind
from morered.settings.noise import ElasticNoise, IsotropicNoise, used


@dataclass(frozen=True)
class Plateau(Settings):
    """When the learning rate falls on a plateau."""

    factor: float = key(0.5, "The learning rate is multiplied by this.", gt=0, lt=1)
    patience: int = key(150, "Validations without a lower loss before it falls.", ge=0)
    cooldown: int = key(10, "Validations after it fell in which it does not fall again.", ge=0)


@dataclass(frozen=True)
class Stage(Settings):
    """A part of a run that has some settings of its own."""

    until: float = key(meaning="The part of the run at whose end it ends; the first stage begins at 0.", gt=0, lt=1)
    learning_rate: float | None = key(None, "Learning rate; null: the training's.", gt=0)
    step_power: int | None = key(None, "See step_power; null: the training's.", ge=1)
    share: float | None = key(None, "See noise.share; null: the noise's own. Elastic noise alone has it.", ge=0, le=1)
    decades: float | None = key(None, "See noise.decades; null: the noise's own. Elastic noise alone has it.", ge=0)


@dataclass(frozen=True)
class Repeats(Settings):
    """Small molecules count more often: a dataset has few of them, as there are few."""

    times: int = key(1, "How often each of them is drawn where another molecule is drawn once.", ge=1)
    max_atoms: int = key(8, "Atoms of a small molecule, at most.", ge=1)


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """Settings of a training run of a diffusion model.

    The decay at step n is at most (1 + n) / (10 + n), so that the average of a short run does not lag behind. A batch with a
    non-finite loss or gradient is skipped as well. ``compile`` is explained in `morered.models.compile.maybe_compile`: results
    agree to rounding. Where auto turns to ``torch.compile`` in the middle of a run (GPUs), two runs of one seed agree to rounding
    only. Validation steps are uniform below ``largest_time`` whatever ``step_power`` is.
    """

    batch_size: int = key(128, "Molecules in a batch, on all devices together.", ge=1)
    optimizer: Literal["adamw", "muon"] = key(
        "adamw",
        "adamw: the paper's; muon: the matrices of layers take steps along their orthogonalised momentum, the rest AdamW's: more "
        "is learned from each batch, at three times the learning rate.",
    )
    weight_decay: float = key(
        0.01, "Of muon: its matrices shrink by this part of the learning rate at each step. AdamW shrinks nothing.", ge=0
    )
    learning_rate: float = key(1e-4, "Learning rate.", gt=0)
    batch_atoms: int | None = key(
        None,
        "Atoms in a batch, about, in place of batch_size: fewer large molecules or more small ones, so that steps cost alike.",
        ge=1,
    )
    schedule: Literal["plateau", "cosine", "constant"] = key(
        "plateau", "plateau: halved when the validation loss stagnates; cosine: to 0 at the end of the run; constant."
    )
    plateau: Plateau = group(Plateau, "When the learning rate falls on a plateau.")
    warmup_steps: int = key(0, "Batches over which the learning rate rises.", ge=0)
    ema_decay: float = key(0.999, "Decay of the averaged weights that are validated and used, smaller at first.", ge=0, lt=1)
    clip: float | None = key(0.5, "Largest norm of the gradient; null: any.", gt=0)
    skip_factor: float = key(10.0, "A batch whose loss exceeds so many times the running mean is skipped.", gt=1)
    early_stopping: int | None = key(300, "Stop after so many validations without a lower loss; null: never.", ge=1)
    max_steps: int | None = key(None, "Limit in batches.", ge=1)
    max_time: float | None = key(None, "Limit in seconds of training, interruptions not counted.", gt=0)
    validate_every: int | None = key(None, "Batches between validations; null: one epoch.", ge=1)
    seed: int = key(0, "Seed of weights, order, steps and noise; in a config the study's where not given.", ge=0)
    init: str | None = key(
        None, "What to start from: another model of the study, a weights file, or the name of shipped weights."
    )
    eta: float = key(0.9, "Weight of the noise loss in the joint loss (section 2.4).", ge=0, le=1)
    noise: Annotated[IsotropicNoise | ElasticNoise, Kinds("kind", "isotropic")] = group(
        IsotropicNoise, "Noise of the training and validation inputs."
    )
    weigh: Literal["atoms", "molecules"] = key(
        "atoms",
        "What counts alike in a diffusion model's loss: every atom, or every molecule, so that small ones are learned as well as "
        "large ones.",
    )
    repeat_small: Repeats = group(Repeats, "Small molecules are drawn more often.")
    step_power: int = key(
        1, "Training steps are T u^step_power with u uniform; 1 as in Algorithm 1, 2 draws half of them below T/4.", ge=1
    )
    largest_time: float = key(
        1.0,
        "Steps of training and validation lie below this part of T. What is to relax molecules and not to generate them needs no "
        "more than half, where noise is 0.9 Å.",
        gt=0,
        le=1,
    )
    stages: tuple[Stage, ...] = several(
        (), "Parts of the run with settings of their own, in order; after the last one the training's hold. They need max_steps."
    )
    forces_weight: float = key(0.95, "Weight of the forces in the MLFF's loss; the energy has the rest.", ge=0, le=1)
    precision: Literal["float32", "tf32", "bf16"] = key("float32", "tf32 and bf16 are faster on GPUs and less accurate.")
    compile: Literal["auto", "always", "never"] = key("auto", "Whether the network is compiled.")
    device: Literal["auto", "cpu", "gpu"] = key("auto", "auto takes a GPU if there is one.")
    devices: int = key(1, "Devices that train one model together (DDP).", ge=1)
    checkpoint_minutes: float = key(5.0, "Minutes between checkpoints.", ge=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule == "cosine" and not self.is_limited:
            raise ValueError("schedule: the cosine schedule needs an end: set max_steps or max_time")
        if self.early_stopping is None and not self.is_limited:
            raise ValueError("early_stopping: the run has no end: set early_stopping, max_steps or max_time")
        if self.stages:
            self._check_stages()

    def _check_stages(self) -> None:
        if self.max_steps is None:
            raise ValueError("stages: they are parts of so many batches, so that a resumed run is the same: set max_steps")
        ends = [stage.until for stage in self.stages]
        if ends != sorted(set(ends)):
            raise ValueError(f"stages: they must end one after the other, not at {', '.join(f'{end:g}' for end in ends)}")
        mixed = any(stage.share is not None or stage.decades is not None for stage in self.stages)
        if mixed and not isinstance(self.noise, ElasticNoise):
            raise ValueError("stages: share and decades belong to noise of kind 'elastic'")

    @property
    def is_limited(self) -> bool:
        """Whether steps or time are limited."""
        return not self.max_steps is self.max_time is None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what `training_config` reads."""
        return super().to_dict() | {"noise": used(self.noise)}


@dataclass(frozen=True)
class PotentialPlateau(Plateau):
    """When the learning rate of a force field falls."""

    patience: int = key(15, "Validations without a lower loss before it falls.", ge=0)


@dataclass(frozen=True)
class PotentialTraining(TrainingConfig):
    """Settings of a training run of a force field, where they differ (Appendix C.2); gradients are clipped for diffusion only."""

    batch_size: int = key(10, "Molecules in a batch, on all devices together.", ge=1)
    learning_rate: float = key(1e-3, "Learning rate.", gt=0)
    plateau: PotentialPlateau = group(PotentialPlateau, "When the learning rate falls on a plateau.")
    clip: float | None = key(None, "Largest norm of the gradient; null: any.", gt=0)
    skip_factor: float = key(1000.0, "A batch whose loss exceeds so many times the running mean is skipped.", gt=1)
    early_stopping: int | None = key(30, "Stop after so many validations without a lower loss; null: never.", ge=1)


def training_config(values: Mapping[str, Any], kind: Kind = "morered-jt") -> TrainingConfig:
    """Read settings; what is not given is at the default of this kind of model.

    Raises
    ------
    ConfigError
        For unknown keys, wrong types and impossible values; the message names the keys.
    """
    from morered.settings.reading import read

    return read(PotentialTraining if kind == "mlff" else TrainingConfig, values, "training")
