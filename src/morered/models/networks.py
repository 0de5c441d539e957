"""The networks: diffusion models (noise, time, or both) and the force field, built from a `ModelConfig`.

Shapes: B batch, N padded atoms, F features. Positions are in Å, energies in eV, forces in eV/Å, times in [0, 1] (`i / (T - 1)`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from morered.extras import needs
from morered.models import gpu
from morered.models.compile import Execution, call
from morered.models.heads import AtomHead, NoiseHead
from morered.models.layout import Flat, Layout, Padded
from morered.models.native.inference import infer, packed_weights
from morered.models.native.ops import positions_only
from morered.models.native.packing import Packed
from morered.models.native.representation import represent
from morered.models.painn import N_ELEMENTS, PaiNN
from morered.settings.networks import ModelConfig


class DiffusionOutput(NamedTuple):
    """What a diffusion model predicts; None where it has no head for it.

    Attributes
    ----------
    noise : Tensor or None
        [B, N, 3], without its mean over each molecule, 0 on padding. A relaxation moves along minus it.
    time_atoms : Tensor or None
        [B, N], not clamped, 0 on padding: what the time loss sees.
    time : Tensor or None
        [B], mean over each molecule's atoms of the clamped values.
    """

    noise: Tensor | None
    time_atoms: Tensor | None
    time: Tensor | None


class PotentialOutput(NamedTuple):
    """What the force field predicts.

    Attributes
    ----------
    energy : Tensor
        [B] float64, eV, atomic references included.
    atomic_energies : Tensor
        [B, N], eV, without references, 0 on padding: what the energy loss sums.
    """

    energy: Tensor
    atomic_energies: Tensor


class Network(nn.Module):
    """A representation and its heads.

    Attributes
    ----------
    config : ModelConfig
        What it was built from.
    elements : frozenset of int
        Atomic numbers it was trained on; empty for a new one.
    execution
        How it is computed; `morered.models.compile.maybe_compile` sets it. "kernels" holds where they fit, see `kernels_fit`,
        "triton" on a GPU in float32 where no gradient by the positions is wanted, or forces that nothing differentiates further.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.elements: frozenset[int] = frozenset()
        self.representation = _representation(config)
        self.execution: Execution = "plain"
        self.plain_seconds = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters: what positions are cast to."""
        return next(self.parameters()).dtype

    def kernels_fit(self) -> bool:
        """Whether the compiled kernels could compute it: PaiNN, float32, on a CPU, features a multiple of 16."""
        return isinstance(self.representation, PaiNN) and Flat.fits(self.representation)

    def kernels_infer(self, forces: bool = False) -> bool:
        """Whether the kernels compute the whole network in one call: where no gradient by the weights is wanted.

        ``forces`` says that the caller wants none although PyTorch would record them.
        """
        return self.execution == "kernels" and (forces or not torch.is_grad_enabled()) and self.kernels_fit()

    @property
    def takes_charges(self) -> bool:
        """Whether total charges change what it computes."""
        return isinstance(self.representation, PaiNN) and self.representation.charges > 0

    def packed(self, atom_head: AtomHead | None, noise_head: NoiseHead | None = None, charge: int = 0) -> Packed:
        """The weights of the representation and these heads, for a call of the kernels with molecules of one total charge."""
        assert isinstance(self.representation, PaiNN)
        layers = atom_head.outnet.layers() if atom_head is not None else ()
        return packed_weights(self, self.representation, layers, noise_head, charge)

    def represent(
        self,
        numbers: Tensor,
        positions: Tensor,
        mask: Tensor,
        forces: bool = False,
        twice: bool = False,
        charges: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Layout]:
        """Scalars [..., F] and vectors [..., 3, F], and the layout that `...` stands for.

        ``forces`` says that derivatives by the positions will be taken under `positions_only`; without it, positions that require
        a gradient are left to PyTorch. ``twice`` says that these will be differentiated once more. ``charges`` [B] are total
        charges, for a network that takes them; None stands for neutral molecules.
        """
        positions = positions.to(self.dtype)
        network = self.representation
        layout: Layout
        if not isinstance(network, PaiNN):
            layout = Padded(numbers, positions, mask, None)
            return *network(numbers, positions, mask), layout
        if self.execution == "kernels" and self.kernels_fit() and (forces or not positions.requires_grad):
            layout = flat = Flat(numbers, positions, mask, network)
            if not forces:
                return *represent(network, flat.numbers, flat.pairs, _of_atoms(charges, flat)), layout
        elif self.execution == "triton" and gpu.fits(network) and (not positions.requires_grad or (forces and not twice)):
            from morered.models.gpu import ops

            layout = Padded(numbers, positions, mask, network, ops)
        else:
            layout = Padded(numbers, positions, mask, network)
        return *network(layout.numbers, layout.pairs, layout.ops, _of_atoms(charges, layout)), layout

    def n_parameters(self) -> int:
        """Trainable numbers of the network."""
        return sum(p.numel() for p in self.parameters())


class DiffusionNetwork(Network):
    """Noise and time of a diffused molecule (paper, Eqs. 4 and 6, Fig. C2): kinds morered-jt, noise (also DDPM) and time."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.noise_head = NoiseHead(config.features, config.noise_layers) if config.predicts_noise else None
        self.time_head = AtomHead(config.features, config.time_layers) if config.predicts_time else None

    def forward(
        self, numbers: Tensor, positions: Tensor, mask: Tensor, time: Tensor | None = None, charges: Tensor | None = None
    ) -> DiffusionOutput:
        """Predict.

        Parameters
        ----------
        numbers, positions, mask : Tensor
            [B, N], [B, N, 3] in Å and [B, N].
        time : Tensor, optional
            [B] in [0, 1], for the noise head; kind "noise" needs it. Without it, kind "morered-jt" gives its noise head the times
            it predicts for each atom, and gradients flow through them.
        charges : Tensor, optional
            [B] int64, total charges in e; None stands for neutral molecules. A network that was not built for charges takes all
            molecules for neutral ones.

        Returns
        -------
        DiffusionOutput

        Raises
        ------
        ValueError
            If kind "noise" is not given a time.
        """
        if time is None and self.noise_head is not None and self.time_head is None:
            raise ValueError("a model of kind noise predicts no time: give it one")
        return call(_predict, self, numbers, positions, mask, time, charges if self.takes_charges else None)


class Potential(Network):
    """A force field: energy as a sum over atoms, forces as its gradient (paper, Fig. C1).

    Attributes
    ----------
    references : Tensor
        [100] float64, eV: energies of the free atoms by atomic number, added to what the network predicts.
    """

    references: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.energy_head = AtomHead(config.features, config.energy_layers)
        self.register_buffer("references", torch.zeros(N_ELEMENTS, dtype=torch.float64))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or cast the network, but keep the references in float64: they are a hundred times the energies that matter."""
        references = self.references
        super()._apply(fn, recurse)
        self.references = references.to(self.references.device)
        return self

    def set_references(self, references: Mapping[int, float]) -> None:
        """Take these energies in eV per atomic number; 0 for any other."""
        self.references.zero_()
        for number, energy in references.items():
            self.references[number] = energy

    def reference_energy(self, numbers: Tensor) -> Tensor:
        """Sum of the atoms' references in eV, [B, N] -> [B] float64: what training takes off its labels."""
        return self.references[numbers].sum(dim=1)

    def forward(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> PotentialOutput:
        """Energies from numbers [B, N], positions [B, N, 3] in Å and mask [B, N]."""
        return call(_energies, self, numbers, positions, mask, False)

    def energy_forces(
        self, numbers: Tensor, positions: Tensor, mask: Tensor, create_graph: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Energy [B] float64 in eV and forces [B, N, 3] in eV/Å.

        Parameters
        ----------
        numbers, positions, mask : Tensor
            As for `forward`.
        create_graph : bool, optional
            Whether a loss of the forces can be differentiated; by default where the network is in training mode.

        Returns
        -------
        (Tensor, Tensor)
            Forces have the positions' dtype and are 0 on padding.
        """
        create_graph = self.training if create_graph is None else create_graph
        if not create_graph and self.kernels_infer(forces=True):
            _, atomic, gradient = infer(self.packed(self.energy_head), numbers, positions, mask, gradient=True)
            assert atomic is not None
            assert gradient is not None
            energy = atomic.sum(dim=1, dtype=torch.float64) + self.reference_energy(numbers)
            return energy, -gradient.to(positions.dtype)
        with torch.enable_grad(), positions_only():
            energy, forces = call(_energies_forces, self, numbers, positions.detach().requires_grad_(True), mask, create_graph)
        return energy, forces


def build(config: ModelConfig) -> DiffusionNetwork | Potential:
    """A new network with random weights."""
    return DiffusionNetwork(config) if config.is_diffusion else Potential(config)


def _predict(
    network: DiffusionNetwork,
    numbers: Tensor,
    positions: Tensor,
    mask: Tensor,
    time: Tensor | None,
    charges: Tensor | None,
) -> DiffusionOutput:
    noise = times = time_atoms = mean_time = None
    if network.kernels_infer():
        noise, time_atoms = _inferred(network, numbers, positions, mask, time, charges)
    else:
        scalars, vectors, layout = network.represent(numbers, positions, mask, charges=charges)
        if network.time_head is not None:
            times = network.time_head(scalars, layout.ops)
            time_atoms = layout.spread(times)
        if network.noise_head is not None:
            times = times if time is None else layout.per_atom(time.to(scalars.dtype))
            assert times is not None
            noise = layout.spread(network.noise_head(scalars, vectors, times, layout.ops))
    if time_atoms is not None:
        mean_time = time_atoms.clamp(0.0, 1.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return DiffusionOutput(None if noise is None else _centre(noise, mask), time_atoms, mean_time)


def _inferred(
    network: DiffusionNetwork,
    numbers: Tensor,
    positions: Tensor,
    mask: Tensor,
    time: Tensor | None,
    charges: Tensor | None,
) -> tuple[Tensor | None, Tensor | None]:
    """Noise [B, N, 3] and times [B, N] by the kernels, whose weights are those of one charge: one call for each."""
    heads = (network.time_head, network.noise_head)
    present = [0] if charges is None else torch.unique(charges).tolist()
    if charges is None or len(present) < 2:
        return infer(network.packed(*heads, charge=(present or [0])[0]), numbers, positions, mask, time)[:2]
    noise = positions.new_zeros(positions.shape, dtype=torch.float32) if network.noise_head is not None else None
    times = positions.new_zeros(mask.shape, dtype=torch.float32) if network.time_head is not None else None
    for charge in present:
        rows = torch.eq(charges, charge).nonzero().squeeze(1)
        part = (numbers[rows], positions[rows], mask[rows], None if time is None else time[rows])
        for whole, values in zip((noise, times), infer(network.packed(*heads, charge=charge), *part), strict=False):
            if whole is not None and values is not None:
                whole[rows] = values
    return noise, times


def _of_atoms(charges: Tensor | None, layout: Layout) -> Tensor | None:
    """Charges [B] of molecules as those of their atoms, [...]."""
    return None if charges is None else layout.per_atom(charges)


def _energies(
    network: Potential, numbers: Tensor, positions: Tensor, mask: Tensor, forces: bool, twice: bool = False
) -> PotentialOutput:
    if network.kernels_infer():
        _, atomic, _ = infer(network.packed(network.energy_head), numbers, positions, mask)
        assert atomic is not None
    else:
        scalars, _, layout = network.represent(numbers, positions, mask, forces, twice)
        atomic = layout.spread(network.energy_head(scalars, layout.ops))
    return PotentialOutput(atomic.sum(dim=1, dtype=torch.float64) + network.reference_energy(numbers), atomic)


def _energies_forces(
    network: Potential, numbers: Tensor, positions: Tensor, mask: Tensor, create_graph: bool
) -> tuple[Tensor, Tensor]:
    energy, atomic = _energies(network, numbers, positions, mask, True, create_graph)
    (gradient,) = torch.autograd.grad(atomic.sum(), positions, create_graph=create_graph)
    if not create_graph:
        energy = energy.detach()  # here, not by the caller: what was compiled must not give away the graph that grad has used up
    return energy, -gradient


def _representation(config: ModelConfig) -> nn.Module:
    sizes = (config.features, config.interactions, config.radial_basis, config.cutoff)
    if config.engine == "dense":
        return PaiNN(*sizes, charges=config.charges if config.is_diffusion else 0)
    with needs("schnetpack"):
        from morered.models import schnetpack_engine  # imports SchNetPack: seconds that the dense engine does not need

    if config.representation == "painn":
        return schnetpack_engine.SchNetPackPaiNN(*sizes)
    return schnetpack_engine.SchNetPackSO3net(*sizes, l_max=config.l_max)


def _centre(vectors: Tensor, mask: Tensor) -> Tensor:
    """[B, N, 3] without each molecule's mean, 0 on padding."""
    atoms = mask[..., None].to(vectors.dtype)
    mean = (vectors * atoms).sum(dim=1, keepdim=True) / atoms.sum(dim=1, keepdim=True).clamp(min=1.0)
    return (vectors - mean) * atoms
