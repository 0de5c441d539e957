"""What the training of every kind of network shares: the step, skipped batches, and sums over the validation set.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from morered.models.compile import maybe_compile
from morered.models.networks import DiffusionNetwork, Potential
from morered.settings.training import TrainingConfig
from morered.structures import Structures
from morered.training.counters import Counters
from morered.training.data import BatchPlan, Bucket, Draw, bucket_sizes, chunks, widths
from morered.training.optimizers import Optimizers
from morered.training.processes import Processes

VALIDATION_BATCH = 128  # molecules, at least, unless they are large
VALIDATION_ATOMS = 4096  # of a batch, padding included: pairs of more would fill the memory where there are no kernels


class TrainingModule(ABC):
    """A network, its data on the device, and its losses.

    Parameters
    ----------
    network
        What is trained.
    config
        How.
    data, validation
        Training and validation structures.

    Attributes
    ----------
    buckets
        The training molecules, on the device once the run has begun.
    mean_atoms
        Atoms of a training molecule in the mean.
    """

    def __init__(
        self, network: DiffusionNetwork | Potential, config: TrainingConfig, data: Structures, validation: Structures
    ) -> None:
        self.network = network
        self.config = config
        self.counters = Counters()
        self.metrics: dict[str, float] = {}
        self.processes = Processes(torch.device("cpu"))
        self._structures = (data, validation)
        self.last_losses: dict[str, Tensor] = {}
        self.buckets: list[Bucket] = []
        self._validation: list[Bucket] = []
        molecules, atoms = bucket_sizes(data)
        batch = config.batch_size if config.batch_atoms is None else widths(atoms, config.batch_atoms)
        self.plan = BatchPlan(molecules, batch, config.seed)
        self.mean_atoms = data.n_atoms / max(1, int((data.sizes > 0).sum()))

    # ----------------------------------------------------------------- what a kind of network defines

    @abstractmethod
    def prepare(self, structures: Structures, device: torch.device) -> list[Bucket]:
        """Put structures on the device."""

    @abstractmethod
    def counts(self, molecules: float) -> dict[str, float]:
        """For each loss, how many squared errors so many molecules have in the mean over the training set.

        A batch's errors are divided by this and not by how many there are: its molecules are of one size, so that dividing by
        their own atoms would make an atom of a small molecule weigh more. Molecules being drawn alike, every atom then weighs
        the same, and the losses of many batches average to the mean over all atoms.
        """

    @abstractmethod
    def squared_errors(self, bucket: Bucket, number: int) -> dict[str, Tensor]:
        """For each loss, the sum of squared errors of a training batch. ``number`` is the batch's: it keys what is drawn."""

    @abstractmethod
    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is minimised."""

    @abstractmethod
    def prepare_validation(self, buckets: list[Bucket]) -> None:
        """Fix everything about the validation batches that would be random."""

    @abstractmethod
    def validation_sums(self, index: int, bucket: Bucket) -> dict[str, Tensor]:
        """Float64 sums of validation batch ``index`` that add up over batches."""

    @abstractmethod
    def summarise(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Metrics from the sums over all batches; ``loss`` decides which weights are kept."""

    # ----------------------------------------------------------------- the run

    def begin(self, processes: Processes) -> None:
        """Put network and data on this process's device; every process holds all data."""
        self.processes, device = processes, processes.device
        self.network.to(device)
        data, validation = self._structures
        self.buckets = self.prepare(data, device)
        buckets = self.prepare(validation, device)
        size = max(VALIDATION_BATCH, self.config.batch_size)
        self._validation = [
            buckets[b].take(torch.arange(len(buckets[b]), device=device)[rows])
            for b, rows in chunks(buckets, size, VALIDATION_ATOMS)
        ]
        self.prepare_validation(self._validation)

    def compile(self) -> None:
        """Decide how the network is computed, now that it is on its device."""
        cpu_bf16 = self.processes.device.type == "cpu" and self._bf16  # the CPU's kernels know float32 only
        maybe_compile(self.network, "never" if cpu_bf16 else self.config.compile)

    @property
    def round_length(self) -> int:
        """Batches between validations."""
        return self.config.validate_every or self.plan.batches_per_epoch

    @property
    def fraction(self) -> float:
        """How much of the run is done, see `Counters.fraction`."""
        return self.counters.fraction(self.config)

    @property
    def epoch(self) -> float:
        """Passes over the data."""
        return self.counters.batches / self.plan.batches_per_epoch

    def round(self) -> Iterator[Draw]:
        """Batches from where the run stands to its next validation."""
        start, length = self.counters.batches, self.round_length
        return (self.plan.draw(number) for number in range(start, (start // length + 1) * length))

    def train_on(self, draw: Draw, optimizers: Optimizers) -> bool:
        """One step of the optimisers; whether it was taken, and the batch not skipped."""
        with self._precision():
            loss = self.training_step(draw)
        optimizers.zero_grad()
        loss.backward()
        self.processes.average_gradients(self.network)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip or math.inf)
        losses = self.processes.mean(torch.stack([value.float() for value in self.last_losses.values()]))
        *values, gradient = torch.cat([losses, norm.float().reshape(1)]).tolist()
        usable = self.counters.take(dict(zip(self.last_losses, values, strict=True)), gradient, self.config.skip_factor)
        if usable:
            optimizers.step()
        return usable

    def validate(self) -> None:
        """Set the metrics from all validation batches."""
        sums: dict[str, Tensor] = {}
        self.network.eval()
        with torch.no_grad(), self._precision():
            # with fewer batches than processes some have none: they take one for nothing
            own = range(self.processes.rank, len(self._validation), self.processes.size) or (None,)
            for index in own:
                for name, value in self.validation_sums(index or 0, self._validation[index or 0]).items():
                    value = torch.zeros_like(value) if index is None else value
                    sums[name] = sums[name] + value if name in sums else value
        self.network.train()
        self.metrics = self.summarise({name: self.processes.total(value) for name, value in sums.items()})

    def training_step(self, draw: Draw) -> Tensor:
        """Loss of one batch. Each process computes its molecules' part, so that the mean over processes is the loss."""
        rows, share = self.mine(draw)
        counts, sums = self.counts(self.plan.weight(draw)), self.squared_errors(self.buckets[draw.bucket].take(rows), draw.number)
        losses = {name: value * share / counts[name] for name, value in sums.items()}
        loss = self.total(losses)
        self.last_losses = {"loss": loss.detach(), **{name: value.detach() for name, value in losses.items()}}
        return loss

    def mine(self, draw: Draw) -> tuple[Tensor, int]:
        """Rows of a batch that are of this process, and the factor of their errors that makes the mean over processes right."""
        processes = self.processes.size
        rows = draw.rows[self.processes.rank :: processes]
        # with fewer molecules than processes some have none: they take one for nothing
        return (rows, processes) if len(rows) else (draw.rows[:1], 0)

    @property
    def _bf16(self) -> bool:
        return self.config.precision == "bf16"

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.processes.device.type, torch.bfloat16, enabled=self._bf16)
