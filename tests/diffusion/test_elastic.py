"""Elastic-network noise: variance, rigid motions, symmetry and its limits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import molecule
from scipy.spatial.transform import Rotation

from morered.diffusion import valence
from morered.diffusion.elastic import ElasticNetwork, mix
from morered.diffusion.process import NoiseProcess
from morered.diffusion.random_numbers import centre, normal
from morered.settings.noise import ElasticNoise, IsotropicNoise

NETWORK = ElasticNetwork()
VALENCE = ElasticNetwork(ElasticNoise(forces="valence"))
BOTH = pytest.mark.parametrize("network", [NETWORK, VALENCE], ids=["springs", "valence"])
NAMES = ("C2H6", "CH3CONH2", "C2H2", "C6H6", "H2", "CH3SH")  # linear, planar, diatomic and general ones


def batch(names: tuple[str, ...] = NAMES, n: int | None = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    atoms = [molecule(name) for name in names]
    n = n or max(map(len, atoms)) + 2
    numbers = torch.zeros(len(atoms), n, dtype=torch.int64)
    positions = torch.zeros(len(atoms), n, 3, dtype=torch.float64)
    for i, a in enumerate(atoms):
        numbers[i, : len(a)] = torch.from_numpy(a.numbers)
        positions[i, : len(a)] = torch.from_numpy(a.positions)
    return numbers, positions, numbers > 0


def rigid_motions(x: np.ndarray) -> np.ndarray:
    """Unit translations and rotations [6, n, 3] of one molecule, from cross products."""
    x = x - x.mean(0)
    return np.stack([np.broadcast_to(axis, x.shape) for axis in np.eye(3)] + [np.cross(axis, x) for axis in np.eye(3)])


def covariance(m: int, network: ElasticNetwork = NETWORK) -> np.ndarray:
    numbers, positions, mask = batch()
    n = 3 * int(mask[m].sum())
    root = network.factor(numbers, positions, mask)[m, :n, :n].double().numpy()
    return root @ root


@BOTH
@pytest.mark.parametrize("m", range(len(NAMES)))
def test_unit_variance_and_no_rigid_motion(m: int, network: ElasticNetwork) -> None:
    _, positions, mask = batch()
    n = int(mask[m].sum())
    C = covariance(m, network)
    assert np.trace(C) == pytest.approx(3 * n, rel=1e-5)  # float32 factor
    np.testing.assert_allclose(C, C.T, atol=1e-6)
    motions = rigid_motions(positions[m, :n].numpy()).reshape(6, -1)
    # the part of the noise along a rigid motion: exactly 0 but for the float32 rounding of the factor, here squared and summed
    assert np.abs(C @ motions.T).max() < 1e-4
    rank = np.linalg.matrix_rank(C, tol=1e-3)
    linear = NAMES[m] in ("C2H2", "H2")
    assert rank == 3 * n - (5 if linear else 6)  # every internal mode is there, out-of-plane ones included


def test_covariance_is_the_inverse_of_the_hessian_with_a_floor() -> None:
    numbers, positions, mask = batch(("CH3SH",), 6)
    H = NETWORK.hessian(numbers, positions, mask)[0].numpy()
    motions = np.linalg.qr(rigid_motions(positions[0].numpy()).reshape(6, -1).T)[0]
    np.testing.assert_allclose(H @ motions, 0, atol=1e-12)  # springs resist neither translation nor rotation
    P = np.eye(18) - motions @ motions.T
    expected = P @ np.linalg.inv(H + 0.003 * np.eye(18)) @ P
    root = NETWORK.factor(numbers, positions, mask)[0].double().numpy()
    np.testing.assert_allclose(root @ root, expected * 18 / np.trace(expected), atol=2e-5)  # float32 of values up to 4


def test_covariance_of_valence_forces_has_a_floor_by_mass() -> None:
    numbers, positions, mask = batch(("CH3SH",), 6)
    H = VALENCE.hessian(numbers, positions, mask)[0].numpy()
    np.testing.assert_allclose(H, valence.hessian(numbers[0].numpy(), positions[0].numpy()))
    inside = np.linalg.svd(rigid_motions(positions[0].numpy()).reshape(6, -1).T)[0][:, 6:]
    expected = inside @ np.linalg.inv(inside.T @ (H + np.diag(valence.floor(numbers[0].numpy()))) @ inside) @ inside.T
    root = VALENCE.factor(numbers, positions, mask)[0].double().numpy()
    np.testing.assert_allclose(root @ root, expected * 18 / np.trace(expected), atol=2e-5)  # float32 of values up to 4


def test_springs_go_by_bonds() -> None:
    # H-C-C-H in acetylene: 1, 2 and 3 bonds; energies of a stretch along the axis
    numbers, positions, mask = batch(("C2H2",), 4)
    x = positions[0, :, 2]
    order = torch.argsort(x)
    for (a, b), k in {(0, 1): 1.0, (1, 2): 1.0, (0, 2): 0.3, (0, 3): 0.01}.items():
        H = NETWORK.hessian(numbers, positions, mask)[0]
        i, j = int(order[a]), int(order[b])
        assert H[3 * i + 2, 3 * j + 2].item() == pytest.approx(-k)
    # two atoms that no bond joins, however far: the last constant
    apart = torch.tensor([[[0.0, 0, 0], [0, 0, 9]]], dtype=torch.float64)
    H = NETWORK.hessian(torch.tensor([[8, 8]]), apart, torch.ones(1, 2, dtype=torch.bool))[0]
    assert H[2, 5].item() == pytest.approx(-0.001)


@BOTH
def test_soft_modes_move_most(network: ElasticNetwork) -> None:
    # ethane: the torsion of the methyl groups is the softest motion, a C-C stretch the stiffest
    _, positions, mask = batch()
    n = int(mask[0].sum())
    x = positions[0, :n].numpy()
    C = covariance(0, network)
    along = x[1] - x[0]
    top = np.linalg.norm(np.cross(x - x[0], along), axis=1) > 0.1  # hydrogens
    side = (x @ along) > x.mean(0) @ along
    torsion = np.where((top & side)[:, None], np.cross(along, x), 0.0) - np.where((top & ~side)[:, None], np.cross(along, x), 0.0)
    stretch = np.where(side[:, None], along, -along)
    values = [(v.ravel() @ C @ v.ravel()) / (v.ravel() @ v.ravel()) for v in (torsion, stretch)]
    assert values[0] > 10 * values[1]


@BOTH
def test_noise_turns_with_the_molecule(network: ElasticNetwork) -> None:
    numbers, positions, mask = batch()
    R = torch.from_numpy(Rotation.random(random_state=3).as_matrix())
    z1, z2 = normal(1, torch.arange(len(mask)), 0, mask.shape[1]), normal(2, torch.arange(len(mask)), 0, mask.shape[1])
    mixture = torch.linspace(0, 1, len(mask), dtype=torch.float64)
    here = mix(z1, z2.float(), mixture, mask, network.factor(numbers, positions, mask))
    turned = mix(z1 @ R.T, (z2 @ R.T).float(), mixture, mask, network.factor(numbers, positions @ R.T, mask))
    torch.testing.assert_close(turned, here @ R.T, atol=2e-5, rtol=0)  # float32 factor
    order = torch.randperm(int(mask[0].sum()))
    permuted = mix(
        z1[:1, order], z2[:1, order].float(), mixture[3:4], mask[:1, order],
        network.factor(numbers[:1, order], positions[:1, order], mask[:1, order]),
    )  # fmt: skip
    expected = mix(z1[:1], z2[:1].float(), mixture[3:4], mask[:1], network.factor(numbers[:1], positions[:1], mask[:1]))
    torch.testing.assert_close(permuted, expected[:, order], atol=2e-5, rtol=0)


@BOTH
def test_padding_changes_nothing(network: ElasticNetwork) -> None:
    numbers, positions, mask = batch()
    wide = batch(n=30)
    n = mask.shape[1]
    root, wide_root = network.factor(numbers, positions, mask), network.factor(*wide)
    torch.testing.assert_close(wide_root[:, : 3 * n, : 3 * n], root, atol=1e-6, rtol=0)
    assert (wide_root[:, 3 * n :] == 0).all()
    keys = torch.arange(len(mask))
    e, wide_e = (
        NoiseProcess(network.settings).draw(0, keys, 5, mask, root),
        NoiseProcess(network.settings).draw(0, keys, 5, wide[2], wide_root),
    )
    torch.testing.assert_close(wide_e[:, :n], e, atol=1e-5, rtol=0)
    assert (e[~mask] == 0).all()


def test_draws_have_the_mixed_covariance() -> None:
    numbers, positions, mask = batch(("CH3SH",), 6)
    count = 20_000
    keys, everyone = torch.arange(count), mask.expand(count, -1)
    root = NETWORK.factor(numbers, positions, mask).expand(count, -1, -1)
    e = NoiseProcess(ElasticNoise(share=0.6)).draw(4, keys, 1, everyone, root)
    torch.testing.assert_close(e.mean(1), torch.zeros(count, 3, dtype=torch.float64), atol=1e-12, rtol=0)
    # l is 0 for two fifths and has mean 1/2 for the rest: E[l] = 0.3; centring takes 1/6 of the isotropic part
    centring = np.kron(np.eye(6) - 1 / 6, np.eye(3))
    C = root[0].double().numpy() @ root[0].double().numpy()
    expected = 0.7 * centring + 0.3 * C
    sample = np.cov(e.flatten(1).numpy().T)
    # five standard errors of a covariance, with variances up to about 5
    assert np.abs(sample - expected).max() < 5 * expected.max() * 2 / np.sqrt(count)


def test_isotropic_limits() -> None:
    numbers, positions, mask = batch()
    keys = torch.arange(len(mask))
    root = NETWORK.factor(numbers, positions, mask)
    isotropic = NoiseProcess().draw(7, keys, 3, mask)
    # no share of elastic noise: bit by bit the isotropic noise of the same seed
    assert torch.equal(NoiseProcess(ElasticNoise(share=0.0)).draw(7, keys, 3, mask, root), isotropic)
    # a floor far above all springs: every internal mode alike
    stiff = ElasticNetwork(ElasticNoise(floor=1e6)).factor(*batch(("CH3SH",), 6))[0].double().numpy()
    motions = np.linalg.qr(rigid_motions(batch(("CH3SH",), 6)[1][0].numpy()).reshape(6, -1).T)[0]
    np.testing.assert_allclose(stiff @ stiff, (np.eye(18) - motions @ motions.T) * 18 / 12, atol=1e-4)


def test_the_elastic_part_is_uniform_or_close_to_one() -> None:
    keys = torch.arange(20000)
    uniform = ElasticNetwork(ElasticNoise(share=0.6)).mixture(3, keys, 0)
    assert (uniform == 0).double().mean().item() == pytest.approx(0.4, abs=0.02)
    assert uniform[uniform > 0].quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist() == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.02
    )
    soft = ElasticNetwork(ElasticNoise(share=1.0, decades=2.0)).mixture(3, keys, 0)
    decades = -torch.log10(1 - soft)
    assert decades.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist() == pytest.approx(
        [0.5, 1.0, 1.5], abs=0.04
    )
    assert decades.max() < 2


@BOTH
def test_atoms_without_partners_are_left_alone(network: ElasticNetwork) -> None:
    numbers = torch.tensor([[6, 0], [0, 0]])
    mask = numbers > 0
    positions = torch.zeros(2, 2, 3, dtype=torch.float64)
    root = network.factor(numbers, positions, mask)
    assert (root == 0).all()
    assert (NoiseProcess(network.settings).draw(0, torch.arange(2), 0, mask, root) == 0).all()
    assert network.factor(numbers[:0], positions[:0], mask[:0]).shape == (0, 6, 6)


def test_a_process_draws_centred_noise() -> None:
    numbers, positions, mask = batch()
    keys = torch.arange(len(mask))
    for process in (NoiseProcess(), NoiseProcess(ElasticNoise())):
        e = process.draw(1, keys, 2, mask, process.factor(numbers, positions, mask))
        assert e.dtype == torch.float64
        torch.testing.assert_close(centre(e, mask), e, atol=1e-14, rtol=0)
        assert torch.equal(e, process.draw(1, keys, 2, mask, process.factor(numbers, positions, mask)))
        assert not torch.equal(e, process.draw(1, keys, 3, mask, process.factor(numbers, positions, mask)))


@pytest.mark.parametrize("kind", ["isotropic", "elastic"])
def test_draws_of_fixed_norm_are_the_others_scaled(kind) -> None:
    """To the square that those have in the mean."""
    numbers, positions, once = batch()
    b, n = len(once), once.sum(1)
    settings = ElasticNoise(share=0.5, decades=2.0) if kind == "elastic" else IsotropicNoise()
    free, fixed = (NoiseProcess(replace(settings, fixed_norm=norm)) for norm in (False, True))
    factor, mask = free.factor(numbers, positions, once), once.repeat(2000, 1)
    factor = None if factor is None else factor.repeat(2000, 1, 1)
    e, scaled = (process.draw(5, torch.arange(len(mask)), 0, mask, factor) for process in (free, fixed))
    squares = torch.stack([noise.square().sum((1, 2)) for noise in (e, scaled)])
    torch.testing.assert_close(scaled, e * (squares[1] / squares[0]).sqrt().reshape(-1, 1, 1), atol=1e-12, rtol=0)
    squares = squares.reshape(2, 2000, b)
    if kind == "isotropic":
        torch.testing.assert_close(squares[1], (3.0 * (n - 1)).expand(2000, b).double())
    torch.testing.assert_close(squares[0].mean(0), squares[1].mean(0), rtol=0.06, atol=0)
    assert (squares[0].std(0) > 4 * squares[1].std(0)).all()


def test_fixed_norm_leaves_lone_atoms_alone() -> None:
    mask = torch.tensor([[True, False], [False, False]])
    assert (NoiseProcess(IsotropicNoise(fixed_norm=True)).draw(0, torch.arange(2), 0, mask) == 0).all()
