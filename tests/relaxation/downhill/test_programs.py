"""GFN-xTB and MMFF94 through worker processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from relaxation_support import diffused
from threadpoolctl import threadpool_info, threadpool_limits

from morered.metrics.rmsd import rmsd
from morered.relaxation import Recording, RelaxationInterrupted, from_config, relax
from morered.relaxation.downhill import programs
from morered.relaxation.downhill.one_molecule import relax_one
from morered.relaxation.methods import preset
from morered.settings.relaxation import XtbMethod
from morered.structures import Structures


@pytest.fixture(scope="module")
def mixed(molecules: Structures) -> Structures:
    """Two small molecules a little displaced, a broken one and a far-fetched one among them."""
    small = diffused(molecules[[0, 1]], 30)
    bad = Structures.build(
        [[6, 1], [6] * 4], [[[0, 0, 0], [np.nan, 0, 0]], np.random.default_rng(0).normal(size=(4, 3))], ["nan", "c4"]
    )
    return Structures.concatenate([small[[0]], bad[[0]], small[[1]], bad[[1]]])


@pytest.mark.parametrize("relaxer", ["gfn2", "mmff94"])
def test_molecules_come_back_in_order_with_what_their_program_made_of_them(relaxer: str, mixed: Structures) -> None:
    method = from_config({"relaxer": relaxer, "timeout": 60})
    relaxation = relax(mixed, method, workers=1, recording=Recording(frames=True))
    relaxed = relaxation.structures
    assert np.array_equal(relaxed.ids, mixed.ids)
    assert relaxed.column("verdict")[[0, 2]].tolist() == [b"converged", b"converged"]
    assert relaxed.column("verdict")[1] == b"refused"
    assert relaxed.column("verdict")[3] in (b"converged", b"step-cap", b"refused", b"failed")
    direct = relax_one(mixed.molecule(2).numbers, mixed.molecule(2).positions, program=relaxer)
    expected = mixed[[2]].with_positions(direct.positions)
    assert rmsd(relaxed[[2]], expected)[0] < 1e-5  # the worker sees centred coordinates: rounding
    assert relaxed.column("steps")[2] == direct.steps[0]
    assert relaxed.column("first_fmax")[2] == pytest.approx(direct.values("first_fmax")[0], rel=1e-3)
    trajectories = relaxation.trajectories
    assert trajectories is not None
    assert trajectories.lengths[2] == direct.steps[0] + 1
    assert trajectories.trajectory(2).columns["energy"][-1] == pytest.approx(direct.energies[0], abs=1e-5)
    assert trajectories.lengths[1] == 0


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails what starts worker processes."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a worker process was started")

    monkeypatch.setattr(programs, "map_processes", refuse)


@pytest.mark.parametrize("relaxer", ["gfn2", "mmff94"])
def test_one_worker_is_this_process_and_gives_what_worker_processes_give(
    relaxer: str, mixed: Structures, request: pytest.FixtureRequest
) -> None:
    method = preset(relaxer)
    there = relax(mixed, replace(method, timeout=60), workers=1).structures
    request.getfixturevalue("no_processes")
    with threadpool_limits(2):  # as a user's process may have
        here = relax(mixed, method, workers=1).structures
        alone = relax(mixed[[2]], method).structures
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"} == {2}
    assert np.array_equal(here.positions, there.positions, equal_nan=True)
    for column in ("verdict", "reason", "steps", "last_fmax"):
        assert np.array_equal(here.column(column), there.column(column), equal_nan=column == "last_fmax"), column
    assert np.array_equal(alone.positions, there[[2]].positions)


def test_what_a_program_raises_here_is_a_verdict(mixed: Structures, monkeypatch: pytest.MonkeyPatch, no_processes: None) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no such\nparameter")

    monkeypatch.setattr(programs, "relax_molecule", fails)
    relaxed = relax(mixed[[0, 2]], preset("mmff94"), workers=1).structures
    assert relaxed.column("verdict").tolist() == [b"failed", b"failed"]
    assert relaxed.column("reason")[0] == b"RuntimeError: no such parameter"


@pytest.mark.parametrize(("method", "workers"), [({"timeout": 60}, 1), ({}, 2)])
def test_a_time_limit_or_several_workers_need_processes(
    mixed: Structures, method: dict, workers: int, no_processes: None
) -> None:
    with pytest.raises(AssertionError, match="process was started"):
        relax(mixed[[0, 2]], preset("mmff94", **method), workers=workers)


def test_a_task_over_its_time_fails_alone(mixed: Structures) -> None:
    method = XtbMethod("gfn2", timeout=1e-3)
    relaxed = relax(mixed[[0]], method, workers=1).structures
    assert relaxed.column("verdict")[0] == b"failed"
    assert b"time limit" in relaxed.column("reason")[0]
    assert np.array_equal(relaxed.positions, mixed[[0]].positions)


def test_ctrl_c_keeps_what_is_done(mixed: Structures, monkeypatch: pytest.MonkeyPatch) -> None:
    original = programs.map_processes

    def interrupted(*args, **kwargs):  # type: ignore[no-untyped-def]
        results = original(*args, **kwargs)
        yield next(results)
        results.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(programs, "map_processes", interrupted)
    with pytest.raises(RelaxationInterrupted) as caught:
        relax(mixed[[0, 2]], from_config({"relaxer": "gfn2"}), workers=1)
    part = caught.value.result.structures
    assert part.column("verdict").tolist() == [b"converged", b"failed"]
    assert part.column("reason")[1] == b"interrupted"
