"""Figures that need no run: 1, 2 and A1."""

import numpy as np
import pandas as pd
import pytest

from morered.diffusion.schedule import NoiseSchedule
from morered.figures import style
from morered.figures.catalogue.fig1 import drawing as fig1
from morered.figures.catalogue.fig2 import drawing as fig2
from morered.figures.catalogue.figA1 import drawing as figA1
from morered.generation import imidazole


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

    def test_labels_tell_what_is_shown(self, tmp_path):
        assert figA1.predictions({}) == {}
        pd.DataFrame({"t": [1], "predicted_t": [2], "atoms": 14}).to_csv(tmp_path / "molecule.csv", index=False)
        pd.DataFrame({"t": [1], "predicted_t": [2], "images": "two photographs"}).to_csv(tmp_path / "images.csv", index=False)
        shown = figA1.predictions({"molecule": tmp_path / "molecule.csv", "images": tmp_path / "images.csv"})
        assert list(shown) == ["molecule of 14 atoms, D = 42", "image, D = 3072 (two photographs)"]


class TestFigure2:
    def test_files(self, tmp_path, assert_figure):
        steps = (0, 200, 1000)
        there = imidazole.forward(imidazole.imidazole(), steps)
        back = {0: there[0], 1000: there[2]}  # it was never near 200
        fig2.draw(imidazole.coordinates(there, back, steps), tmp_path / "fig2")
        assert_figure(tmp_path / "fig2", style.PAGE)
        table = pd.read_csv(tmp_path / "fig2.csv")
        assert len(table) == 5 * 9
        fig2.draw(table, tmp_path / "again")  # what the rule reads is a file
        assert (tmp_path / "again.png").read_bytes() == (tmp_path / "fig2.png").read_bytes()
        fig2.draw(imidazole.coordinates(there, {}, steps), tmp_path / "alone")
        assert_figure(tmp_path / "alone", style.PAGE)
