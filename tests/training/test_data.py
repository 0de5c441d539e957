"""Data on the device, the order of batches, and atomic references."""

import numpy as np
import pytest
import torch
from training_support import ase_molecules, with_labels

from morered.diffusion.process import NoiseProcess
from morered.diffusion.random_numbers import molecule_keys
from morered.settings.noise import ElasticNoise
from morered.structures import Column, Structures
from morered.training import data


def test_buckets_hold_every_molecule_once(molecules: Structures) -> None:
    buckets = data.diffusion_buckets(molecules, NoiseProcess())
    sizes, atoms = data.bucket_sizes(molecules)
    assert [len(b) for b in buckets] == sizes
    assert [int((b.numbers > 0).sum()) for b in buckets] == [round(n * mean) for n, mean in zip(sizes, atoms, strict=True)]
    assert sum(map(len, buckets)) == len(molecules)
    by_key = dict(zip(molecule_keys(molecules.ids).tolist(), molecules, strict=True))
    for bucket in buckets:
        assert bucket.positions.dtype == torch.float64
        assert bucket.extra == {}
        for numbers, positions, key in zip(*bucket[:3], strict=True):
            m = by_key.pop(int(key))
            n = len(m.numbers)
            assert numbers.tolist() == [*m.numbers.tolist(), *[0] * (len(numbers) - n)]
            np.testing.assert_allclose(positions[:n], m.positions - m.positions.mean(0), atol=1e-12)
            assert (positions[n:] == 0).all()
    assert not by_key


def test_elastic_noise_brings_its_factors(molecules: Structures) -> None:
    for bucket in data.diffusion_buckets(molecules, NoiseProcess(ElasticNoise())):
        n = 3 * bucket.numbers.shape[1]
        assert bucket.extra["factor"].shape == (len(bucket), n, n)
        some = bucket.take(torch.tensor([1, 0]))
        assert torch.equal(some.extra["factor"], bucket.extra["factor"][[1, 0]])
        assert torch.equal(some.keys, bucket.keys[[1, 0]])


def test_labels_stay_with_their_atoms(molecules: Structures) -> None:
    labelled = with_labels(molecules)
    energies, forces = [], []
    for bucket in data.potential_buckets(labelled):
        assert bucket.positions.dtype == torch.float32
        assert bucket.extra["energy"].dtype == torch.float64
        for k in range(len(bucket)):
            n = int((bucket.numbers[k] > 0).sum())
            energies.append(bucket.extra["energy"][k].item())
            forces.append(bucket.extra["forces"][k, :n].numpy())
            assert (bucket.extra["forces"][k, n:] == 0).all()
    assert sorted(energies) == pytest.approx(sorted(labelled.column("energy")))
    total = np.concatenate(forces)
    assert len(total) == labelled.n_atoms
    np.testing.assert_allclose(np.sort(total.ravel()), np.sort(labelled.column("forces").astype(np.float32).ravel()))


def test_labels_must_be_there_and_right(molecules: Structures) -> None:
    labelled = with_labels(molecules)
    with pytest.raises(ValueError, match=r"needs the column 'energy' \(eV\); there are: none"):
        data.potential_buckets(molecules)
    kcal = labelled.with_columns({"energy": Column(labelled.column("energy"), "kcal/mol")})
    with pytest.raises(ValueError, match="must be in eV per molecule, not in 'kcal/mol'"):
        data.potential_buckets(kcal)
    forces = labelled.column("forces").copy()
    forces[3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        data.potential_buckets(labelled.with_columns({"forces": Column(forces, "eV/Å", True)}))


def test_references_are_found_again(molecules: Structures) -> None:
    values = {1: -13.6, 6: -1027.6, 7: -1484.3, 8: -2039.7, 16: -10828.7}
    energy = molecules.per_molecule_sum(np.array([values[z] for z in molecules.numbers.tolist()]))
    fitted = data.atomic_references(molecules.with_columns({"energy": Column(energy, "eV")}))
    assert fitted == pytest.approx(values, abs=1e-6)


@pytest.mark.parametrize("sizes", [[50, 300, 7, 643], [3], [10, 10], [1, 1, 1, 997]])
def test_every_molecule_is_drawn_alike(sizes: list[int]) -> None:
    plan = data.BatchPlan(sizes, 16, seed=3)
    epochs = 400
    seen = [np.zeros(n) for n in sizes]
    for number in range(epochs * plan.batches_per_epoch):
        draw = plan.draw(number)
        rows = draw.rows.numpy()
        assert draw.number == number
        assert len(rows) == min(16, sizes[draw.bucket])
        seen[draw.bucket][rows] += 1 / len(rows)  # its share of the batch's mean
    expected = epochs * plan.batches_per_epoch / sum(sizes)
    for counts in seen:
        # dealing the batches of an epoch to buckets rounds up or down at random: one batch per epoch, four standard deviations
        assert abs(counts.sum() - expected * len(counts)) < 4 * np.sqrt(epochs) / 2 + 1
    large = seen[int(np.argmax(sizes))]
    assert large.min() > 0
    assert large.max() < 2 * large.min() + 1


def test_the_order_is_a_function_of_seed_and_number() -> None:
    plan, again, other = data.BatchPlan([40, 9], 8, 1), data.BatchPlan([40, 9], 8, 1), data.BatchPlan([40, 9], 8, 2)
    drawn = [plan.draw(k) for k in range(30)]
    for k in (29, 3, 17):  # in any order: a resumed run asks for later ones first
        assert again.draw(k).bucket == drawn[k].bucket
        assert torch.equal(again.draw(k).rows, drawn[k].rows)
    assert any(other.draw(k).rows.tolist() != drawn[k].rows.tolist() for k in range(6))
    assert plan.batches_per_epoch == 6
    with pytest.raises(ValueError, match="no molecules"):
        data.BatchPlan([], 8, 0)


def test_an_epoch_draws_no_molecule_of_full_batches_twice() -> None:
    plan = data.BatchPlan([64], 8, 0)
    rows = torch.cat([plan.draw(k).rows for k in range(8)])
    assert sorted(rows.tolist()) == list(range(64))
    assert rows.tolist() != list(range(64))


def test_the_digest_sees_every_change(molecules: Structures) -> None:
    digests = {data.digest(molecules), data.digest(molecules[1:]), data.digest(with_labels(molecules))}
    digests.add(data.digest(molecules.with_positions(molecules.positions + 1e-9)))
    digests.add(data.digest(ase_molecules(("H2O",))))
    assert len(digests) == 5
    assert data.digest(molecules) == data.digest(molecules[np.arange(len(molecules))])


def test_batches_by_atoms_cost_alike_and_draw_every_molecule_alike() -> None:
    sizes, atoms = [400, 90, 30], [5.0, 20.0, 80.0]
    widths = data.widths(atoms, 160)
    assert widths == [32, 8, 2]
    plan = data.BatchPlan(sizes, widths, seed=1)
    drawn = [np.zeros(size) for size in sizes]
    epochs = 40
    for number in range(epochs * plan.batches_per_epoch):
        draw = plan.draw(number)
        assert len(draw.rows) == widths[draw.bucket]
        assert plan.weight(draw) == pytest.approx(plan.molecules)  # a full batch counts for the mean one, whatever its molecules
        np.add.at(drawn[draw.bucket], draw.rows.numpy(), 1)
    for counts in drawn:
        assert counts.mean() == pytest.approx(epochs, rel=0.05)


def test_charges_of_ions_are_kept_and_part_of_the_digest(molecules: Structures) -> None:
    charges = np.arange(len(molecules)) % 3 - 1
    ions = molecules.with_electrons(charges)
    buckets = data.diffusion_buckets(ions, NoiseProcess())
    assert all(bucket.extra["charges"].dtype == torch.int64 for bucket in buckets)
    assert sorted(torch.cat([bucket.extra["charges"] for bucket in buckets]).tolist()) == sorted(charges.tolist())
    assert data.digest(ions) != data.digest(molecules)
    assert data.digest(molecules.with_electrons(0 * charges)) == data.digest(molecules)
    assert "charges" not in data.diffusion_buckets(molecules, NoiseProcess())[0].extra
