"""One process stopped at several caps, killed and gone on with."""

import numpy as np
import pytest
from relaxation_support import Oracle, minima, model

from morered.generation import caps as module
from morered.generation import sampling
from morered.generation.caps import generate_to_caps
from morered.metrics.rmsd import rmsd


@pytest.fixture(scope="module")
def known():
    """Three small minima; the oracle knows them by their elements."""
    molecules = minima()
    return molecules[np.argsort(molecules.sizes)[:3]]


@pytest.fixture(scope="module")
def jt(known):
    return sampling.preset("jt", model(Oracle(known, "morered-jt")))


def test_one_process_stopped_at_several_caps(known, jt):
    caps = [50, 100, 2000]
    placeless = known.with_positions(np.zeros_like(known.positions))
    at = generate_to_caps(placeless, jt, caps)
    n = len(known)
    first, middle, last = (at[k * n : (k + 1) * n] for k in range(3))
    assert at.column("cap").tolist() == np.repeat(caps, n).tolist()
    assert at.names[:n] == [f"{name}@50" for name in known.names]
    assert at.references.tolist() == known.ids.tolist() * 3
    stopped = sampling.generate(placeless, sampling.preset("jt", jt.noise, steps=50)).structures
    np.testing.assert_array_equal(first.positions, stopped.positions)
    for cap, part in zip(caps[:2], (first, middle), strict=True):
        going = part.column("verdict") == b"step-cap"
        assert going.any()
        assert (part.column("steps")[going] == cap).all()
        assert (part.column("steps")[~going] <= cap).all()
    assert last.column("verdict").tolist() == [b"converged"] * n
    assert (rmsd(known, last) < 0.05).all()
    assert (rmsd(known, first) > 0.3).all()


def test_a_molecule_that_ended_stays_as_it_is_at_further_caps(known, jt):
    placeless = known.with_positions(np.zeros_like(known.positions))
    at = generate_to_caps(placeless, jt, [2000, 3000])
    n = len(known)
    assert (at.column("steps")[:n] < 2000).all()
    np.testing.assert_array_equal(at.positions[: known.n_atoms], at.positions[known.n_atoms :])
    assert at.column("steps")[:n].tolist() == at.column("steps")[n:].tolist()


@pytest.mark.parametrize("caps", [[], [10, 5], [5, 5], [0, 5]])
def test_caps_ascend(known, jt, caps):
    with pytest.raises(ValueError, match="ascend"):
        generate_to_caps(known, jt, caps)


def test_a_run_that_was_killed_goes_on_from_its_last_stretch(known, jt, tmp_path, monkeypatch):
    """It takes up what was stored, computes what was not, and comes to the same end as one that was left alone."""
    monkeypatch.setattr(module, "STAGE", 30)
    placeless = known.with_positions(np.zeros_like(known.positions))
    caps = [40, 75, 2000]
    undisturbed = generate_to_caps(placeless, jt, caps)
    lengths = []

    def interrupted(structures, method, **options):
        lengths.append(method.steps)
        if len(lengths) == 4:
            raise KeyboardInterrupt
        return sampling.relax(structures, method, **options)

    monkeypatch.setattr(module, "relax", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate_to_caps(placeless, jt, caps, folder=tmp_path, key="sampler")
    assert lengths == [30, 10, 20, 15]  # to 30, 40, 60 and, in vain, 75
    assert len(list(tmp_path.iterdir())) == 3
    resumed = generate_to_caps(placeless, jt, caps, folder=tmp_path, key="sampler")
    assert lengths[4] == 15
    assert resumed.same_as(undisturbed)
    lengths[:] = [0] * 5
    assert generate_to_caps(placeless, jt, caps, folder=tmp_path, key="sampler").same_as(undisturbed)
    assert len(lengths) == 5  # nothing is left to do
    for key, others in (("other weights", placeless), ("sampler", placeless[[0, 2]])):
        lengths[:] = [0] * 5
        generate_to_caps(others, jt, caps, folder=tmp_path, key=key)
        assert lengths[5] == 30  # from the start


def test_a_method_that_starts_from_the_input_is_refused(known, jt):
    with pytest.raises(ValueError, match="starts from noise"):
        generate_to_caps(known, sampling.DiffusionMethod(noise=jt.noise, time=jt.time), [5])
