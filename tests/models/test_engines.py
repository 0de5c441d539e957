"""The dense engine against SchNetPack's own modules, with the same weights."""

from itertools import product

import pytest
import torch
from models_support import random_molecules, times

from morered.batching import pad
from morered.models.compile import maybe_compile
from morered.models.networks import DiffusionNetwork, Potential, build
from morered.settings.networks import ModelConfig


@pytest.fixture(params=list(product(["morered-jt", "noise", "time", "mlff"], ["never", "auto"])), ids="-".join)
def pair(request) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The same weights in both engines, in float32; ours plainly ("never") and by kernels ("auto")."""
    torch.manual_seed(1)
    kind, mode = request.param
    dense = maybe_compile(build(ModelConfig(kind=kind, features=64)), mode)
    assert dense.execution == ("plain" if mode == "never" else "kernels")
    for name, parameter in dense.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    peer = build(ModelConfig(kind=kind, features=64, engine="schnetpack"))
    peer.load_state_dict(dense.state_dict(), strict=True)
    dense.load_state_dict(peer.state_dict(), strict=True)
    return dense, peer


def test_state_dicts_are_schnetpacks(pair):
    dense, peer = pair
    assert set(dense.state_dict()) == set(peer.state_dict())
    assert "representation.interactions.0.interatomic_context_net.0.weight" in dense.state_dict()


def test_outputs_and_gradients_agree_in_single_precision(pair):
    """1e-5 of each tensor's largest value: a hundred roundings of float32 (6e-8), for sums of up to 1e4 terms."""
    batch = pad(random_molecules((4, 11, 14, 1, 16, 9, 15, 23), seed=2), dtype=torch.float32)
    results = [outputs(network, batch) for network in pair]
    losses = [sum(value.square().sum() for value in result.values()) for result in results]
    for name in results[0]:
        scale = results[1][name].abs().max()
        assert scale > 1e-4
        error = (results[0][name] - results[1][name]).abs().max() / scale
        assert error < 1e-5, f"{name}: {error}"
    for loss in losses:
        loss.backward()
    ours, theirs = (dict(network.named_parameters()) for network in pair)
    for name in ours:
        if theirs[name].grad is None:
            assert ours[name].grad is None or ours[name].grad.abs().max() == 0, name
            continue
        scale = theirs[name].grad.abs().max().clamp(min=1e-6)
        error = (ours[name].grad - theirs[name].grad).abs().max() / scale
        assert error < 1e-5, f"{name}: {error}"


def test_a_call_without_gradients_gives_the_same(pair):
    """The kernels compute it otherwise: the whole network in one call, a few molecules at a time."""
    batch = pad(random_molecules((4, 11, 14, 1, 16, 9, 15, 23) * 3, seed=2), dtype=torch.float32)
    ours, theirs = pair
    with torch.no_grad():
        alone = outputs(ours, batch, create_graph=False)
    for name, expected in outputs(theirs, batch).items():
        error = (alone[name] - expected).abs().max() / expected.abs().max()
        assert error < 1e-5, f"{name}: {error}"
        assert not alone[name].requires_grad


def test_changed_weights_count_at_once(pair):
    """Packed copies of the weights are kept between calls."""
    batch = pad(random_molecules((4, 11), seed=2), dtype=torch.float32)
    network = pair[0]
    with torch.no_grad():
        before = outputs(network, batch, create_graph=False)
        for parameter in network.parameters():
            parameter.mul_(1.1)
        changed = outputs(network, batch, create_graph=False)
    again = outputs(network, batch)
    for name in before:
        assert not torch.allclose(before[name], changed[name], atol=1e-7)
        torch.testing.assert_close(changed[name], again[name].detach(), atol=1e-5, rtol=1e-4)
    network.load_state_dict(pair[1].state_dict())
    with torch.no_grad():
        restored = outputs(network, batch, create_graph=False)
    for name in before:
        assert torch.equal(restored[name], before[name])


def outputs(network, batch, create_graph: bool = True) -> dict[str, torch.Tensor]:
    inputs = (batch.numbers, batch.positions, batch.mask)
    if isinstance(network, Potential):
        energy, forces = network.energy_forces(*inputs, create_graph=create_graph)
        return {"energy": energy.float(), "forces": forces}
    assert isinstance(network, DiffusionNetwork)
    result = network(*inputs, times(batch).float() if network.time_head is None else None)
    return {name: value for name, value in result._asdict().items() if value is not None}
