import numpy as np
import pytest

from morered import calculators
from morered.datasets import qm7
from morered.datasets.builder import BuildError, Displacing, displace, generator, rescale
from morered.structures import Structures

SETTINGS = Displacing(per_minimum=8, calculator="gfn2", forces=True)


@pytest.fixture(scope="module")
def minima() -> Structures:
    everything = qm7.load().without_columns()
    return everything[everything.index_of(["qm7/0001", "qm7/0012", "qm7/0014"])]  # methane and two other small ones


@pytest.fixture(scope="module")
def displaced(minima: Structures) -> list[Structures]:
    return [displace(minima[m], SETTINGS, seed=3) for m in range(len(minima))]


def test_displaced_structures_have_the_energies_drawn(minima: Structures, displaced: list[Structures]) -> None:
    gfn2 = calculators.get("gfn2")
    for m, structures in enumerate(displaced):
        assert structures.names == [f"{minima.names[m]}-d{k}" for k in range(1, 9)]
        assert (structures.references == minima.ids[m]).all()
        assert (structures.sizes == minima.sizes[m]).all()
        # one by one, each from scratch, and not through the surface that the builder used
        labels = gfn2.compute(structures)
        base = gfn2.compute(minima[m], forces=False).energies[0]
        assert labels.forces is not None
        # self-consistency to tblite's accuracy 0.1: 1e-6 eV and 3e-5 eV/Å
        assert structures.column("energy") == pytest.approx(labels.energies, abs=1e-5)
        assert structures.column("forces") == pytest.approx(labels.forces, abs=2e-4)
        above = structures.column("displacement_energy")
        assert above == pytest.approx(labels.energies - base, abs=1e-5)
        assert above == pytest.approx(structures.column("target_energy"), rel=SETTINGS.tolerance)
        assert (structures.column("scale") > 0).all()


def test_energies_grow_with_the_number_of_modes(minima: Structures, displaced: list[Structures]) -> None:
    for m, structures in enumerate(displaced):
        modes = 3 * minima.sizes[m] - 6
        mean = modes / 2 * 8.617e-5 * 1500
        # mean of 8 draws of Gamma(K / 2): standard deviation sqrt(K / 2 / 8) kT
        assert structures.column("target_energy").mean() == pytest.approx(mean, abs=5 * np.sqrt(modes / 16) * 8.617e-5 * 1500)


def test_a_molecule_is_displaced_the_same_wherever_it_stands(minima: Structures, displaced: list[Structures]) -> None:
    again = displace(minima[1], SETTINGS, seed=3)
    assert np.array_equal(again.positions, displaced[1].positions)
    other = displace(minima[1], SETTINGS, seed=4)
    assert not np.allclose(other.positions, displaced[1].positions)
    assert len({float(generator(seed, name, "modes").random()) for seed in (0, 1) for name in ("a", "b")}) == 4


def test_labels_may_come_from_another_calculator(minima: Structures, displaced: list[Structures]) -> None:
    settings = Displacing(per_minimum=8, calculator="gfn2", labels="gfn1", forces=True)
    structures = displace(minima[0], settings, seed=3)
    assert np.array_equal(structures.positions, displaced[0].positions)
    labels = calculators.get("gfn1").compute(structures)
    assert structures.column("energy") == pytest.approx(labels.energies, abs=1e-5)


def test_what_cannot_be_displaced_says_why() -> None:
    atom = Structures.build([[18]], [[[0, 0, 0]]], ["argon"])
    with pytest.raises(BuildError, match="fewer than two atoms"):
        displace(atom, SETTINGS, seed=0)
    uranium = Structures.build([[92, 1]], [[[0, 0, 0], [0, 0, 1.9]]], ["uranium"])
    with pytest.raises(BuildError, match=r"no normal modes by gfn2.*no parameters"):
        displace(uranium, SETTINGS, seed=0)
    methane = qm7.load()[0].without_columns()
    stretched = methane.with_positions(methane.positions * 1.2)
    with pytest.raises(BuildError, match="no stationary point within 1 steps"):
        displace(stretched, Displacing(per_minimum=3, calculator="gfn2", relaxation_steps=1), seed=0)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="temperature must be positive"):
        Displacing(temperature=0)
    with pytest.raises(ValueError, match="energies must be"):
        Displacing(energies="uniform")  # type: ignore[arg-type]


# --------------------------------------------------------------------- rescaling alone


def along(function):
    """Energies that are a function of the factor on a unit displacement."""
    return lambda geometries: function(geometries[:, 0, 0])


UNIT = np.zeros((4, 1, 3))
UNIT[:, :, 0] = 1.0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 2 * x**2,
        lambda x: 2 * x**2 + 5 * x**3,
        lambda x: 3 * x**2 - 0.8 * x**3,
        lambda x: np.expm1(4 * x**2),
        lambda x: x**4,
    ],
)
def test_anharmonic_energies_are_reached(function) -> None:
    targets = np.array([0.3, 1.0, 1.5, 2.2])
    scales, energies = rescale(along(function), np.zeros((1, 3)), UNIT, targets, 0.01)
    assert energies == pytest.approx(targets, rel=0.01)
    assert function(scales) == pytest.approx(energies)


def test_an_energy_that_is_not_reached_is_told() -> None:
    barrier = along(lambda x: 0.5 * np.sin(x) ** 2)
    scales, _ = rescale(barrier, np.zeros((1, 3)), UNIT, np.array([0.2, 0.4, 0.6, 5.0]), 0.01)
    assert np.isfinite(scales).tolist() == [True, True, False, False]


def test_a_calculator_that_fails_far_out_is_no_obstacle() -> None:
    fails = along(lambda x: np.where(x > 0.8, np.nan, 2 * x**2))
    scales, _ = rescale(fails, np.zeros((1, 3)), UNIT, np.array([0.1, 0.5, 1.0, 1.2]), 0.02)
    assert scales == pytest.approx(np.sqrt(np.array([0.1, 0.5, 1.0, 1.2]) / 2), rel=0.02)


def test_a_start_below_the_minimum_is_no_obstacle() -> None:
    # the minimum is not the calculator's: the energy falls at first
    tilted = along(lambda x: 2 * x**2 - 2.5 * x)
    scales, energies = rescale(tilted, np.zeros((1, 3)), UNIT, np.array([0.5, 1.0, 2.0, 3.0]), 0.02)
    assert np.isfinite(scales).all()
    assert energies == pytest.approx([0.5, 1.0, 2.0, 3.0], rel=0.02)
