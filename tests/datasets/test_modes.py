import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.vibrations import Vibrations
from scipy import stats
from tblite.ase import TBLite

from morered import calculators
from morered.datasets.builder import Displacing, generator, modes_of
from morered.datasets.modes import NormalModes, hessian, normal_modes, stencil, thermal_displacements
from morered.datasets.stationary import Geometries, stationary_point
from morered.metrics.rmsd import superpose
from morered.units import BOLTZMANN_EV

GFN2 = calculators.get("gfn2", accuracy=0.01)


def gfn2_modes(atoms: Atoms) -> NormalModes:
    return modes_of(GFN2, atoms.numbers.astype(np.uint8), atoms.positions, Displacing(stationary=1e-3))


def test_wave_numbers_are_those_of_ase(tmp_path) -> None:
    modes = gfn2_modes(molecule("H2O"))
    # ASE's vibrations, with tblite's own ASE calculator, at the minimum that ASE finds
    water = molecule("H2O")
    water.calc = TBLite(method="GFN2-xTB", accuracy=0.01, verbosity=0)
    from ase.optimize import BFGS

    BFGS(water, logfile=None).run(fmax=1e-4)
    vibrations = Vibrations(water, name=str(tmp_path / "vib"), delta=0.005)
    vibrations.run()
    expected = vibrations.get_frequencies().real[-3:]
    # the geometries differ by what a force of 1e-3 eV/Å leaves, about 2e-5 Å: 1/cm and less
    assert modes.wave_numbers == pytest.approx(expected, abs=3.0)
    # measured, harmonic: 1649, 3832, 3943; GFN2 has them 100 to 300 too low
    assert 1400 < modes.wave_numbers[0] < 1700
    assert (modes.wave_numbers[1:] > 3400).all()


@pytest.mark.parametrize(("name", "count"), [("CO2", 4), ("C2H2", 7), ("NH3", 6), ("H2", 1), ("CH4", 9)])
def test_linear_molecules_have_one_mode_more(name: str, count: int) -> None:
    modes = gfn2_modes(molecule(name))
    assert len(modes.squared) == count
    assert (modes.wave_numbers > 300).all()
    assert modes.eigenvectors @ modes.eigenvectors.T == pytest.approx(np.eye(count), abs=1e-10)


def test_a_molecule_that_is_not_stationary_is_relaxed_for_its_hessian() -> None:
    methanol = molecule("CH3OH")
    expected = gfn2_modes(methanol).wave_numbers
    methanol.positions += np.random.default_rng(0).normal(size=methanol.positions.shape) * 0.05
    # both within 1e-3 eV/Å of the minimum: the softest mode, the rotor, may differ by some 1/cm
    assert gfn2_modes(methanol).wave_numbers == pytest.approx(expected, abs=5)
    geometries = Geometries(GFN2, methanol.numbers.astype(np.uint8), methanol.positions)
    relaxed = stationary_point(geometries, methanol.numbers, methanol.positions, 1e-3, 200)
    assert np.linalg.norm(geometries.surface.evaluate(relaxed)[1], axis=1).max() < 1.5e-3
    # in the same place: neither moved nor turned
    assert relaxed.mean(axis=0) == pytest.approx(methanol.positions.mean(axis=0), abs=1e-9)
    assert superpose(relaxed, methanol.positions) == pytest.approx(relaxed, abs=1e-9)


def test_batched_and_single_evaluations_agree() -> None:
    so3lr = calculators.get("so3lr", dtype="float64")
    methane = molecule("CH4")
    geometries = stencil(methane.positions)[:7]
    both = Geometries(so3lr, methane.numbers.astype(np.uint8), methane.positions)
    energies, forces = both.evaluate(geometries)
    assert forces is not None
    for geometry, energy, force in zip(geometries, energies, forces, strict=True):
        single = both.surface.evaluate(geometry)
        assert single[0] == pytest.approx(energy, abs=1e-8)
        assert single[1] == pytest.approx(force, abs=1e-8)
    without, none = both.evaluate(geometries, forces=False)
    assert none is None
    assert without == pytest.approx(energies, abs=1e-8)


def test_modes_neither_move_nor_turn_the_molecule() -> None:
    atoms = molecule("CH3OH")
    modes = gfn2_modes(atoms)
    roots = np.sqrt(modes.masses)[:, None]
    centred = atoms.positions - atoms.get_center_of_mass()
    moves = modes.eigenvectors.reshape(-1, len(atoms), 3) * roots  # masses times displacements
    assert moves.sum(axis=1) == pytest.approx(np.zeros((len(moves), 3)), abs=1e-10)
    # about the stationary point, a few 0.01 Å from ASE's geometry
    turning = np.cross(centred, moves).sum(axis=1)
    assert np.abs(turning).max() < 0.2 * np.abs(moves).sum(axis=(1, 2)).min()


def test_the_stencil_gives_second_derivatives() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(9, 9))
    matrix = a @ a.T
    origin = rng.normal(size=(3, 3))
    forces = np.stack([-(matrix @ (x - origin).reshape(-1)).reshape(3, 3) for x in stencil(origin)])
    # forces linear in the coordinates: central differences are exact but for rounding, 1e-16 / 0.005
    assert hessian(forces) == pytest.approx(matrix, abs=1e-11)


def harmonic_modes(n: int = 5, seed: int = 1) -> tuple[NormalModes, np.ndarray]:
    """Modes of a random stable Hessian, and the Hessian without its rigid motions."""
    rng = np.random.default_rng(seed)
    numbers = np.array([6, 7, 8, 1, 1, 1, 1])[:n]
    positions = rng.normal(size=(n, 3)) * 1.5
    a = rng.normal(size=(3 * n, 3 * n))
    modes = normal_modes(numbers, positions, a @ a.T + 5 * np.eye(3 * n))
    roots = np.sqrt(np.repeat(modes.masses, 3))
    projected = (modes.eigenvectors.T * modes.squared) @ modes.eigenvectors * np.outer(roots, roots)
    return modes, projected


def test_displacements_have_the_harmonic_energy_drawn() -> None:
    modes, second_derivatives = harmonic_modes()
    moves, energies = thermal_displacements(modes, np.random.default_rng(0), 50, 1500.0, floor=1e-3)
    flat = moves.reshape(50, -1)
    assert np.einsum("di,ij,dj->d", flat, second_derivatives, flat) / 2 == pytest.approx(energies, rel=1e-9)


def test_energies_are_those_of_classical_oscillators() -> None:
    modes, _ = harmonic_modes()
    kt = BOLTZMANN_EV * 1500
    assert kt == pytest.approx(1500 * units.kB, rel=1e-6)
    _, gamma = thermal_displacements(modes, generator(0, "a", "b"), 5000, 1500.0)
    _, exponential = thermal_displacements(modes, generator(0, "a", "b"), 5000, 1500.0, "exponential")
    # 3N - 6 = 9 modes; a fixed seed, so that the p values are always these
    assert stats.kstest(gamma, stats.gamma(4.5, scale=kt).cdf).pvalue > 0.01
    assert stats.kstest(exponential, stats.expon(scale=kt).cdf).pvalue > 0.01
    assert stats.kstest(gamma, stats.gamma(5.0, scale=kt).cdf).pvalue < 1e-6  # the test can tell


def test_every_mode_gets_half_kt() -> None:
    modes, _ = harmonic_modes()
    moves, _ = thermal_displacements(modes, np.random.default_rng(0), 20000, 300.0, floor=1e-3)
    weighted = (moves * np.sqrt(modes.masses)[:, None]).reshape(len(moves), -1)
    mean = np.mean((weighted @ modes.eigenvectors.T) ** 2, axis=0) * modes.squared / 2
    # 20 000 draws of half a chi-squared of one degree of freedom: 1 % standard deviation
    assert mean == pytest.approx(np.full(9, BOLTZMANN_EV * 300 / 2), rel=0.04)


def test_the_choice_of_degenerate_eigenvectors_makes_no_difference() -> None:
    modes, _ = harmonic_modes()
    squared = modes.squared.copy()
    squared[3:6] = squared[4]
    mixing, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    mixed = modes.eigenvectors.copy()
    mixed[3:6] = mixing @ mixed[3:6]
    mixed[0] *= -1
    one = thermal_displacements(NormalModes(squared, modes.eigenvectors, modes.masses), generator(0, "x", "y"), 10, 1500.0)
    other = thermal_displacements(NormalModes(squared, mixed, modes.masses), generator(0, "x", "y"), 10, 1500.0)
    assert one[0] == pytest.approx(other[0], abs=1e-10)
    assert one[1] == pytest.approx(other[1], rel=1e-10)


def test_soft_and_imaginary_modes_are_floored() -> None:
    modes, _ = harmonic_modes()
    soft = NormalModes(np.concatenate([[-1.0, 1e-6], modes.squared[2:]]), modes.eigenvectors, modes.masses)
    assert soft.wave_numbers[0] < 0
    floored = NormalModes(soft.floored(100.0), modes.eigenvectors, modes.masses)
    assert floored.wave_numbers[:2] == pytest.approx([100.0, 100.0])
    moves, _ = thermal_displacements(soft, np.random.default_rng(0), 100, 1500.0)
    assert np.isfinite(moves).all()
    # amplitude of one mode at 100/cm and 1500 K: sqrt(kT) / omega = 1.9 Å u^(1/2); four of them on an atom of 1 u are far out
    assert np.abs(moves).max() < 8


def test_an_unknown_distribution_is_refused() -> None:
    modes, _ = harmonic_modes()
    with pytest.raises(ValueError, match="'gamma' or 'exponential'"):
        thermal_displacements(modes, np.random.default_rng(0), 1, 300.0, "normal")  # type: ignore[arg-type]
