"""Total charges as an input of a network: they change ions, not neutral molecules, alike in PyTorch and in the kernels."""

import pytest
import torch
from models_support import random_molecules

from morered.batching import Batch, pad
from morered.models import weights
from morered.models.compile import maybe_compile
from morered.models.networks import DiffusionNetwork, build
from morered.settings.networks import ModelConfig

SIZES = (5, 9, 3, 12, 7, 2)
CHARGES = [0, 1, -1, 2, -2, 1]


@pytest.fixture
def network() -> DiffusionNetwork:
    torch.manual_seed(3)
    built = build(ModelConfig(features=16, charges=2))
    torch.nn.init.normal_(built.representation.charge_embedding.weight)
    return built.eval()


@pytest.fixture
def batch() -> Batch:
    return pad(random_molecules(SIZES).with_electrons(CHARGES), dtype=torch.float32)


def _predict(network: DiffusionNetwork, batch: Batch, charges: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        output = network(batch.numbers, batch.positions, batch.mask, charges=batch.charges if charges is None else charges)
    return output.noise, output.time_atoms


def test_neutral_molecules_are_as_without_charges_and_ions_are_not(network: DiffusionNetwork, batch: Batch) -> None:
    neutral = _predict(network, batch, torch.zeros_like(batch.charges))
    ions = _predict(network, batch)
    plain = build(ModelConfig(features=16)).eval()
    without = {name: value for name, value in network.state_dict().items() if "charge" not in name}
    plain.load_state_dict(without)
    for a, b, c in zip(neutral, ions, _predict(plain, batch), strict=True):
        torch.testing.assert_close(a, c, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(a[0], b[0], atol=1e-6, rtol=1e-5)
        assert all((a[m] - b[m]).abs().max() > 1e-4 for m in range(1, len(SIZES)))


def test_charges_of_either_sign_and_size_differ(network: DiffusionNetwork, batch: Batch) -> None:
    values = [_predict(network, batch, torch.full_like(batch.charges, charge))[0] for charge in (-2, -1, 0, 1, 2)]
    assert all((a - b).abs().max() > 1e-4 for k, a in enumerate(values) for b in values[:k])
    beyond = _predict(network, batch, torch.full_like(batch.charges, 5))[0]
    torch.testing.assert_close(beyond, values[-1], atol=1e-6, rtol=1e-5)


def test_kernels_agree_with_pytorch_for_a_batch_of_many_charges(network: DiffusionNetwork, batch: Batch) -> None:
    plain = _predict(network, batch)
    assert maybe_compile(network).execution == "kernels"
    for a, b in zip(plain, _predict(network, batch), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


def test_kernels_follow_a_change_of_the_charges_weights(network: DiffusionNetwork, batch: Batch) -> None:
    maybe_compile(network)
    before = _predict(network, batch)[0]
    with torch.no_grad():
        network.representation.charge_embedding.weight.add_(0.5)
    after = _predict(network, batch)[0]
    torch.testing.assert_close(after[0], before[0])
    assert (after[1] - before[1]).abs().max() > 1e-4


def test_gradients_by_the_charges_are_those_of_pytorch(network: DiffusionNetwork, batch: Batch) -> None:
    found = []
    for mode in ("never", "auto"):
        maybe_compile(network, mode).train()
        network.zero_grad()
        output = network(batch.numbers, batch.positions, batch.mask, charges=batch.charges)
        (output.noise.square().sum() + output.time_atoms.square().sum()).backward()
        found.append({name: p.grad.clone() for name, p in network.named_parameters()})
    assert found[0]["representation.charge_embedding.weight"].abs().min() > 0
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], atol=1e-4 * float(gradient.abs().max() + 1), rtol=2e-3)


def test_weights_keep_what_they_know_of_charges(network: DiffusionNetwork, tmp_path) -> None:
    path = tmp_path / "ions.safetensors"
    weights.save(path, network, weights.WeightsHeader(charges=(-1, 0, 1)))
    loaded = weights.load(path)
    assert loaded.network.takes_charges
    assert loaded.config.charges == 2
    assert "-1 0 +1" in weights.describe(path)
    with pytest.raises(weights.WeightsError, match="charges: 2 is impossible"):
        weights.load(path, engine="schnetpack")


def test_only_the_dense_engine_takes_charges() -> None:
    with pytest.raises(ValueError, match="only PaiNN with the engine 'dense'"):
        ModelConfig(charges=1, representation="so3net")
    assert not build(ModelConfig(features=16)).takes_charges
    assert not build(ModelConfig(features=16, kind="mlff", charges=1)).takes_charges
