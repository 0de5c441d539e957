"""Training of the force field on energies and forces (Appendix C). Shapes: B batch, N padded atoms."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from morered.models.networks import Potential
from morered.settings.training import TrainingConfig
from morered.structures import Structures
from morered.training.data import Bucket, atomic_references, potential_buckets
from morered.training.module import TrainingModule


class PotentialModule(TrainingModule):
    """Trains a `Potential`; see `TrainingModule`. The atoms' references are fitted to the training energies first."""

    network: Potential

    def __init__(self, network: Potential, config: TrainingConfig, data: Structures, validation: Structures) -> None:
        super().__init__(network, config, data, validation)
        network.set_references(atomic_references(data))

    def prepare(self, structures: Structures, device: torch.device) -> list[Bucket]:
        """Positions, energies and forces."""
        return potential_buckets(structures, device)

    def counts(self, molecules: float) -> dict[str, float]:
        """Molecules, and components of forces."""
        return {"energy": float(molecules), "forces": 3 * molecules * self.mean_atoms}

    def squared_errors(self, bucket: Bucket, number: int) -> dict[str, Tensor]:
        """Of energies (eV²) and of force components ((eV/Å)²)."""
        energy, force, _ = self._errors(bucket)
        return {"energy": energy.square().sum(), "forces": force.square().sum()}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """0.95 of the forces' loss and 0.05 of the energies' (Schütt et al. 2021), or other shares."""
        weight = self.config.forces_weight
        return weight * losses["forces"] + (1 - weight) * losses["energy"]

    def prepare_validation(self, buckets: list[Bucket]) -> None:
        """Nothing is random."""

    def validation_sums(self, index: int, bucket: Bucket) -> dict[str, Tensor]:
        """Absolute and squared errors, those of constant predictors, and counts."""
        energy, force, mask = (value.double() for value in self._errors(bucket))
        constant = (bucket.extra["energy"] - self.network.reference_energy(bucket.numbers.long())).double()
        labels = bucket.extra["forces"].double()
        return {
            "molecules": torch.tensor(float(len(bucket)), dtype=torch.float64, device=energy.device),
            "components": 3 * mask.sum(),
            "energy": energy.square().sum(),
            "energy_absolute": energy.abs().sum(),
            "forces": force.square().sum(),
            "forces_absolute": force.abs().sum(),
            "constant_energy": constant.square().sum(),
            "constant_forces": labels.square().sum(),
        }

    def summarise(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Losses; mean absolute and root mean squared errors in eV and eV/Å; losses of constants (references alone; no force)."""
        count = {"energy": sums["molecules"], "forces": sums["components"]}
        metrics = {"loss": self.total({name: sums[name] / n for name, n in count.items()}).item()}
        for name, n in count.items():
            metrics[name] = (sums[name] / n).item()
            metrics[f"{name}_mae"] = (sums[f"{name}_absolute"] / n).item()
            metrics[f"{name}_rmse"] = (sums[name] / n).sqrt().item()
            metrics[f"constant_{name}"] = (sums[f"constant_{name}"] / n).item()
        return metrics

    def _errors(self, bucket: Bucket) -> tuple[Tensor, Tensor, Tensor]:
        """Errors of the energies [B] and the forces [B, N, 3] (0 on padding), and the mask [B, N]."""
        numbers = bucket.numbers.long()
        mask = numbers > 0
        energy, forces = self.network.energy_forces(numbers, bucket.positions, mask)
        return (energy - bucket.extra["energy"]).float(), (forces.float() - bucket.extra["forces"]) * mask.unsqueeze(-1), mask
