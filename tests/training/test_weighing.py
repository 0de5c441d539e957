"""Every atom counts the same in the loss, whichever molecule and batch it is in; or every molecule."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from training_support import MODEL, QUICK, ase_molecules, with_labels

from morered.models.networks import DiffusionOutput, build
from morered.settings.training import Repeats, training_config
from morered.training.data import Bucket, repeated
from morered.training.diffusion_module import DiffusionModule, Noisy
from morered.training.potential_module import PotentialModule

#: Molecules of 3 to 14 atoms, in buckets of 4 and of 8: an epoch of batches of 4 draws each of them once.
MOLECULES = ("H2O", "CH4", "C2H6", "C3H8", "trans-butane")


class Noted(DiffusionModule):
    """Its errors are numbers of their own for each molecule, so that the gradient is how much each of these weighs."""

    def squared_errors(self, bucket: Bucket, number: int) -> dict[str, Tensor]:
        atoms = (bucket.numbers > 0).sum(1)
        errors = (self.errors[[self.places[key] for key in bucket.keys.tolist()]] * atoms).sum()
        return {"noise": errors, "time": errors}


def test_an_atom_weighs_the_same_in_molecules_of_any_size() -> None:
    data = ase_molecules(MOLECULES, copies=8)
    config = training_config(QUICK, MODEL.kind)
    module = Noted(build(MODEL), config, data, data)
    module.buckets = module.prepare(data, torch.device("cpu"))
    keys = [key for bucket in module.buckets for key in bucket.keys.tolist()]
    sizes = torch.cat([(bucket.numbers > 0).sum(1) for bucket in module.buckets])
    assert len(module.buckets) > 2
    module.places = {key: k for k, key in enumerate(keys)}
    module.errors = torch.nn.Parameter(torch.zeros(len(keys)))
    batches = module.plan.batches_per_epoch
    for number in range(batches):
        module.training_step(module.plan.draw(number)).backward()
    per_atom = module.errors.grad / sizes
    # what the mean over all atoms of the training set gives each of them, times the batches that were added up
    assert per_atom.tolist() == pytest.approx([batches / data.n_atoms] * len(keys))


def test_small_molecules_can_count_several_times_and_get_noise_of_their_own() -> None:
    data = ase_molecules(MOLECULES, copies=8)
    more = repeated(data, Repeats(times=3, max_atoms=5))
    assert len(more) == len(data) + 2 * int((data.sizes <= 5).sum())
    assert len(set(more.names)) == len(more)
    assert more[: len(data)].same_as(data)
    assert more.sizes[len(data) :].max() == 5
    keys = torch.cat(
        [
            bucket.keys
            for bucket in DiffusionModule(build(MODEL), training_config(QUICK), more, data).prepare(more, torch.device("cpu"))
        ]
    )
    assert len(keys.unique()) == len(more)
    assert repeated(data, Repeats()) is data


def test_forces_are_a_mean_over_atoms_and_energies_one_over_molecules() -> None:
    data = with_labels(ase_molecules(MOLECULES, copies=2))
    model = replace(MODEL, kind="mlff")
    module = PotentialModule(build(model), training_config(QUICK, "mlff"), data, data)
    assert module.counts(4) == {"energy": 4, "forces": pytest.approx(3 * 4 * data.n_atoms / len(data))}


class NotedAtoms(DiffusionModule):
    """Its atoms' errors are a number of their molecule's own, so that the gradient is how much this weighs."""

    def diffused(self, bucket: Bucket, number: int) -> Noisy:
        self.drawn = bucket.keys.tolist()
        return super().diffused(bucket, number)

    def _errors(self, noisy: Noisy, output: DiffusionOutput) -> dict[str, Tensor]:
        errors = self.errors[[self.places[key] for key in self.drawn]][:, None] * noisy.mask
        return {"noise": errors, "time": errors}


@pytest.mark.parametrize("weigh", ["atoms", "molecules"])
def test_atoms_or_molecules_weigh_the_same_in_batches_by_atoms(weigh: str) -> None:
    data = ase_molecules(MOLECULES, copies=24)
    config = training_config({**QUICK, "batch_atoms": 42, "weigh": weigh}, MODEL.kind)
    module = NotedAtoms(build(MODEL), config, data, data)
    module.buckets = module.prepare(data, torch.device("cpu"))
    keys = [key for bucket in module.buckets for key in bucket.keys.tolist()]
    sizes = torch.cat([(bucket.numbers > 0).sum(1) for bucket in module.buckets])
    module.places = {key: k for k, key in enumerate(keys)}
    module.errors = torch.nn.Parameter(torch.zeros(len(keys)))
    batches = 20 * module.plan.batches_per_epoch
    for number in range(batches):
        module.training_step(module.plan.draw(number)).backward()
    per_molecule = module.errors.grad / batches * len(data)
    for size in sizes.unique():
        expected = float(size) / module.mean_atoms if weigh == "atoms" else 1.0
        assert per_molecule[sizes == size].mean().item() == pytest.approx(expected, rel=0.06)
