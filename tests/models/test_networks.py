import pytest
import torch
from models_support import network, times

from morered.models import torch_ops
from morered.models.networks import build
from morered.settings.networks import ModelConfig


def test_parameters_are_as_many_as_in_the_paper():
    """2.53 M: SchNetPack's PaiNN 2 242 816 and its gated head 291 970, to which the time adds one weight per hidden feature."""
    model = build(ModelConfig(kind="noise"))
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert count == {"representation": 2_242_816, "noise_head": 291_970 + 256}
    large = build(ModelConfig(features=512, noise_layers=5))
    assert 9.5e6 < large.n_parameters() < 10.5e6  # "circa 10M"


def test_heads_are_schnetpacks():
    """The same weights give the same noise and time in SchNetPack's head modules."""
    from schnetpack.nn import build_gated_equivariant_mlp, build_mlp

    model = build(ModelConfig(features=16, noise_layers=5))
    peer = build_gated_equivariant_mlp(16, 1, n_layers=5)
    block = peer[0]
    peer[0] = type(block)(17, 16, block.n_sout, block.n_vout, block.n_hidden, sactivation=block.sactivation)
    peer.load_state_dict(model.noise_head.state_dict())
    scalars, vectors, time = torch.randn(2, 4, 16), torch.randn(2, 4, 3, 16), torch.rand(2, 4)
    _, expected = peer((torch.cat([scalars, time[..., None]], -1), vectors))
    torch.testing.assert_close(model.noise_head(scalars, vectors, time, torch_ops), expected[..., 0], atol=1e-6, rtol=1e-5)
    time_peer = build_mlp(16, 1, n_layers=3)
    time_peer.load_state_dict(model.time_head.outnet.state_dict())
    torch.testing.assert_close(model.time_head(scalars, torch_ops), time_peer(scalars)[..., 0], atol=1e-6, rtol=1e-5)


def test_the_joint_models_noise_head_sees_the_predicted_times(batch):
    model = network("morered-jt")
    inputs = (batch.numbers, batch.positions, batch.mask)
    output = model(*inputs)
    scalars, vectors, layout = model.represent(*inputs)
    raw = model.noise_head(scalars, vectors, output.time_atoms, layout.ops)
    mean = (raw * batch.mask[..., None]).sum(1, keepdim=True) / batch.sizes[:, None, None]
    torch.testing.assert_close(output.noise, (raw - mean) * batch.mask[..., None])
    (gradient,) = torch.autograd.grad(output.noise.square().sum(), model.time_head.outnet[-1].weight)
    assert gradient.abs().max() > 1e-9, "no gradient flows from the noise into the time head"
    given = model(*inputs, times(batch))
    assert not torch.allclose(given.noise, output.noise)
    torch.testing.assert_close(given.time_atoms, output.time_atoms)


def test_the_molecules_time_is_the_mean_of_the_clamped_times(batch):
    model = network("time")
    with torch.no_grad():
        model.time_head.outnet[-1].bias += 0.9
        output = model(batch.numbers, batch.positions, batch.mask)
    assert output.noise is None
    assert output.time_atoms.max() > 1, "this test needs a value that is clamped"
    expected = [t[m].clamp(0, 1).mean() for t, m in zip(output.time_atoms, batch.mask, strict=True)]
    torch.testing.assert_close(output.time, torch.stack(expected))


def test_kind_noise_needs_a_time_and_uses_it(batch):
    model = network("noise")
    inputs = (batch.numbers, batch.positions, batch.mask)
    with pytest.raises(ValueError, match="give it one"):
        model(*inputs)
    assert model(*inputs, times(batch)).time is None
    assert not torch.allclose(model(*inputs, times(batch)).noise, model(*inputs, times(batch) / 2).noise)


def test_references_are_added_in_double_precision(batch):
    model = network("mlff").float()
    bare = model(batch.numbers, batch.positions, batch.mask)
    references = {1: -13.641404161, 6: -1027.592489146, 7: -1484.274819088, 8: -2039.734879322}
    model.set_references(references)
    full = model(batch.numbers, batch.positions, batch.mask)
    expected = torch.tensor([sum(references.get(z, 0.0) for z in row) for row in batch.numbers.tolist()], dtype=torch.float64)
    assert full.energy.dtype == torch.float64
    torch.testing.assert_close(full.energy - bare.energy, expected, atol=1e-9, rtol=0)  # float32 errs by 1e-3
    torch.testing.assert_close(model.reference_energy(batch.numbers), expected)
    torch.testing.assert_close(full.atomic_energies.double().sum(1), bare.energy, atol=1e-5, rtol=0)
    energy, _ = model.energy_forces(batch.numbers, batch.positions, batch.mask)
    torch.testing.assert_close(energy, full.energy)


def test_forces_leave_no_graph_behind_unless_training(batch):
    model = network("mlff")
    energy, forces = model.energy_forces(batch.numbers, batch.positions, batch.mask)
    assert not energy.requires_grad
    assert not forces.requires_grad
    model.train()
    _, forces = model.energy_forces(batch.numbers, batch.positions, batch.mask)
    assert forces.requires_grad
    with torch.no_grad():
        assert model.energy_forces(batch.numbers, batch.positions, batch.mask, create_graph=False)[1].abs().max() > 0
