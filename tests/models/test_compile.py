import copy

import pytest
import torch
from models_support import network, random_molecules

from morered.batching import Batch, pad
from morered.models import compile as compilation
from morered.models.compile import maybe_compile
from morered.models.networks import build
from morered.settings.networks import ModelConfig

pytestmark = pytest.mark.slow


@pytest.fixture
def batch() -> Batch:
    return pad(random_molecules((4, 7, 9)), dtype=torch.float32)


def small(kind: str, features: int = 8):
    """Too few features for the kernels."""
    torch.manual_seed(3)
    layers = {"noise_layers": 1, "time_layers": 1, "energy_layers": 2}
    return build(ModelConfig(kind=kind, features=features, interactions=1, **layers))


def losses(model, batch: Batch) -> torch.Tensor:
    inputs = (batch.numbers, batch.positions, batch.mask)
    if model.config.kind == "mlff":
        energy, forces = model.energy_forces(*inputs)
        return energy.float().square().sum() + forces.square().sum()
    output = model(*inputs)
    return sum(value.square().sum() for value in output if value is not None)


@pytest.mark.parametrize(
    ("mode", "features", "engine", "expected"),
    [
        ("never", 16, "dense", "plain"),
        ("auto", 16, "dense", "kernels"),
        ("always", 16, "dense", "kernels"),
        ("auto", 8, "dense", "waiting"),
        ("always", 8, "dense", "compiled"),
        ("always", 16, "schnetpack", "plain"),
    ],
)
def test_modes(mode, features, engine, expected):
    model = build(ModelConfig(features=features, engine=engine, interactions=1))
    assert maybe_compile(model, mode) is model
    assert model.execution == expected


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="compile must be one of auto, always, never"):
        maybe_compile(small("time"), "sometimes")


@pytest.mark.parametrize("kind", ["time", "mlff"])
def test_compiled_networks_give_the_same_losses_and_gradients(kind, batch, monkeypatch):
    """All of `torch.compile` but Inductor, whose half a minute is spent once, below."""
    monkeypatch.setattr(compilation, "BACKEND", "aot_eager")
    plain = small(kind).train()
    compiled = maybe_compile(copy.deepcopy(plain), "always")
    torch._dynamo.utils.counters.clear()
    if kind == "mlff":
        compiled.energy_forces(batch.numbers, batch.positions, batch.mask, create_graph=False)
    for part in (batch, batch[1:]) if kind == "mlff" else (batch,):  # two shapes
        for model in (plain, compiled):
            model.zero_grad()
            losses(model, part).backward()
        for (name, a), b in zip(plain.named_parameters(), compiled.parameters(), strict=True):
            if a.grad is not None:
                torch.testing.assert_close(b.grad, a.grad, atol=1e-5, rtol=1e-4, msg=lambda text, k=name: f"{k}: {text}")
    assert not torch._dynamo.utils.counters["graph_break"]


def test_inductor_gives_the_same_noise(batch):
    plain = small("noise")
    compiled = maybe_compile(copy.deepcopy(plain), "always")
    with torch.no_grad():
        inputs = (batch.numbers, batch.positions, batch.mask, torch.rand(3))
        torch.testing.assert_close(compiled(*inputs).noise, plain(*inputs).noise, atol=1e-5, rtol=1e-4)


def test_a_copy_of_a_compiled_network_has_its_own_weights(batch, monkeypatch):
    monkeypatch.setattr(compilation, "BACKEND", "aot_eager")
    model = maybe_compile(small("morered-jt"), "always")
    before = losses(model, batch)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.mul_(1.5)
    assert not torch.allclose(losses(twin, batch), before)
    torch.testing.assert_close(losses(model, batch), before)


def test_auto_compiles_once_it_has_run_for_long(batch, monkeypatch):
    monkeypatch.setattr(compilation, "BACKEND", "eager")
    model = maybe_compile(small("morered-jt"), "auto")
    losses(model, batch)
    assert model.execution == "waiting"
    assert 0 < model.plain_seconds < compilation.PATIENCE
    model.plain_seconds = compilation.PATIENCE
    losses(model, batch)
    assert model.execution == "compiled"


@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
def test_threads_give_the_same_gradients(kind):
    batch = pad(random_molecules((9, 4, 1, 12, 5) * 30), dtype=torch.float32)
    model = network(kind, engine="kernels").train()
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        model.zero_grad()
        losses(model, batch).backward()
        results.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    torch.set_num_threads(1)
    for one, three in zip(*results, strict=True):
        torch.testing.assert_close(three, one, atol=1e-4, rtol=1e-4)  # sums over atoms in another order


@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
def test_threads_give_the_same_numbers_without_gradients(kind):
    batch = pad(random_molecules((9, 4, 1, 12, 5) * 30), dtype=torch.float32)
    model = network(kind, engine="kernels")
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        with torch.no_grad():
            if kind == "mlff":
                results.append(model.energy_forces(batch.numbers, batch.positions, batch.mask))
            else:
                results.append(model(batch.numbers, batch.positions, batch.mask))
    torch.set_num_threads(1)
    for one, three in zip(*results, strict=True):
        torch.testing.assert_close(three, one, atol=1e-6, rtol=1e-6)  # sums over atoms in another order


def test_a_step_that_changes_weights_before_the_way_back_is_noticed(batch):
    model = network("time", engine="kernels").train()
    loss = losses(model, batch)
    with torch.no_grad():
        model.representation.filter_net.weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_positions_with_a_gradient_of_their_own_are_left_to_pytorch(batch):
    """The kernels' gradients by the positions are for `energy_forces`, which knows that it wants no others."""
    model = network("mlff", engine="kernels")
    positions = batch.positions.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(model(batch.numbers, positions, batch.mask).energy.sum(), positions)
    _, forces = model.energy_forces(batch.numbers, batch.positions, batch.mask)
    torch.testing.assert_close(-gradient, forces, atol=1e-5, rtol=1e-4)


def test_second_derivatives_that_the_kernels_lack_are_refused(batch):
    model = network("time", engine="kernels")
    time = model(batch.numbers, batch.positions, batch.mask).time
    with pytest.raises(RuntimeError, match="use the network uncompiled"):
        torch.autograd.grad(time.sum(), list(model.parameters()), create_graph=True)


def test_autocast_and_double_precision_run_plainly(batch):
    model = network("time", engine="kernels")
    expected = model(batch.numbers, batch.positions, batch.mask).time
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not model.kernels_fit()
        assert (model(batch.numbers, batch.positions, batch.mask).time - expected).abs().max() < 0.05  # bfloat16: 3 digits
    assert not model.double().kernels_fit()
    torch.testing.assert_close(model(batch.numbers, batch.positions, batch.mask).time.float(), expected, atol=1e-5, rtol=1e-4)
