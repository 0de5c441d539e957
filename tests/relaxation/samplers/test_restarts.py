"""Doubtful results are tried again: which molecules, which result is taken, and what is kept of the others."""

from dataclasses import replace

import numpy as np
import pytest

from morered.metrics.rmsd import rmsd
from morered.relaxation import DiffusionMethod, Recording, from_config, relax
from morered.relaxation.codes import Code
from morered.relaxation.result import Result
from morered.relaxation.samplers.restarts import restarted
from morered.settings.relaxation import Restarts
from morered.trajectories import Recorder

#: How far along x the stub leaves the first atom of each start of a doubtful molecule: the input itself, then its restarts.
SHIFTS = {"": 3.0, "#1": 2.5, "#2": 1.5, "#3": 2.0}


class Stub:
    """A method whose results are known: the first start ends far from the input for every third molecule."""

    def __init__(self, first=Code.SETTLED, interrupted=False, shifts=SHIFTS, time=1.0):
        self.first, self.interrupted, self.shifts, self.time, self.calls = first, interrupted, shifts, time, []

    def __call__(self, structures, tell):
        self.calls.append(structures.names)
        outcome, recorder = Result.begin(structures), Recorder(structures.ids)
        for m, name in enumerate(structures.names):
            start = name[name.index("#") :] if "#" in name else ""
            far = start != "" or int(name.rpartition("-")[2]) % 3 == 0
            outcome.positions[structures.offsets[m], 0] += self.shifts[start] if far else 0.1
            outcome.code[m] = int(self.first if far and not start else Code.SETTLED)
            outcome.steps[m], outcome.seconds[m] = 10 + len(self.calls), 0.5
            recorder.add(
                [m], {"time": [self.shifts[start]]}, [outcome.positions[structures.offsets[m] : structures.offsets[m + 1]]]
            )
        outcome.values("first_time")[:] = self.time * len(self.calls)
        outcome.values("last_time")[:] = [0.1 * len(name) for name in structures.names]
        tell(len(structures), len(structures), int(outcome.steps.sum()))
        outcome.trajectories, outcome.interrupted = recorder.finish(), self.interrupted and len(self.calls) > 1
        return outcome


@pytest.fixture
def numbered(molecules):
    names = [f"m-{k}" for k in range(len(molecules))]
    return type(molecules).build([m.numbers for m in molecules], [m.positions for m in molecules], names).centred()


def quiet(done, of, steps):
    assert 0 <= done <= of


def test_only_far_results_are_tried_again_and_the_nearest_is_taken(numbered):
    stub = Stub()
    outcome = restarted(stub, Restarts(distance=0.3), 0)(numbered, quiet)
    assert not outcome.interrupted
    far = np.arange(len(numbered)) % 3 == 0
    assert stub.calls[1:] == [[f"m-{m}#{k}" for m in np.flatnonzero(far)] for k in (1, 2, 3)]
    first = numbered.offsets[:-1]
    moved = outcome.positions[first, 0] - numbered.positions[first, 0]
    # The restarts began beside the input, by 0.1 Å or so.
    np.testing.assert_allclose(moved[~far], 0.1)
    np.testing.assert_allclose(moved[far], 1.5, atol=0.5)
    np.testing.assert_array_equal(outcome.steps, np.where(far, 11 + 12 + 13 + 14, 11))
    np.testing.assert_allclose(outcome.seconds, np.where(far, 2.0, 0.5))
    assert (outcome.values("first_time") == 1).all()
    longer = 0.1 * np.array([len(name) + 2 * f for name, f in zip(numbered.names, far, strict=True)])
    np.testing.assert_allclose(outcome.values("last_time"), longer)
    assert [reason is not None and reason.endswith(", from restart 2 of 3") for reason in outcome.reasons] == far.tolist()
    np.testing.assert_array_equal(outcome.trajectories.columns["time"].values, np.where(far, 1.5, 3.0))
    np.testing.assert_array_equal(outcome.trajectories.ids, numbered.ids)
    ends = np.concatenate([path.frames[-1] for path in outcome.trajectories])
    np.testing.assert_allclose(ends, outcome.positions, atol=1e-5)


def test_the_first_result_that_is_near_enough_ends_the_tries(numbered):
    stub = Stub(shifts={"": 3.0, "#1": 2.5, "#2": 0.1, "#3": 0.0})
    outcome = restarted(stub, Restarts(distance=0.3), 0)(numbered, quiet)
    assert len(stub.calls) == 3
    far = np.arange(len(numbered)) % 3 == 0
    np.testing.assert_array_equal(outcome.steps, np.where(far, 11 + 12 + 13, 11))
    assert [reason is not None and reason.endswith(", from restart 2 of 3") for reason in outcome.reasons] == far.tolist()


@pytest.mark.parametrize(("time", "looks"), [(0.01, 4), (0.81, 1), (np.nan, 4)])
def test_a_result_within_reach_of_the_predicted_time_is_not_doubtful(numbered, time, looks):
    shift = 3.0 / np.sqrt(numbered.sizes.max())  # at least the RMSD of such a shift of one atom in the largest molecule
    stub = Stub(shifts=dict.fromkeys(SHIFTS, shift), time=time)
    restarted(stub, Restarts(distance=0.05, reach=1.0), 0)(numbered, quiet)
    assert len(stub.calls) == looks


def test_a_result_with_noise_in_it_is_doubtful_however_near(numbered):
    stub = Stub(shifts=dict.fromkeys(SHIFTS, 0.1))
    restarted(stub, Restarts(distance=50.0, clean_below=0.35), 0)(numbered, quiet)
    # the stub's last time is a tenth of the letters in the name: three for the first ten molecules, and five for a restart
    assert stub.calls[1:] == [[f"m-{m}#{k}" for m in range(10, len(numbered))] for k in (1, 2, 3)]
    calm = Stub(shifts=dict.fromkeys(SHIFTS, 0.1))
    restarted(calm, Restarts(distance=50.0), 0)(numbered, quiet)
    assert len(calm.calls) == 1


def test_of_brief_starts_the_nearest_is_relaxed_in_full(numbered):
    look = Stub(shifts={"#1": 2.0, "#2": 1.2, "#3": 1.6})
    stub = Stub(shifts={"": 3.0, "#2": 0.7})  # a KeyError where any other start is relaxed in full
    outcome = restarted(stub, Restarts(distance=0.1, steps=5), 0, look)(numbered, quiet)
    assert not outcome.interrupted
    far = np.arange(len(numbered)) % 3 == 0
    assert look.calls == [[f"m-{m}#{k}" for m in np.flatnonzero(far)] for k in (1, 2, 3)]
    assert stub.calls[1:] == [[f"m-{m}#2" for m in np.flatnonzero(far)]]
    moved = outcome.positions[numbered.offsets[:-1], 0] - numbered.positions[numbered.offsets[:-1], 0]
    np.testing.assert_allclose(moved[far], 0.7, atol=0.5)  # the starts began beside the input
    np.testing.assert_array_equal(outcome.steps, np.where(far, 11 + (11 + 12 + 13) + 12, 11))
    np.testing.assert_array_equal(outcome.trajectories.columns["time"].values, np.where(far, 0.7, 3.0))
    assert [reason is not None and reason.endswith(", from restart 2 of 3") for reason in outcome.reasons] == far.tolist()


def test_different_starts_are_relaxed_in_full_together(numbered):
    far = np.flatnonzero(np.arange(len(numbered)) % 3 == 0)

    class Own(Stub):
        """The first restart is near for the first doubtful molecule alone, the second for all."""

        def __call__(self, structures, tell):
            self.shifts = {"#1": 2.0, "#2": 1.0, "#3": 2.0}
            outcome = super().__call__(structures, tell)
            if structures.names[0].endswith("#1"):
                atom = structures.offsets[0]
                outcome.positions[atom, 0] = structures.positions[atom, 0]
            return outcome

    stub = Stub(shifts={"": 3.0, "#1": 0.5, "#2": 0.6})
    outcome = restarted(stub, Restarts(tries=2, distance=0.4, width=1e-3, steps=5), 0, Own())(numbered, quiet)
    assert stub.calls[1] == [f"m-{m}#{1 if m == far[0] else 2}" for m in far]
    moved = outcome.positions[numbered.offsets[:-1], 0] - numbered.positions[numbered.offsets[:-1], 0]
    np.testing.assert_allclose(moved[far], np.where(far == far[0], 0.5, 0.6), atol=0.01)


def test_brief_starts_are_no_longer_than_the_method():
    method = DiffusionMethod(noise="x", time="x", move="jump", steps=4, restarts=Restarts(steps=10))
    assert method.brief.steps == 4
    assert replace(method, steps=40).brief.steps == 10


def test_a_start_that_ends_further_away_after_all_is_not_taken(numbered):
    look, stub = Stub(shifts={"#1": 1.0, "#2": 2.0, "#3": 2.0}), Stub(shifts={"": 3.0, "#1": 9.0})
    outcome = restarted(stub, Restarts(distance=0.1, steps=5), 0, look)(numbered, quiet)
    plain = Stub()(numbered, quiet)
    np.testing.assert_array_equal(outcome.positions, plain.positions)
    assert (outcome.steps > plain.steps).any()


def test_ctrl_c_in_the_full_relaxation_keeps_the_first_results(numbered):
    look, stub = Stub(shifts={"#1": 1.0, "#2": 2.0, "#3": 2.0}), Stub(interrupted=True)
    outcome = restarted(stub, Restarts(distance=0.1, steps=5), 0, look)(numbered, quiet)
    plain = Stub()(numbered, quiet)
    assert outcome.interrupted
    np.testing.assert_array_equal(outcome.positions, plain.positions)


def test_a_molecule_that_broke_down_is_tried_again(numbered):
    outcome = restarted(Stub(Code.EXPLODED), Restarts(distance=50.0), 0)(numbered, quiet)
    assert (outcome.code == int(Code.SETTLED)).all()
    assert (outcome.steps > 11).sum() == -(-len(numbered) // 3)


def test_what_no_start_can_mend_is_not_tried_again(numbered):
    stub = Stub(Code.OUT_OF_MEMORY)
    outcome = restarted(stub, Restarts(distance=0.3), 0)(numbered, quiet)
    assert len(stub.calls) == 1
    assert (outcome.code == int(Code.OUT_OF_MEMORY)).any()


def test_ctrl_c_in_the_second_look_keeps_the_first_results(numbered):
    outcome = restarted(Stub(interrupted=True), Restarts(distance=0.3), 0)(numbered, quiet)
    plain = Stub()(numbered, quiet)
    assert outcome.interrupted
    np.testing.assert_array_equal(outcome.positions, plain.positions)
    np.testing.assert_array_equal(outcome.steps, plain.steps)
    np.testing.assert_array_equal(outcome.trajectories.columns["time"].values, plain.trajectories.columns["time"].values)


@pytest.mark.parametrize("steps", [0, 6])
def test_restarts_of_a_real_method_end_in_the_minimum_with_their_steps_counted(noisy, molecules, methods, steps):
    plain = relax(noisy, methods["accelerated"]).structures
    restarts = replace(methods["restarted"].restarts, steps=steps)
    done = relax(noisy, replace(methods["restarted"], restarts=restarts), recording=Recording(frames=True))
    assert (rmsd(done.structures.without_columns(), molecules) < 0.02).all()
    again = done.structures.column("steps") > plain.column("steps")
    doubtful = rmsd(plain.without_columns(), noisy.without_columns()) > 0.6
    assert 0 < doubtful.sum() < len(noisy)
    np.testing.assert_array_equal(again, doubtful)
    np.testing.assert_array_equal(done.structures.column("first_time"), plain.column("first_time"))
    assert (done.trajectories.lengths <= done.structures.column("steps")).all()


def test_restarts_need_moves_that_jump():
    with pytest.raises(ValueError, match=r"m\.restarts: they go with the moves jump and accelerated"):
        from_config({"relaxer": "morered", "model": "x", "restarts": {"tries": 1}}, "m")
    with pytest.raises(ValueError, match=r"m\.restarts\.tries: 0 is impossible: it must be at least 1"):
        from_config({"relaxer": "morered", "model": "x", "move": "jump", "restarts": {"tries": 0}}, "m")
    with pytest.raises(ValueError, match=r"m\.restarts\.reach: -1 is impossible: it must be at least 0"):
        from_config({"relaxer": "morered", "model": "x", "move": "jump", "restarts": {"reach": -1}}, "m")
    with pytest.raises(ValueError, match=r"m\.restarts\.steps: -1 is impossible: it must be at least 0"):
        from_config({"relaxer": "morered", "model": "x", "move": "jump", "restarts": {"steps": -1}}, "m")
    with pytest.raises(ValueError, match=r"m\.restarts\.clean_below: 2 is impossible: it must be at most 1"):
        from_config({"relaxer": "morered", "model": "x", "move": "jump", "restarts": {"clean_below": 2}}, "m")
    method = from_config({"relaxer": "morered", "model": "x", "move": "jump", "restarts": {}}, "m")
    assert isinstance(method, DiffusionMethod)
    assert method.restarts == Restarts()
