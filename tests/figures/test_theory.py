"""Figures that need no run: 1, 2 and A1."""

import numpy as np
import pandas as pd
import pytest

from morered.chemistry import bonds
from morered.datasets.graphs import perceive
from morered.diffusion.schedule import NoiseSchedule
from morered.figures import fig1, fig2, figA1, style
from morered.structures import Column, as_names
from morered.trajectories import Trajectories


class TestFigure1:
    def test_the_minima_are_stationary_and_symmetric(self):
        low, high = fig1.minima()
        assert low == -high
        step = 1e-4
        slope = (fig1.energy(low + step) - fig1.energy(low - step)) / (2 * step)
        assert abs(slope) < 1e-4  # eV/Å: of the order of curvature times the 1e-6 Å that the search may be off
        assert fig1.energy(low) < fig1.energy(low + 0.05)
        assert fig1.energy(0) > fig1.energy(low)
        assert low == pytest.approx(fig1.LENGTH - fig1.DISTANCE / 2, abs=0.05)  # a bond of about its own length

    def test_far_apart_the_states_are_morse_curves(self, monkeypatch):
        monkeypatch.setattr(fig1, "DISTANCE", 20.0)
        r = np.array([0.9, 1.036, 1.3])
        morse = fig1.DEPTH * (1 - np.exp(-fig1.STEEPNESS * (r - fig1.LENGTH))) ** 2
        # The other state lies at D: two-state repulsion shifts the lower one by up to coupling^2 / D.
        shift = morse - fig1.energy(r - 10.0)
        assert (shift > 0).all()
        assert (shift < 1.1 * fig1.COUPLING**2 / (fig1.DEPTH - morse)).all()

    def test_one_data_point_makes_a_parabola(self):
        schedule = NoiseSchedule()
        x, centre, step = np.linspace(-1, 1, 5), 0.3, 249
        variance = 1 - float(schedule.alpha_bar[step])
        mean = centre * np.sqrt(1 - variance)
        expected = (x - mean) ** 2 / (2 * variance) + 0.5 * np.log(2 * np.pi * variance)
        np.testing.assert_allclose(fig1.pseudo_energy(x, step, [centre], schedule), expected, rtol=1e-12)

    @pytest.mark.parametrize("step", [49, 199, 599])
    def test_the_density_is_normalised(self, step):
        x = np.linspace(-12, 12, 200_001)
        density = np.exp(-fig1.pseudo_energy(x, step, fig1.minima(), NoiseSchedule()))
        assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-6)

    def test_the_pseudo_surface_becomes_simpler_with_time(self):
        table = fig1.numbers()
        wells = {}
        for t, rows in table[table["surface"] == "pseudo"].groupby("t"):
            value = rows["value"].to_numpy()
            wells[t] = int(((value[1:-1] < value[:-2]) & (value[1:-1] < value[2:])).sum())
        assert wells == {50: 2, 100: 2, 200: 2, 350: 1, 600: 1}
        physical = table[table["surface"] == "physical"]
        assert physical["value"].min() == pytest.approx(0, abs=1e-3)

    def test_files(self, tmp_path, assert_figure):
        table = fig1.make(tmp_path / "fig1")
        assert_figure(tmp_path / "fig1", style.PAGE)
        assert len(pd.read_csv(tmp_path / "fig1.csv")) == len(table) == 6 * 601


class TestFigureA1:
    @pytest.mark.parametrize("dimension", [1, 2, 3, 42, 3072])
    def test_equation_7_is_a_density_with_unit_mean_square(self, dimension):
        r = np.linspace(1e-9, 8, 2_000_001)
        density = figA1.radius_density(r, dimension)
        assert np.trapezoid(density, r) == pytest.approx(1, abs=1e-5)
        assert np.trapezoid(density * r**2, r) == pytest.approx(1, abs=1e-5)

    def test_known_densities(self):
        r = np.array([0.2, 1.0, 1.7])
        np.testing.assert_allclose(figA1.radius_density(r, 1), np.sqrt(2 / np.pi) * np.exp(-(r**2) / 2), rtol=1e-12)
        # Two dimensions: Rayleigh with scale 1 / sqrt(2).
        np.testing.assert_allclose(figA1.radius_density(r, 2), 2 * r * np.exp(-(r**2)), rtol=1e-12)

    def test_the_peak_sharpens_towards_one(self):
        r = np.linspace(0.01, 2, 100_000)
        peaks = [r[np.argmax(figA1.radius_density(r, d))] for d in (3, 42, 3072)]
        assert peaks == pytest.approx([np.sqrt((d - 1) / d) for d in (3, 42, 3072)], abs=3e-5)  # where the derivative is 0
        assert figA1.radius_density(1.0, 3072) > 10 * figA1.radius_density(1.0, 3)

    def test_samples_follow_the_equation(self):
        samples = 20_000
        table = figA1.numbers((3, 42), samples)
        for _, rows in table.groupby("dimension"):
            width = rows["r"].diff().iloc[1]
            expected = rows["density"] * width * samples
            likely = expected > 50
            # Poisson counts: five standard deviations, and the curvature of the density within a bin.
            excess = np.abs(rows["sampled"] * width * samples - expected)[likely] / np.sqrt(expected[likely])
            assert excess.max() < 5
        pd.testing.assert_frame_equal(table, figA1.numbers((3, 42), samples))

    def test_files(self, tmp_path, assert_figure):
        figA1.make(tmp_path / "left", dimensions=(3, 42), samples=2000)
        assert_figure(tmp_path / "left", style.COLUMN)
        t = np.arange(1, 1001, 50)
        assert pd.read_csv(tmp_path / "left.times.csv").empty
        figA1.make(tmp_path / "both", {"a molecule": pd.DataFrame({"t": t, "predicted_t": t + 3})}, (3, 42), 2000)
        times = pd.read_csv(tmp_path / "both.times.csv")
        assert times["predicted_t"].tolist() == (t + 3).tolist()
        assert set(times["label"]) == {"a molecule"}
        assert_figure(tmp_path / "both", style.PAGE)


class TestFigure2:
    def test_imidazole_is_imidazole(self):
        molecule = fig2.imidazole().molecule(0)
        assert perceive(molecule.numbers, molecule.positions)[1] == "c1c[nH]cn1"
        lengths = [
            np.linalg.norm(molecule.positions[i] - molecule.positions[j]) for i, j in bonds(molecule.numbers, molecule.positions)
        ]
        assert len(lengths) == 9
        assert 0.99 < min(lengths) < 1.02  # N-H
        assert 1.36 < max(lengths) < 1.40  # ring, aromatic

    def test_the_walk_starts_at_the_minimum_and_stays_centred(self):
        there = fig2.forward(fig2.imidazole(), (0, 5, 1000))
        np.testing.assert_allclose(there.molecule(0).positions, fig2.imidazole().positions, rtol=1e-14, atol=1e-15)
        for molecule in there:
            np.testing.assert_allclose(molecule.positions.mean(axis=0), 0, atol=1e-12)
        assert there.names == ["imidazole-t0", "imidazole-t5", "imidazole-t1000"]
        assert np.linalg.norm(there.molecule(1).positions - there.molecule(0).positions) < 0.5

    def test_the_walk_has_the_moments_of_equation_2(self):
        schedule, walks = NoiseSchedule(T=12), 250
        minimum = fig2.imidazole()
        ends = np.stack([fig2.forward(minimum, (0, 6), seed=k, schedule=schedule).molecule(1).positions for k in range(walks)])
        alpha_bar = float(schedule.alpha_bar[5])
        variance = (1 - alpha_bar) * (1 - 1 / minimum.n_atoms)  # of centred noise
        error = np.abs(ends.mean(axis=0) - np.sqrt(alpha_bar) * minimum.positions) / np.sqrt(variance / walks)
        assert error.max() < 5  # standard errors, 27 coordinates
        # The pooled variance of 27 x 250 coordinates has a relative standard error of sqrt(2 / (24 x 250)) = 0.018.
        assert ends.var(axis=0).mean() == pytest.approx(variance, rel=0.08)

    def test_frames_of_the_reverse_process_are_those_of_the_steps_shown(self):
        minimum = fig2.imidazole()
        frames = np.stack([np.full((9, 3), k) for k in range(10)]).astype(np.float32)  # after the step at t = 10, 9, ..., 1
        recorded = Trajectories(
            as_names(["imidazole"]),
            np.array([0, 10]),
            {"time": Column(np.arange(9, -1, -1) / 9)},
            frames.reshape(-1, 3),
            np.array([0, 90]),
        )
        schedule = NoiseSchedule(T=10)
        back = fig2.backward(recorded, minimum, (0, 3, 9, 10), schedule=schedule)
        # The frame after the step at t = 10 is the structure at t = 9, the last one that at t = 0; at t = 10 it started.
        assert [float(back[t].positions[0, 0]) for t in (0, 3, 9)] == [9, 6, 0]
        np.testing.assert_array_equal(back[10].positions, minimum.positions)
        without = Trajectories(recorded.ids, recorded.offsets, recorded.columns)
        with pytest.raises(ValueError, match="without frames"):
            fig2.backward(without, minimum, (0, 3), schedule=schedule)

    def test_what_a_process_that_broke_off_did_not_reach_is_not_shown(self):
        frames = np.zeros((3 * 9, 3), np.float32)  # after the steps at t = 10, 9, 8: it stopped at t = 7
        broken = Trajectories(
            as_names(["imidazole"]), np.array([0, 3]), {"time": Column(np.array([9, 8, 7]) / 9)}, frames, np.array([0, 27])
        )
        back = fig2.backward(broken, fig2.imidazole(), (0, 6, 7, 10), schedule=NoiseSchedule(T=10))
        assert sorted(back) == [7, 10]

    def test_what_cannot_be_shown_is_refused(self):
        with pytest.raises(ValueError, match="between 0 and 1000"):
            fig2.forward(fig2.imidazole(), (0, 1001))
        with pytest.raises(ValueError, match="one molecule"):
            fig2.forward(fig2.imidazole()[[0, 0]], (0, 1))

    def test_files(self, tmp_path, assert_figure):
        steps = (0, 200, 1000)
        there = fig2.forward(fig2.imidazole(), steps)
        order = [2, 1, 0]
        Trajectories(
            as_names(["imidazole"]),
            np.array([0, 3]),
            {"time": Column(np.array([999, 200, 0]) / 999)},
            np.concatenate([there.molecule(k).positions for k in order]).astype(np.float32),
            np.array([0, 27]),
        ).write(tmp_path / "reverse.h5")
        table = fig2.make(tmp_path / "fig2", tmp_path / "reverse.h5", steps)
        assert_figure(tmp_path / "fig2", style.PAGE)
        assert len(table) == 2 * 3 * 9
        starts = [
            table[(table["process"] == process) & (table["t"] == 1000)][["x", "y", "z"]] for process in ("forward", "reverse")
        ]
        np.testing.assert_array_equal(*starts)  # the process goes back from where it came to
        assert set(fig2.make(tmp_path / "alone", steps=steps)["process"]) == {"forward"}
