import numpy as np
import pytest
import torch

from morered.batching import BUCKETS, batches, bucket_of, pad, unpad
from morered.diffusion.random_numbers import molecule_keys
from morered.structures import Structures


@pytest.fixture
def structures() -> Structures:
    generator = np.random.default_rng(0)
    sizes = [3, 9, 1, 23, 12]
    return Structures.build(
        numbers=[generator.integers(1, 10, n) for n in sizes],
        positions=[generator.normal(size=(n, 3)) for n in sizes],
        ids=[f"m{k}" for k in range(len(sizes))],
    )


def test_a_bucket_is_the_smallest_that_holds_the_molecule():
    assert [bucket_of(n) for n in (0, 1, 8, 9, 12, 13, 23, 24)] == [8, 8, 8, 12, 12, 14, 24, 24]
    assert bucket_of(BUCKETS[-1] + 1) == BUCKETS[-1] + 64
    with pytest.raises(ValueError, match="-1 atoms"):
        bucket_of(-1)


def test_padding_and_back_gives_the_same_molecules(structures):
    batch = pad(structures)
    assert batch.numbers.shape == (5, 24)
    assert batch.sizes.tolist() == structures.sizes.tolist()
    assert torch.all(batch.numbers[~batch.mask] == 0)
    assert torch.all(batch.positions[~batch.mask] == 0)
    np.testing.assert_array_equal(unpad(batch.positions, batch.mask), structures.positions)
    np.testing.assert_array_equal(unpad(batch.numbers, batch.mask), structures.numbers)


def test_chosen_molecules_come_in_the_order_given(structures):
    batch = pad(structures, index=[2, 0], dtype=torch.float32)
    assert batch.numbers.shape == (2, 8)
    assert batch.positions.dtype == torch.float32
    assert batch.sizes.tolist() == [1, 3]
    np.testing.assert_array_equal(batch.keys.numpy(), molecule_keys(structures.ids)[[2, 0]])


def test_a_molecule_too_large_for_the_batch_is_named(structures):
    with pytest.raises(ValueError, match="'m3' has 23 atoms, more than the 16"):
        pad(structures, n_padded=16)


def test_batches_hold_each_molecule_once_and_waste_little():
    generator = np.random.default_rng(1)
    sizes = np.clip(np.round(generator.normal(15.4, 3, 1000)), 4, 23).astype(int)
    parts = list(batches(sizes, batch_size=32))
    assert np.array_equal(np.sort(np.concatenate([index for index, _ in parts])), np.arange(1000))
    assert all(len(index) <= 32 and sizes[index].max() <= n for index, n in parts)
    pairs = sum(len(index) * n**2 for index, n in parts)
    assert pairs < 1.25 * (sizes**2).sum()


def test_batches_can_keep_the_order():
    parts = list(batches(np.array([5, 6, 20, 7]), batch_size=2, order="given"))
    assert [(index.tolist(), n) for index, n in parts] == [([0, 1], 8), ([2], 20), ([3], 8)]
