"""What every network must obey, whichever its representation and engine."""

import numpy as np
import pytest
import torch
from models_support import ENGINES, network, predict, random_molecules
from scipy.spatial.transform import Rotation

from morered.batching import Batch, pad
from morered.models.networks import Potential
from morered.structures import Structures

KINDS = ["morered-jt", "noise", "time", "mlff"]
CASES = [(kind, *engine) for engine in ENGINES for kind in KINDS]
#: Double precision, except for the kernels and SO3net's Clebsch-Gordan coefficients.
TOLERANCE = {("painn", "dense"): 1e-9, ("painn", "schnetpack"): 1e-9, ("painn", "kernels"): 1e-5, ("so3net", "schnetpack"): 1e-6}


@pytest.fixture(params=CASES, ids="-".join)
def case(request):
    kind, representation, engine = request.param
    return network(kind, representation, engine), TOLERANCE[representation, engine]


def assert_close(a, b, tolerance):
    """Outputs agree within the tolerance times the largest value."""
    assert set(a) == set(b)
    for name in a:
        scale = max(1.0, float(b[name].abs().max()))
        torch.testing.assert_close(a[name], b[name], atol=tolerance * scale, rtol=0, msg=lambda text, k=name: f"{k}: {text}")


def pair(distance: float) -> Batch:
    """C and O this far apart, in Å."""
    return pad(Structures.build([[6, 8]], [[[0.0, 0.0, 0.0], [0.0, 0.6 * distance, 0.8 * distance]]], ["pair"]))


def test_outputs_tell_inputs_apart(case, batch):
    """A constant would pass the other tests."""
    model, _ = case
    before, after = predict(model, batch), predict(model, batch.with_positions(batch.positions * 1.05))
    for name in before:
        assert (after[name] - before[name]).abs().max() > 1e-4, name


def test_rotating_and_reflecting_the_input_rotates_and_reflects_vectors_alone(case, batch):
    model, tolerance = case
    rotation = torch.from_numpy(Rotation.random(rng=np.random.default_rng(3)).as_matrix())
    before = predict(model, batch)
    for operation in (rotation, -rotation):
        after = predict(model, batch.with_positions(batch.positions @ operation.T))
        expected = {name: value @ operation.T if name == "vectors" else value for name, value in before.items()}
        assert_close(after, expected, tolerance)


def test_translating_the_input_changes_nothing(case, batch):
    model, tolerance = case
    shift = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    assert_close(predict(model, batch.with_positions(batch.positions + shift)), predict(model, batch), tolerance)


def test_permuting_atoms_permutes_what_belongs_to_them(case):
    model, tolerance = case
    batch = pad(random_molecules((8, 8)), n_padded=8)
    order = torch.from_numpy(np.random.default_rng(0).permutation(8))
    permuted = Batch(batch.numbers[:, order], batch.positions[:, order], batch.mask[:, order], batch.keys)
    expected = {name: value[:, order] if value.ndim > 1 else value for name, value in predict(model, batch).items()}
    assert_close(predict(model, permuted), expected, tolerance)


def test_a_molecule_is_computed_alike_alone_and_among_others(case, molecules):
    model, tolerance = case
    together = predict(model, pad(molecules))
    for m, n in enumerate(molecules.sizes):
        alone = predict(model, pad(molecules[[m]], n_padded=int(n)))
        assert_close(alone, {k: v[m : m + 1, :n] if v.ndim > 1 else v[m : m + 1] for k, v in together.items()}, tolerance)


def test_what_stands_on_padding_does_not_matter(case, batch):
    model, _ = case
    rubbish = torch.where(batch.mask[..., None], batch.positions, torch.randn_like(batch.positions))
    rubbish[~batch.mask] += torch.tensor([0.0, torch.nan, torch.inf], dtype=torch.float64)
    after = predict(model, batch.with_positions(rubbish))
    assert_close(after, predict(model, batch), 0.0)
    for name, value in after.items():
        assert value.ndim == 1 or torch.all(value[~batch.mask] == 0), name


def test_outputs_and_their_slopes_are_continuous_at_the_cutoff(case):
    """The cosine switch leaves with value and slope 0: what a pair changes just inside is of second order."""
    model, tolerance = case
    step, rounding = 1e-3, 1e-12 if model.dtype == torch.float64 else 1e-6
    beyond, at, inside, further = (predict(model, pair(5.0 + k * step)) for k in (10, 0, -1, -10))
    assert_close(at, beyond, tolerance)
    for name in at:
        near, far = ((x[name] - at[name]).abs().max().item() for x in (inside, further))
        if name == "vectors" and isinstance(model, Potential):
            assert near < 0.3 * far, name  # forces: the slope of the switch, so of first order
        else:
            assert near < 0.03 * far + rounding, name
        assert far < 0.01, name


def test_coinciding_and_far_atoms_give_finite_outputs(case):
    model, tolerance = case
    same = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    far = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1e25, -1e25, 1e25]]
    batch = pad(Structures.build([[6, 1, 8]] * 2, [same, far], ["same", "far"]))
    for name, value in predict(model.float(), batch).items():
        assert torch.all(torch.isfinite(value)), name
    alone = predict(model.double(), batch[1:])
    nearer = batch.positions.clone()
    nearer[1, 2] = torch.tensor([0.0, 0.0, 20.0])
    assert_close(alone, predict(model, batch.with_positions(nearer)[1:]), tolerance)


@pytest.mark.parametrize("engine", ["dense", "kernels", "schnetpack"])
def test_gradients_stay_finite_where_atoms_coincide_or_are_isolated(engine):
    """For the noise loss and a loss of forces, every parameter: the traps are roots of zero on padding and the diagonal."""
    positions = [[[0, 0, 0], [0, 0, 0], [1, 0, 0]], [[0, 0, 0]], [[0, 0, 0], [9, 0, 0]]]
    structures = Structures.build([[6, 1, 8], [6], [6, 1]], positions, ["same", "one", "apart"])
    batch = pad(structures, dtype=torch.float32)
    if engine == "schnetpack":
        batch = batch[1:]  # SchNetPack's head has the gradient of a length at 0, NaN to second order; ours has both
    model = network("morered-jt", "painn", engine).float()
    output = model(batch.numbers, batch.positions, batch.mask)
    (output.noise.square().sum() + output.time_atoms.square().sum()).backward()
    assert all(torch.all(torch.isfinite(p.grad)) for p in model.parameters())
    potential = network("mlff", "painn", engine).float().train()
    energy, forces = potential.energy_forces(batch.numbers, batch.positions, batch.mask)
    (energy.square().sum() + forces.square().sum()).backward()
    assert all(torch.all(torch.isfinite(p.grad)) for p in potential.parameters() if p.grad is not None)


@pytest.mark.parametrize(("representation", "engine"), ENGINES)
def test_forces_are_minus_the_numerical_gradient_of_the_energy(representation, engine):
    model = network("mlff", representation, engine)
    batch = pad(random_molecules((5, 3)))
    _, forces = model.energy_forces(batch.numbers, batch.positions, batch.mask)
    single = model.dtype == torch.float32
    step = 1e-2 if single else 1e-4  # central differences err by the order of step², and by the rounding of energies over step
    for atom, axis in [(0, 0), (2, 1), (1, 2)]:
        energies = []
        for sign in (1, -1):
            moved = batch.positions.clone()
            moved[:, atom, axis] += sign * step
            energies.append(model(batch.numbers, moved, batch.mask).energy)
        numerical = -(energies[0] - energies[1]) / (2 * step)
        torch.testing.assert_close(forces[:, atom, axis], numerical, atol=5e-3 if single else 1e-6, rtol=1e-5)


@pytest.mark.parametrize(("representation", "engine"), ENGINES)
def test_noise_is_centred(representation, engine, batch):
    noise = predict(network("noise", representation, engine), batch)["vectors"]
    tolerance = 1e-6 if engine == "kernels" else 1e-12
    torch.testing.assert_close(noise.sum(dim=1), torch.zeros_like(noise[:, 0]), atol=tolerance, rtol=0)


def test_a_broken_position_is_not_passed_over(batch):
    """A molecule that has exploded must not be given numbers that look sound; its neighbours keep theirs."""
    for representation, engine in ENGINES:
        model = network("morered-jt", representation, engine)
        positions = batch.positions.clone()
        positions[1, 2, 0] = torch.nan
        output = predict(model, batch.with_positions(positions))
        assert torch.isnan(output["vectors"][1]).any()
        assert torch.isfinite(output["vectors"][[0, 2, 3]]).all()
