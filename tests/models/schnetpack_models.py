"""The authors' models, put together from SchNetPack's own modules as their code does; only whole pickles need names to import."""

from __future__ import annotations

import schnetpack
import torch
from schnetpack import properties
from torch import nn


class TimeHead(nn.Module):
    """A time of each atom: SchNetPack's atom-wise head of three layers."""

    def __init__(self, features: int, layers: int = 3) -> None:
        super().__init__()
        self.model_outputs = ["t_pred"]
        self.time_outnet = schnetpack.atomistic.Atomwise(
            features, n_layers=layers, aggregation_mode=None, output_key="t_pred", per_atom_output_key="t_pred"
        )

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        inputs = self.time_outnet(inputs)
        inputs["t_pred"] = inputs["t_pred"].squeeze(-1)
        return inputs


class NoiseHead(nn.Module):
    """Gated equivariant blocks, the time being one more scalar; it is another head's or, without one, that of the inputs."""

    def __init__(self, features: int, layers: int = 3, time_head: nn.Module | None = None) -> None:
        super().__init__()
        self.model_outputs = ["eps_pred"]
        self.outnet = schnetpack.nn.build_gated_equivariant_mlp(features, 1, n_layers=layers)
        first = self.outnet[0]
        self.outnet[0] = schnetpack.nn.GatedEquivariantBlock(
            features + 1, features, first.n_sout, first.n_vout, first.n_hidden, sactivation=nn.functional.silu
        )
        self.time_outnet = time_head
        self.activation = nn.functional.silu  # something that a pickle names and that must not be called

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        time = inputs["t"] if self.time_outnet is None else self.time_outnet(inputs)["t_pred"]
        scalars = torch.cat([inputs["scalar_representation"], time[:, None]], dim=-1)
        _, vectors = self.outnet((scalars, inputs["vector_representation"]))
        noise = vectors.squeeze(-1)
        molecule, counts = inputs[properties.idx_m], inputs[properties.n_atoms]
        mean = torch.zeros(len(counts), 3, dtype=noise.dtype).index_add(0, molecule, noise) / counts[:, None]
        inputs["eps_pred"] = noise - mean[molecule]
        return inputs


def painn(features: int) -> nn.Module:
    basis = schnetpack.nn.GaussianRBF(n_rbf=20, cutoff=5.0)
    return schnetpack.representation.PaiNN(features, 3, basis, schnetpack.nn.CosineCutoff(5.0))


def published(kind: str, features: int = 16) -> nn.Module:
    """A model of a kind with random weights, biases included."""
    torch.manual_seed(5)
    offsets = schnetpack.transform.AddOffsets("energy", add_mean=True, add_atomrefs=True, atomrefs=torch.linspace(0, -99, 100))
    offsets.mean = torch.tensor([-0.5])
    heads = {
        "morered-jt": lambda: [TimeHead(features), NoiseHead(features, time_head=TimeHead(features))],
        "noise": lambda: [NoiseHead(features, layers=4)],
        "time": lambda: [TimeHead(features)],
        "mlff": lambda: [schnetpack.atomistic.Atomwise(features, output_key="energy")],
    }[kind]()
    model = schnetpack.model.NeuralNetworkPotential(
        painn(features), output_modules=heads, postprocessors=[offsets] if kind == "mlff" else []
    )
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.1)
    return model.eval()
