"""Training of diffusion models: noise, time, or both (Algorithm 1). Shapes: B batch, N padded atoms."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from morered.diffusion.forward import diffuse
from morered.diffusion.losses import joint_loss, noise_errors, time_errors
from morered.diffusion.process import NoiseProcess
from morered.diffusion.random_numbers import random_steps, stream
from morered.diffusion.schedule import NoiseSchedule
from morered.models.networks import DiffusionNetwork, DiffusionOutput
from morered.settings.training import TrainingConfig
from morered.structures import Structures
from morered.training.data import Bucket, diffusion_buckets
from morered.training.module import TrainingModule
from morered.training.prefetch import Drawn, PrefetchedDraws
from morered.training.stages import Stages

#: Borders, as parts of T, of the bands of steps that validation losses are reported for.
BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)

_VALIDATION_SEED = stream(0, "validation")  # the same noise for every run, so that curves can be compared


class Noisy(NamedTuple):
    """A diffused batch: numbers [B, N], positions [B, N, 3] in Å, mask [B, N], step [B], time [B], noise [B, N, 3]; float32.

    ``charges`` are the molecules' total charges [B]; None where all are neutral.
    """

    numbers: Tensor
    positions: Tensor
    mask: Tensor
    step: Tensor
    time: Tensor
    noise: Tensor
    charges: Tensor | None = None


class DiffusionModule(TrainingModule):
    """Trains a `DiffusionNetwork`; see `TrainingModule`."""

    network: DiffusionNetwork

    def __init__(self, network: DiffusionNetwork, config: TrainingConfig, data: Structures, validation: Structures) -> None:
        super().__init__(network, config, data, validation)
        d = network.config.diffusion
        self._process = NoiseProcess(config.noise)
        self._schedule = NoiseSchedule(d.schedule, d.T, d.s, d.time_scale)
        self._steps = max(1, round(config.largest_time * d.T))  # those that are drawn: 0 to this, exclusive
        self._noisy: list[Noisy] = []
        self._stages = Stages(config)
        self._ahead = PrefetchedDraws(self._keys, self._draw, round(self.plan.molecules))

    def prepare(self, structures: Structures, device: torch.device) -> list[Bucket]:
        """Centred minima, with the factors of elastic noise where the config asks for it."""
        self._schedule = self._schedule.to(device)
        return diffusion_buckets(structures, self._process, device)

    def counts(self, molecules: float) -> dict[str, float]:
        """Atoms."""
        return dict.fromkeys(("noise", "time"), molecules * self.mean_atoms)

    def squared_errors(self, bucket: Bucket, number: int) -> dict[str, Tensor]:
        """Of noise (Eq. 4, mean over components) and time (Eq. 6), at steps and noise drawn for this batch (Algorithm 1)."""
        noisy = self.diffused(bucket, number)
        errors = self._errors(noisy, self._predict(noisy))
        if self.config.weigh == "atoms":
            return {name: values.sum() for name, values in errors.items()}
        atoms = noisy.mask.sum(1)  # a molecule's mean counts as much as all atoms of one of mean size
        return {name: self.mean_atoms * (values.sum(1) / atoms).sum() for name, values in errors.items()}

    def diffused(self, bucket: Bucket, number: int) -> Noisy:
        """The molecules of a training batch with its steps and noise."""
        return self._diffuse(bucket, self._ahead.of(number))

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss (section 2.4), or the only one there is."""
        if len(losses) == 2:
            return joint_loss(losses["noise"], losses["time"], self.config.eta)
        return next(iter(losses.values()))

    def prepare_validation(self, buckets: list[Bucket]) -> None:
        """Give each molecule one step and one noise for good; steps are spread evenly, in the order of the keys."""
        keys = torch.cat([bucket.keys for bucket in buckets]) if buckets else torch.empty(0, dtype=torch.int64)
        rank = torch.empty_like(keys)
        rank[torch.argsort(keys, stable=True)] = torch.arange(len(keys), device=keys.device)
        steps = (rank * self._steps) // max(1, len(keys))
        parts = steps.split([len(bucket) for bucket in buckets])
        noise = self._process
        self._noisy = [
            self._diffuse(bucket, Drawn(step, noise.deviates(_VALIDATION_SEED, bucket.keys, 0, bucket.numbers.shape[1])))
            for bucket, step in zip(buckets, parts, strict=True)
        ]
        edges = torch.tensor([round(border * self._schedule.T) for border in BANDS[1:-1]])
        self._edges = edges.to(keys.device)

    def validation_sums(self, index: int, bucket: Bucket) -> dict[str, Tensor]:
        """Per band of steps: atoms, squared errors, squares of the noise; and moments of the time."""
        noisy = self._noisy[index]
        band = torch.bucketize(noisy.step, self._edges, right=True)
        atoms = noisy.mask.sum(1).to(torch.float64)

        def banded(per_molecule: Tensor) -> Tensor:
            zero = torch.zeros(len(BANDS) - 1, dtype=torch.float64, device=band.device)
            return zero.index_add(0, band, per_molecule.to(torch.float64))

        sums = {name: banded(errors.sum(1)) for name, errors in self._errors(noisy, self._predict(noisy)).items()}
        time = noisy.time.to(torch.float64)
        mask = noisy.mask.unsqueeze(-1)
        return {
            **sums,
            "atoms": banded(atoms),
            "noise_squared": banded((noisy.noise.square() * mask).mean(-1).sum(1)),
            "time_sum": (atoms * time).sum(),
            "time_squared": (atoms * time.square()).sum(),
        }

    def summarise(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Losses; those of constant predictors (no noise; the mean time); losses per band, named by its steps."""
        atoms = sums["atoms"].sum()
        names: list[str] = [name for name in ("noise", "time") if name in sums]
        losses = {name: sums[name].sum() / atoms for name in names}
        mean = sums["time_sum"] / atoms
        constants = {"noise": sums["noise_squared"].sum() / atoms, "time": sums["time_squared"] / atoms - mean.square()}
        metrics = {"loss": self.total(losses).item(), **{name: value.item() for name, value in losses.items()}}
        metrics |= {f"constant_{name}": constants[name].item() for name in names}
        borders = [round(border * self._schedule.T) for border in BANDS]
        for name in names:
            for k, (first, end) in enumerate(pairwise(borders)):
                if first >= self._steps:
                    break
                metrics[f"{name}_steps_{first}-{end - 1}"] = (sums[name][k] / sums["atoms"][k]).item()
        return metrics

    def _keys(self, number: int) -> tuple[Tensor, int]:
        """Keys of this process's molecules of a training batch, and their padded size."""
        draw = self.plan.draw(number)
        bucket = self.buckets[draw.bucket]
        return bucket.keys[self.mine(draw)[0]], bucket.numbers.shape[1]

    def _draw(self, keys: Tensor, numbers: Tensor, n_atoms: int) -> Drawn:
        seed, now = self.config.seed, self._stages.of(numbers)
        steps = random_steps(stream(seed, "steps"), keys, numbers, self._steps, now.step_power)
        return Drawn(steps, self._process.deviates(stream(seed, "noise"), keys, numbers, n_atoms, now.share, now.decades))

    def _diffuse(self, bucket: Bucket, drawn: Drawn) -> Noisy:
        numbers, step = bucket.numbers.long(), drawn.steps
        mask = numbers > 0
        with torch.autocast(numbers.device.type, enabled=False):
            noise = self._process.shape(drawn.deviates, mask, bucket.extra.get("factor"))
            positions = diffuse(bucket.positions, step, noise, self._schedule)
        time = self._schedule.time(step).float()
        return Noisy(numbers, positions.float(), mask, step, time, noise.float(), bucket.extra.get("charges"))

    def _predict(self, noisy: Noisy) -> DiffusionOutput:
        time = noisy.time if self.network.config.kind == "noise" else None  # the joint model uses its own
        return self.network(noisy.numbers, noisy.positions, noisy.mask, time, noisy.charges)

    def _errors(self, noisy: Noisy, output: DiffusionOutput) -> dict[str, Tensor]:
        """Squared errors [B, N] of each head, 0 on padding."""
        errors = {}
        if output.noise is not None:
            errors["noise"] = noise_errors(output.noise.float(), noisy.noise) * noisy.mask
        if output.time_atoms is not None:
            errors["time"] = time_errors(output.time_atoms.float(), noisy.time) * noisy.mask
        return errors
