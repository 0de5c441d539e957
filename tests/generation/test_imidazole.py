"""Imidazole through the forward process and back."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "relaxation"))  # for relaxation_support

from relaxation_support import Oracle, model

from morered.chemistry import bonds
from morered.datasets.graphs import perceive
from morered.diffusion.schedule import NoiseSchedule
from morered.generation import imidazole
from morered.metrics.rmsd import rmsd
from morered.structures import Column, as_names
from morered.trajectories import Trajectories


def test_imidazole_is_imidazole():
    molecule = imidazole.imidazole().molecule(0)
    assert perceive(molecule.numbers, molecule.positions)[1] == "c1c[nH]cn1"
    lengths = [
        np.linalg.norm(molecule.positions[i] - molecule.positions[j]) for i, j in bonds(molecule.numbers, molecule.positions)
    ]
    assert len(lengths) == 9
    assert 0.99 < min(lengths) < 1.02  # N-H
    assert 1.36 < max(lengths) < 1.40  # ring, aromatic


def test_the_walk_starts_at_the_minimum_and_stays_centred():
    there = imidazole.forward(imidazole.imidazole(), (0, 5, 1000))
    np.testing.assert_allclose(there.molecule(0).positions, imidazole.imidazole().positions, rtol=1e-14, atol=1e-15)
    for molecule in there:
        np.testing.assert_allclose(molecule.positions.mean(axis=0), 0, atol=1e-12)
    assert there.names == ["imidazole-t0", "imidazole-t5", "imidazole-t1000"]
    assert np.linalg.norm(there.molecule(1).positions - there.molecule(0).positions) < 0.5


def test_the_walk_has_the_moments_of_equation_2():
    schedule, walks = NoiseSchedule(T=12), 250
    minimum = imidazole.imidazole()
    ends = np.stack([imidazole.forward(minimum, (0, 6), seed=k, schedule=schedule).molecule(1).positions for k in range(walks)])
    alpha_bar = float(schedule.alpha_bar[5])
    variance = (1 - alpha_bar) * (1 - 1 / minimum.n_atoms)  # of centred noise
    error = np.abs(ends.mean(axis=0) - np.sqrt(alpha_bar) * minimum.positions) / np.sqrt(variance / walks)
    assert error.max() < 5  # standard errors, 27 coordinates
    # The pooled variance of 27 x 250 coordinates has a relative standard error of sqrt(2 / (24 x 250)) = 0.018.
    assert ends.var(axis=0).mean() == pytest.approx(variance, rel=0.08)


def test_frames_of_the_reverse_process_are_those_of_the_steps_shown():
    minimum = imidazole.imidazole()
    frames = np.stack([np.full((9, 3), k) for k in range(10)]).astype(np.float32)  # after the step at t = 10, 9, ..., 1
    recorded = Trajectories(
        as_names(["imidazole"]),
        np.array([0, 10]),
        {"time": Column(np.arange(9, -1, -1) / 9)},
        frames.reshape(-1, 3),
        np.array([0, 90]),
    )
    schedule = NoiseSchedule(T=10)
    back = imidazole.backward(recorded, minimum, (0, 3, 9, 10), schedule=schedule)
    # The frame after the step at t = 10 is the structure at t = 9, the last one that at t = 0; at t = 10 it started.
    assert [float(back[t].positions[0, 0]) for t in (0, 3, 9)] == [9, 6, 0]
    np.testing.assert_array_equal(back[10].positions, minimum.positions)
    without = Trajectories(recorded.ids, recorded.offsets, recorded.columns)
    with pytest.raises(ValueError, match="without frames"):
        imidazole.backward(without, minimum, (0, 3), schedule=schedule)


def test_what_a_process_that_broke_off_did_not_reach_is_not_shown():
    frames = np.zeros((3 * 9, 3), np.float32)  # after the steps at t = 10, 9, 8: it stopped at t = 7
    broken = Trajectories(
        as_names(["imidazole"]), np.array([0, 3]), {"time": Column(np.array([9, 8, 7]) / 9)}, frames, np.array([0, 27])
    )
    back = imidazole.backward(broken, imidazole.imidazole(), (0, 6, 7, 10), schedule=NoiseSchedule(T=10))
    assert sorted(back) == [7, 10]


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1000"):
        imidazole.forward(imidazole.imidazole(), (0, 1001))
    with pytest.raises(ValueError, match="one molecule"):
        imidazole.forward(imidazole.imidazole()[[0, 0]], (0, 1))


def test_an_exact_network_takes_imidazole_back():
    steps = (0, 100, 250)
    recorded = imidazole.record_reverse(model(Oracle(imidazole.imidazole(), "noise")), steps)
    assert len(recorded.trajectory(0).columns["time"]) == 250
    start = imidazole.forward(imidazole.imidazole(), steps)[-1]
    back = imidazole.backward(recorded, start, steps)
    ends = [float(rmsd(structure, imidazole.imidazole())[0]) for structure in (back[0], back[100], start)]
    assert ends[0] < 0.02 < ends[1] < ends[2]  # Å: what the noise of the last step, 0.003, and its rounding leave


def test_a_network_without_noise_is_refused():
    with pytest.raises(ValueError, match="noise"):
        imidazole.record_reverse(model(Oracle(imidazole.imidazole(), "time")))


def test_both_processes_stand_in_one_table():
    steps, network = (0, 50, 100), model(Oracle(imidazole.imidazole(), "noise"))
    _, table = imidazole.processes(network, steps)
    assert table.groupby("process", sort=False)["t"].unique().map(list).to_dict() == {
        "forward": [0, 50, 100],
        "reverse": [0, 50, 100],
    }
    assert len(table) == 2 * 3 * 9
    # the process goes back from where it came to
    starts = [table[(table["process"] == process) & (table["t"] == 100)][["x", "y", "z"]] for process in ("forward", "reverse")]
    np.testing.assert_array_equal(*starts)
    there = imidazole.forward(imidazole.imidazole(), steps)
    back = imidazole.backward(imidazole.record_reverse(network, steps), there[-1], steps)
    pd.testing.assert_frame_equal(table, imidazole.coordinates(there, back, steps))
