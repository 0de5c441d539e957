"""The Hessian of the valence force field: against ASE's internal coordinates, measured vibrations, and thermal displacements."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.data import atomic_numbers, covalent_radii

from morered import calculators
from morered.datasets.builder import Displacing, modes_of
from morered.datasets.modes import WAVE_NUMBER, thermal_displacements
from morered.diffusion import valence
from morered.diffusion.elastic import ElasticNetwork
from morered.diffusion.process import NoiseProcess
from morered.settings.noise import ElasticNoise


def strength(atoms: Atoms, i: int, j: int) -> float:
    """Lindh's rho in his units, bohr, for hydrogen and elements of the first two rows."""
    a = {(1, 1): (1.0, 1.35), (1, 2): (0.3949, 2.10), (2, 2): (0.28, 2.87), (1, 3): (0.3949, 2.53), (2, 3): (0.28, 3.40)}
    row = [1 if z <= 2 else 2 if z <= 10 else 3 for z in atoms.numbers]
    exponent, distance = a[tuple(sorted((row[i], row[j])))]
    return float(np.exp(exponent * (distance**2 - (atoms.get_distance(i, j) / 0.52917721) ** 2)))


def gradient(atoms: Atoms, coordinate) -> np.ndarray:
    """Central differences of an internal coordinate, [3n]."""
    result = np.zeros(3 * len(atoms))
    for k in range(len(result)):
        values = []
        for step in (1e-4, -1e-4):
            moved = atoms.copy()
            moved.positions.flat[k] += step
            values.append(coordinate(moved))
        result[k] = (values[0] - values[1]) / 2e-4
    return result


def outer(constant: float, g: np.ndarray) -> np.ndarray:
    return constant * np.outer(g, g)


def test_hydrogen_peroxide_is_the_sum_of_its_internal_coordinates() -> None:
    atoms = molecule("H2O2")  # O O H H
    order = [int(i) for i in np.argsort(atoms.get_all_distances()[0])]
    assert order[1] == 2 or order[1] == 3
    near, far = order[1], 5 - order[1]  # near hangs on atom 0
    rho = {pair: strength(atoms, *pair) for pair in ((0, 1), (0, near), (1, far))}
    H = np.zeros((12, 12))
    for (i, j), r in rho.items():
        H += outer(43.7 * r, gradient(atoms, lambda a, i=i, j=j: a.get_distance(i, j)))
    for i, j, k, r in ((near, 0, 1, rho[0, near] * rho[0, 1]), (0, 1, far, rho[0, 1] * rho[1, far])):
        H += outer(4.08 * r, gradient(atoms, lambda a, i=i, j=j, k=k: np.radians(a.get_angle(i, j, k))))
    sines = [np.sin(np.radians(atoms.get_angle(*t))) for t in ((near, 0, 1), (0, 1, far))]
    turn = gradient(atoms, lambda a: np.radians(a.get_dihedral(near, 0, 1, far)))
    H += outer(0.5 * rho[0, 1] ** 3 * np.prod(sines) ** 2, turn)
    np.testing.assert_allclose(valence.hessian(atoms.numbers, atoms.positions), H, atol=2e-5)


def test_formaldehyde_resists_leaving_its_plane() -> None:
    atoms = molecule("H2CO")
    (carbon,) = np.flatnonzero(atoms.numbers == 6)
    others = [i for i in range(4) if i != carbon]
    normal = np.cross(*(atoms.positions[others[1:]] - atoms.positions[others[0]]))
    normal /= np.linalg.norm(normal)

    def height(a: Atoms) -> float:
        p, q, r = a.positions[others]
        n = np.cross(q - p, r - p)
        return float((a.positions[carbon] - p) @ n / np.linalg.norm(n))

    g = gradient(atoms, height)
    H = valence.hessian(atoms.numbers, atoms.positions)
    assert g @ H @ g / (g @ g) ** 2 == pytest.approx(6.0, rel=1e-4)  # nothing else acts out of the plane here
    pyramid = molecule("NH3")  # further out than 0.25 Å: bonds and angles alone, three each
    assert np.linalg.matrix_rank(valence.hessian(pyramid.numbers, pyramid.positions), tol=1e-6) == 6


@pytest.mark.parametrize("name", ["C2H2", "HCN", "CO2", "C2H6", "C6H6", "CH3CONH2", "CH3SH", "SO2", "bicyclobutane"])
def test_rigid_motions_are_free_and_all_else_resists(name: str) -> None:
    atoms = molecule(name)
    x = atoms.positions - atoms.positions.mean(0)
    H = valence.hessian(atoms.numbers, x)
    np.testing.assert_allclose(H, H.T, atol=1e-12)
    motions = [np.broadcast_to(e, x.shape) for e in np.eye(3)] + [np.cross(e, x) for e in np.eye(3)]
    for motion in motions:
        np.testing.assert_allclose(H @ motion.ravel(), 0, atol=2e-3)  # CODATA geometry of acetylene is linear to 1e-5 only
    linear = name in ("C2H2", "HCN", "CO2")
    assert (np.linalg.eigvalsh(H) > 0.01).sum() == 3 * len(x) - (5 if linear else 6)


#: Wave numbers in 1/cm (Shimanouchi's tables, NIST), ascending: torsions, bends and stretches.
MEASURED = {
    "H2O": [1595, 3657, 3756],
    "C2H6": [289, 822, 822, 995, 1190, 1190, 1379, 1388, 1468, 1468, 1469, 1469, 2896, 2915, 2969, 2969, 2974, 2974],
    "C2H4": [826, 943, 949, 1023, 1236, 1342, 1444, 1623, 2989, 3026, 3103, 3106],
    "HCN": [712, 712, 2089, 3312],
}


@pytest.mark.parametrize("name", MEASURED)
def test_vibrations_are_near_measured_ones(name: str) -> None:
    atoms = molecule(name)
    masses = np.repeat(atoms.get_masses(), 3)
    H = valence.hessian(atoms.numbers, atoms.positions) / np.sqrt(np.outer(masses, masses))
    waves = np.sqrt(np.linalg.eigvalsh(H)[-len(MEASURED[name]) :]) * WAVE_NUMBER
    ratio = np.log(waves / MEASURED[name])
    assert np.exp(np.abs(ratio).mean()) < 1.35  # a guess for all molecules; springs are far off
    assert np.abs(ratio).max() < np.log(2.2)


def log_density(C: np.ndarray, displacements: np.ndarray, basis: np.ndarray) -> float:
    """Of displacements [D, 3n] under N(0, s C), s the best for each, per degree of freedom and in the mean."""
    values, vectors = np.linalg.eigh(basis.T @ C @ basis)
    square = np.square(displacements @ basis @ vectors) / values
    return float(np.mean(-0.5 * (np.log(square.mean(1)) + np.log(values).mean() + 1)))


#: Gain of log density per degree of freedom: a chain has little but what springs have, planes and linear parts much.
@pytest.mark.parametrize(("name", "gain"), [("CH3CH2OH", 0.0), ("CH3CONH2", 0.03), ("C5H5N", 0.2), ("CH3CN", 0.2)])
def test_nearer_to_thermal_displacements_than_springs(name: str, gain: float) -> None:
    atoms = molecule(name)
    x = atoms.positions - atoms.positions.mean(0)
    numbers = atoms.numbers.astype(np.uint8)
    modes = modes_of(calculators.get("gfn2"), numbers, x, Displacing(calculator="gfn2"))
    displaced, _ = thermal_displacements(modes, np.random.default_rng(1), 200, 1500.0)
    motions = [np.broadcast_to(e, x.shape) for e in np.eye(3)] + [np.cross(e, x) for e in np.eye(3)]
    basis = np.linalg.svd(np.stack([m.ravel() for m in motions], 1))[0][:, 6:]
    density = {}
    for network in (ElasticNetwork(), ElasticNetwork(ElasticNoise(forces="valence"))):
        z, p = torch.from_numpy(atoms.numbers)[None], torch.from_numpy(x)[None]
        root = network.factor(z, p, z > 0)[0].double().numpy()
        density[network.settings.forces] = log_density(root @ root, displaced.reshape(200, -1), basis)
    assert density["valence"] > density["springs"] + gain


def test_nothing_to_hold() -> None:
    assert (valence.hessian(np.array([6]), np.zeros((1, 3))) == 0).all()
    apart = np.array([[0.0, 0, 0], [0, 0, 9]])
    assert (valence.hessian(np.array([8, 8]), apart) == 0).all()
    assert valence.floor(np.array([6, 1, 0])) == pytest.approx(0.0235 * np.repeat([12.011, 1.008, 1.0], 3), rel=1e-6)


@pytest.mark.parametrize("symbols", [("H", "H"), ("N", "N"), ("H", "Cl"), ("C", "O"), ("Br", "I")])
def test_two_atoms_have_one_mode_and_noise_without_it_otherwise(symbols: tuple[str, str]) -> None:
    _check_factor(Atoms("".join(symbols), [[0, 0, 0], [0, 0, sum(covalent_radii[atomic_numbers[s]] for s in symbols)]]), 1)


@pytest.mark.parametrize(
    ("atoms", "modes"),
    [
        (molecule("CO2"), 4),
        (molecule("HCN"), 4),
        (molecule("C2H2"), 7),
        (molecule("H2O"), 3),
        (molecule("CH4") + Atoms("HF", [[0, 0, 3.2], [0, 0, 4.1]]), 15),
        (molecule("SiH4"), 9),
        (molecule("PH3"), 6),
        (molecule("BF3"), 6),
        (Atoms("AsH3", molecule("PH3").positions * 1.07), 6),
        (Atoms("SeH2", molecule("SH2").positions * 1.09), 3),
        (Atoms("NH4", molecule("CH4").positions * 0.94), 9),
        (Atoms("OH3", [[0, 0, 0.1], [0.94, 0, -0.1], [-0.47, 0.81, -0.1], [-0.47, -0.81, -0.1]]), 6),
    ],
    ids=lambda value: str(value.symbols) if isinstance(value, Atoms) else "",
)
def test_small_linear_paired_and_heavy_molecules_have_all_their_modes(atoms: Atoms, modes: int) -> None:
    _check_factor(atoms, modes)


def _check_factor(atoms: Atoms, modes: int) -> None:
    """The root of the covariance has this rank, unit variance in the mean, and moves nothing rigidly; draws are finite."""
    process = NoiseProcess(ElasticNoise("elastic", True, 1.0, "valence", decades=4.0))
    numbers, positions = torch.tensor(atoms.numbers)[None].long(), torch.tensor(atoms.positions - atoms.positions.mean(0))[None]
    mask = torch.ones_like(numbers, dtype=torch.bool)
    factor = process.factor(numbers, positions, mask)
    values = torch.linalg.eigvalsh(factor[0].double())
    assert int((values > 1e-3).sum()) == modes
    assert values.square().sum() == pytest.approx(3 * len(atoms), rel=1e-5)
    draws = process.draw(1, torch.arange(64), 0, mask.expand(64, -1), factor.expand(64, -1, -1))
    assert torch.isfinite(draws).all()
    assert draws.abs().max() < 20
