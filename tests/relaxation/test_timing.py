"""Seconds of single steps."""

import numpy as np
import pytest
from relaxation_support import minima, untrained_joint

from morered.relaxation import timing
from morered.structures import Column, Structures


@pytest.fixture(scope="module")
def molecules():
    return minima()


@pytest.fixture
def weights_file(tmp_path, molecules):
    return untrained_joint(tmp_path / "jt.safetensors", molecules)


def test_seconds_of_a_step_alone_and_in_a_batch(molecules, weights_file):
    config = {"relaxer": "morered", "noise": weights_file, "time": weights_file, "schedule": "initial"}
    # An untrained network blows structures up within a few steps, so that some have no further ones to time.
    table = timing.measure({"A": config, "B": {**config, "steps": 1000}}, molecules[:3], batch=4, steps=2)
    assert table["method"].tolist() == ["A", "B"]
    assert table["batch"].tolist() == [4, 4]
    assert (table[["seconds_per_step", "seconds_per_batch_step"]].fillna(0) >= 0).all(axis=None)


def test_the_time_of_a_step_is_the_difference_of_two_runs(molecules, monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 27.0])  # 9 s with loading, 2 s for 2 steps, 7 s for 12

    def relax(structures, method, **_):
        taken = structures.with_columns({"steps": Column(np.full(len(structures), method.steps))})
        return type("Result", (), {"structures": taken})

    monkeypatch.setattr(timing, "relax", relax)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    method = timing.from_config({"relaxer": "so3lr"})
    assert timing._seconds(method, molecules[:2], 10, "cpu") == pytest.approx(0.5)


def test_programs_have_no_steps_in_batches(molecules):
    with pytest.raises(ValueError, match="GFN2-xTB"):
        timing.measure({"GFN2-xTB": {"relaxer": "gfn2"}}, molecules)


def test_one_molecule_is_repeated_to_fill_a_batch(molecules, monkeypatch):
    seen: list[Structures] = []
    monkeypatch.setattr(timing, "_seconds", lambda method, structures, steps, device: seen.append(structures) or 1.0)
    timing.measure({"SO3LR": {"relaxer": "so3lr"}}, molecules[:2], batch=5)
    alone, together = seen
    assert len(alone) == 1
    assert [m.numbers.tolist() for m in together] == [molecules.molecule(k % 2).numbers.tolist() for k in range(5)]
    assert len(set(together.names)) == 5  # noise goes by the id
