"""The MLFF calculator: a network from a file, in batches."""

import numpy as np
import pytest
import torch

from morered import calculators
from morered.models import weights
from morered.models.networks import build
from morered.settings.networks import ModelConfig


def test_it_gives_what_the_network_gives_alone(mlff_file, structures):
    labels = calculators.get("mlff", weights=mlff_file, dtype="float64").compute(structures)
    network = weights.load(mlff_file).network.double()
    for m, (_, numbers, positions) in enumerate(structures):
        numbers = torch.tensor(numbers.astype(np.int64))[None]
        energy, forces = network.energy_forces(numbers, torch.tensor(positions)[None], numbers > 0)
        assert labels.energies[m] == pytest.approx(energy.item(), abs=1e-10)
        rows = slice(*structures.offsets[m : m + 2])
        np.testing.assert_allclose(labels.forces[rows], forces[0].numpy(), atol=1e-12, rtol=0)


def test_single_precision_is_near_double_and_batches_do_not_matter(mlff_file, structures):
    many = structures[[0, 1, 2] * 5]
    double = calculators.get("mlff", weights=mlff_file, dtype="float64").compute(many)
    for batch_size in (2, 64):
        single = calculators.get("mlff", weights=mlff_file, batch_size=batch_size).compute(many)
        scale = np.abs(double.forces).max()
        np.testing.assert_allclose(single.forces, double.forces, atol=2e-5 * scale, rtol=0)
        np.testing.assert_allclose(single.energies, double.energies, atol=1e-3, rtol=0)


def test_elements_are_those_of_the_file(mlff_file):
    assert calculators.get("mlff", weights=mlff_file).elements == {1, 6, 7, 8}


def test_what_is_no_force_field_is_refused(tmp_path):
    network = build(ModelConfig(kind="time", features=8, interactions=1))
    weights.save(tmp_path / "time.safetensors", network, weights.WeightsHeader(elements=(1,)))
    with pytest.raises(ValueError, match="kind 'time', not a force field"):
        calculators.get("mlff", weights=tmp_path / "time.safetensors")
    with pytest.raises(ValueError, match="no weights 'nowhere'"):
        calculators.get("mlff", weights="nowhere")
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        calculators.get("mlff", weights="nowhere", batch_size=0)
