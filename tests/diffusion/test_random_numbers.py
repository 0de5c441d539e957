"""Philox against the published vectors, and normal deviates that depend on seed, molecule, step and atom alone."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from morered.diffusion import random_numbers

# kat_vectors of the Random123 distribution: counter, key, philox4x32 with 10 rounds
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

# seed 1, molecule qm7/0001, step 2, atom 0: from Philox in Python integers and Box-Muller with the math module
DRAWN = [0.6327705787759161, 0.9723511366334593, -1.2907848647519002]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_words(counter: tuple, key: tuple, expected: tuple) -> None:
    assert tuple(random_numbers.philox4x32(torch.tensor(counter), key).tolist()) == expected
    many = torch.tensor(counter).reshape(4, 1, 1).expand(4, 2, 3)
    assert torch.equal(random_numbers.philox4x32(many, key), torch.tensor(expected).reshape(4, 1, 1).expand(4, 2, 3))


def test_logarithm_and_circle_are_accurate() -> None:
    x = torch.cat([torch.rand(100_000, dtype=torch.float64), torch.tensor([2.0**-33, 0.25, 0.5, math.sqrt(0.5), 1 - 2.0**-33])])
    # a few units in the last place of the largest value, 23 and 1
    torch.testing.assert_close(random_numbers._log(x), x.log(), rtol=0, atol=8e-15)
    cosine, sine = random_numbers._cos_sin_turns(x)
    torch.testing.assert_close(cosine, torch.cos(2 * math.pi * x), rtol=0, atol=2e-15)
    torch.testing.assert_close(sine, torch.sin(2 * math.pi * x), rtol=0, atol=2e-15)


def test_deviates_are_standard_normal() -> None:
    sample = random_numbers.normal(3, torch.arange(2000), 5, 20)
    assert sample.shape == (2000, 20, 3)
    assert sample.dtype == torch.float64
    flat = sample.flatten().numpy()
    n = len(flat)
    # each within five standard errors: one failure in 10^6 for a correct generator, and the seed is fixed
    assert abs(flat.mean()) < 5 / math.sqrt(n)
    assert abs(flat.var() - 1) < 5 * math.sqrt(2 / n)
    assert abs(stats.skew(flat)) < 5 * math.sqrt(6 / n)
    assert abs(stats.kurtosis(flat)) < 5 * math.sqrt(24 / n)
    for component in range(3):
        assert stats.kstest(sample[..., component].flatten().numpy(), "norm").pvalue > 1e-3
    correlation = np.corrcoef(sample.reshape(-1, 3).numpy().T)
    assert np.abs(correlation - np.eye(3)).max() < 5 / math.sqrt(n / 3)
    # squares too: the two of one Box-Muller pair are dependent if the angle is not uniform
    assert np.abs(np.corrcoef(sample.reshape(-1, 3).square().numpy().T) - np.eye(3)).max() < 5 / math.sqrt(n / 3)


def test_neighbouring_counters_are_independent() -> None:
    keys = torch.arange(5000)
    base = random_numbers.normal(1, keys, 7, 4)
    others = {
        "step": random_numbers.normal(1, keys, 8, 4),
        "seed": random_numbers.normal(2, keys, 7, 4),
        "molecule": base.roll(1, 0),
        "atom": base.roll(1, 1),
    }
    for name, other in others.items():
        r = np.corrcoef(base.flatten(), other.flatten())[0, 1]
        assert abs(r) < 5 / math.sqrt(base.numel()), name


def test_a_value_depends_on_its_counter_alone() -> None:
    keys = torch.from_numpy(random_numbers.molecule_keys(np.array([f"qm7/{i:04d}".encode() for i in range(13)])))
    steps = torch.arange(13) * 70
    whole = random_numbers.normal(11, keys, steps, 23)
    assert torch.equal(whole, random_numbers.normal(11, keys, steps, 23))
    order = torch.randperm(13)
    assert torch.equal(whole[order], random_numbers.normal(11, keys[order], steps[order], 23))
    assert torch.equal(whole[:, :9], random_numbers.normal(11, keys, steps, 9))
    for i in (0, 5, 12):  # alone, at any padding, with the step as a number: bit by bit
        assert torch.equal(whole[i : i + 1, :7], random_numbers.normal(11, keys[i : i + 1], int(steps[i]), 7))
    assert torch.equal(whole.float(), random_numbers.normal(11, keys, steps, 23, dtype=torch.float32))


def test_all_of_seed_key_and_step_count() -> None:
    key = torch.tensor([5])
    base = random_numbers.normal(1, key, 2, 3)
    for other in (
        random_numbers.normal(1 + 2**32, key, 2, 3),
        random_numbers.normal(-1, key, 2, 3),
        random_numbers.normal(1, key + 2**32, 2, 3),
        random_numbers.normal(1, -key, 2, 3),
        random_numbers.normal(1, key, 2 + 2**20, 3),
    ):
        assert (base != other).all()


def test_keys_and_streams_never_change() -> None:
    ids = np.array([b"qm7/0001", b"qm7/0002", b"a much longer identity", b""])
    keys = random_numbers.molecule_keys(ids)
    assert keys.dtype == np.int64
    assert len(set(keys.tolist())) == 4
    # printf qm7/0001 | b2sum -l 64
    assert keys[0] == int.from_bytes(bytes.fromhex("532e20ecba3ed146"), "little", signed=True)
    assert random_numbers.molecule_keys(np.empty(0, dtype="S1")).shape == (0,)
    assert random_numbers.stream(3, "training", "steps") == 7185962990622810628
    assert random_numbers.stream(3, "a", "b") != random_numbers.stream(3, "ab")
    # what all results rest on: the first deviates of a known counter
    drawn = random_numbers.normal(1, torch.from_numpy(keys[:1]), 2, 1)[0, 0]
    torch.testing.assert_close(drawn, torch.tensor(DRAWN, dtype=torch.float64), rtol=0, atol=1e-15)


def test_steps_are_uniform_and_reproducible() -> None:
    keys = torch.arange(50_000)
    steps = random_numbers.random_steps(9, keys, 3, 50)
    counts = torch.bincount(steps, minlength=50)
    assert len(counts) == 50
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    assert torch.equal(steps[100:200], random_numbers.random_steps(9, keys[100:200], 3, 50))
    assert (steps != random_numbers.random_steps(9, keys, 4, 50)).float().mean() > 0.9
    deviates = random_numbers.uniform(9, keys[:1000], 3, 2)
    assert deviates.shape == (1000, 2, 4)
    assert stats.kstest(deviates.flatten().numpy(), "uniform").pvalue > 1e-3


def test_steps_can_be_drawn_more_often_where_they_are_small() -> None:
    keys = torch.arange(50_000)
    for power in (2, 3):
        steps = random_numbers.random_steps(9, keys, 3, 50, power)
        edges = (np.arange(51) / 50) ** (1 / power)  # T u^p < k where u < (k / T)^(1/p)
        counts = torch.bincount(steps, minlength=50).numpy()
        assert len(counts) == 50
        assert stats.chisquare(counts, np.diff(edges) * len(keys)).pvalue > 1e-3
    assert torch.equal(random_numbers.random_steps(9, keys, 3, 50, 1), random_numbers.random_steps(9, keys, 3, 50))


def test_centring_ignores_padding() -> None:
    mask = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    x = torch.randn(3, 3, 3, dtype=torch.float64)
    centred = random_numbers.centre(x, mask)
    assert (centred[~mask] == 0).all()
    torch.testing.assert_close(centred.sum(1), torch.zeros(3, 3, dtype=torch.float64), atol=1e-14, rtol=0)
    torch.testing.assert_close(centred[0, 0] - centred[0, 1], x[0, 0] - x[0, 1])
    assert torch.isfinite(centred).all()


@pytest.mark.gpu
def test_the_device_changes_nothing() -> None:
    keys, steps = torch.arange(200) * 977, torch.arange(200)
    here = random_numbers.normal(4, keys, steps, 23)
    # additions, multiplications, divisions and square roots are rounded exactly everywhere; one unit in the last place is granted
    torch.testing.assert_close(random_numbers.normal(4, keys, steps, 23, device="cuda").cpu(), here, rtol=0, atol=1e-15)
    for power in (1, 2):
        there = random_numbers.random_steps(4, keys.cuda(), 1, 1000, power).cpu()
        assert torch.equal(there, random_numbers.random_steps(4, keys, 1, 1000, power))
