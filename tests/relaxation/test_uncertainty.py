"""Spreads over runs and over atoms, against what they are by definition."""

import numpy as np
import pytest
import torch
from relaxation_support import Oracle, model
from torch import nn

from morered.models.networks import DiffusionOutput
from morered.relaxation import DiffusionMethod, uncertainty
from morered.relaxation.samplers.perturb import perturbed
from morered.relaxation.stages import relax_stages
from morered.relaxation.uncertainty import PERTURBATION, relax_repeatedly, seed_spread, time_spread
from morered.structures import Column


class TimesByElement(nn.Module):
    """Predicts for each atom its atomic number over ten: beyond 1 for all but hydrogen to fluorine."""

    def __init__(self, oracle: Oracle) -> None:
        super().__init__()
        self.config, self.elements, self.dtype = oracle.config, oracle.elements, torch.float64
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64), requires_grad=False)

    def forward(self, numbers, positions, mask):
        return DiffusionOutput(None, numbers.double() / 10 * mask, None)


def with_verdicts(structures, *failed):
    verdicts = np.array([b"failed" if m in failed else b"converged" for m in range(len(structures))], dtype="S9")
    return structures.with_columns({"verdict": Column(verdicts)})


def test_the_first_run_is_the_result_and_seeds_that_agree_have_no_spread(noisy, jt):
    method = DiffusionMethod(noise=jt, time=jt, move="jump")
    plain, again = relax_stages(noisy, [method], seed=3), relax_repeatedly(noisy, [method], 3, seed=3)
    np.testing.assert_array_equal(again.structures.positions, plain.structures.positions)
    np.testing.assert_array_equal(again.structures.column("reason"), plain.structures.column("reason"))
    # The oracle's minima are reached to rounding from any start.
    assert (again.structures.column("seed_spread") < 1e-3).all()


def test_stochastic_runs_that_are_cut_short_lie_apart_by_their_noise(noisy, jt):
    method = DiffusionMethod(noise=jt, time=jt, steps=20)
    spread = relax_repeatedly(noisy, [method], 3).structures.column("seed_spread")
    results = [relax_stages(noisy, [method], seed=k).structures for k in range(3)]
    np.testing.assert_allclose(spread, seed_spread(results), atol=1e-9)
    assert (spread > 0.01).all()


def test_the_spread_is_the_mean_rmsd_between_the_pairs_of_runs_that_relaxed_the_molecule(molecules):
    two = molecules[[0, 1]]
    stretched = two.with_positions(two.centred().positions * 1.1)
    twice = two.with_positions(two.centred().positions * 1.2)
    runs = [with_verdicts(two), with_verdicts(stretched, 1), with_verdicts(twice, 1)]
    radius = np.sqrt((two[[0]].centred().positions ** 2).sum(1).mean())
    # Stretching by a tenth moves each atom by a tenth of its distance from the centre: pairs differ by 1, 2 and 1 tenths.
    np.testing.assert_allclose(seed_spread(runs), [radius * (0.1 + 0.2 + 0.1) / 3, np.nan], rtol=1e-9)


def test_the_time_spread_is_the_standard_deviation_over_the_atoms(molecules, jt):
    method = DiffusionMethod(noise=jt, time=model(TimesByElement(jt.network)))
    results = with_verdicts(molecules, 2)
    expected = [np.minimum(m.numbers / 10, 1.0).std() for m in molecules]
    expected[2] = np.nan
    np.testing.assert_allclose(time_spread(results, method, batch_size=4), expected, atol=1e-12)


def test_perturbed_starts_do_not_depend_on_company_and_have_the_width_they_claim(molecules):
    moved = perturbed(molecules, PERTURBATION, 7).positions - molecules.positions
    backwards = molecules[::-1]
    np.testing.assert_array_equal(perturbed(backwards, PERTURBATION, 7)[::-1].positions - molecules.positions, moved)
    assert np.abs(perturbed(molecules, PERTURBATION, 8).positions - molecules.positions - moved).min() > 0
    # 800 deviates: their width is known to 2.5 % (one standard deviation).
    assert moved.std() == pytest.approx(PERTURBATION, rel=0.1)


def test_refused_molecules_have_no_spread_and_stay(noisy, jt):
    strange = noisy.with_positions(np.where(noisy.molecule_index[:, None] == 4, 0.0, noisy.positions))
    done = relax_repeatedly(strange, [DiffusionMethod(noise=jt, time=jt, move="jump")], 2).structures
    assert done.column("verdict")[4] == b"refused"
    nan = np.isnan([done.column("seed_spread"), done.column("time_spread")])
    assert nan[:, 4].all()
    assert nan.sum() == 2


def test_ctrl_c_in_a_further_run_keeps_the_first(noisy, jt, monkeypatch):
    method = DiffusionMethod(noise=jt, time=jt, move="jump")
    plain = relax_stages(noisy, [method])
    calls = []

    def interrupted_while_loading(*arguments, **options):
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return plain

    monkeypatch.setattr(uncertainty, "relax_stages", interrupted_while_loading)
    done = relax_repeatedly(noisy, [method], 4)
    assert len(calls) == 2
    assert done.interrupted
    np.testing.assert_array_equal(done.structures.positions, plain.structures.positions)
    assert np.isnan(done.structures.column("seed_spread")).all()


def test_one_run_has_no_spread(noisy, jt):
    with pytest.raises(ValueError, match="at least 2"):
        relax_repeatedly(noisy, [DiffusionMethod(noise=jt, time=jt)], 1)
