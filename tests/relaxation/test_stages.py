"""Methods one after another: what is kept of each."""

from dataclasses import replace

import numpy as np
import pytest
from relaxation_support import Oracle, model

from morered.metrics.rmsd import rmsd
from morered.relaxation import DiffusionMethod, Recording, stages
from morered.relaxation.merging import merged, start_of
from morered.relaxation.stages import relax_stages
from morered.structures import Column


@pytest.fixture
def two(jt):
    return [
        DiffusionMethod(noise=jt, time=jt, move="jump", damping=0.3, steps=2),
        DiffusionMethod(noise=jt, time=jt, move="jump"),
    ]


def test_steps_of_each_stage_are_recorded_frames_of_the_first_alone(noisy, two):
    done = relax_stages(noisy, two, recording=Recording(frames=True))
    assert not done.interrupted
    (second,) = done.further
    assert done.trajectories.frames is not None
    assert second.frames is None
    assert (done.trajectories.lengths == 2).all()
    np.testing.assert_array_equal(done.trajectories.lengths + second.lengths, done.structures.column("steps"))
    assert relax_stages(noisy, two).further == ()


def test_the_distance_moved_is_from_the_input_of_the_first_stage(noisy, two):
    done = relax_stages(noisy, two).structures
    assert done.column("moved") == pytest.approx(rmsd(done.without_columns(), noisy.without_columns()), abs=1e-12)
    first = relax_stages(noisy, two[:1]).structures.column("moved")
    kept = np.isfinite(first)  # what the first stage left worse than its input was not taken
    assert kept.any()
    assert (done.column("moved")[kept] > first[kept] + 0.01).all()


def test_what_one_stage_refuses_or_fails_on_the_next_one_tries_from_the_input(noisy, molecules, jt):
    narrow, broken = Oracle(molecules, "morered-jt"), Oracle(molecules, "morered-jt", broken=7)
    narrow.elements -= {8}
    whole = DiffusionMethod(noise=jt, time=jt, move="jump")
    oxygen, nitrogen = (np.array([z in m.numbers for m in noisy]) for z in (8, 7))
    for first, lost, word in ((narrow, oxygen, "refused"), (broken, nitrogen, "failed")):
        assert 0 < lost.sum() < len(noisy)
        half = replace(whole, noise=model(first), time=None, schedule="fixed", start_step=100, steps=3)
        assert set(relax_stages(noisy, [half]).structures.column("verdict")[lost].tolist()) == {word.encode()}
        done = relax_stages(noisy, [half, whole]).structures
        assert set(done.column("verdict").tolist()) == {b"converged"}
        assert (rmsd(done.without_columns(), molecules) < 0.02).all()
        said = np.array([f"the method before it {word}: " in reason.decode() for reason in done.column("reason")])
        np.testing.assert_array_equal(said, lost)
        assert np.isfinite(done.column("moved")).all()
    nothing = relax_stages(noisy, [replace(half, noise=model(narrow))] * 2).structures
    assert set(nothing.column("verdict")[oxygen].tolist()) == {b"refused"}
    assert not any(b"before it" in reason for reason in nothing.column("reason").tolist())


def test_what_was_changed_and_then_refused_stands_at_the_input_and_has_not_moved(noisy, molecules, two):
    narrow = Oracle(molecules, "morered-jt")
    narrow.elements -= {8}
    oxygen = np.array([8 in m.numbers for m in noisy])
    done = relax_stages(noisy, two[1:])
    verdicts = np.where(oxygen, b"changed", done.structures.column("verdict"))
    done.structures = done.structures.with_columns({"verdict": Column(verdicts)})
    start = start_of(noisy, done.structures)
    further = relax_stages(start, [replace(two[1], noise=model(narrow), time=model(narrow))])
    both = merged(noisy, start, done, further).structures
    assert set(both.column("verdict")[oxygen].tolist()) == {b"refused"}
    np.testing.assert_array_equal(np.isnan(both.column("moved")), oxygen)
    np.testing.assert_array_equal(both[oxygen].positions, noisy[oxygen].positions)


def test_ctrl_c_before_a_further_stage_begins_keeps_the_results_of_the_one_before(noisy, two, monkeypatch):
    first = relax_stages(noisy, two[:1])
    relax, calls = stages.relax, []

    def interrupted_while_loading(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return relax(*arguments, **options)

    monkeypatch.setattr(stages, "relax", interrupted_while_loading)
    done = relax_stages(noisy, two)
    assert done.interrupted
    np.testing.assert_array_equal(done.structures.positions, first.structures.positions)
    np.testing.assert_array_equal(done.structures.column("verdict"), first.structures.column("verdict"))
