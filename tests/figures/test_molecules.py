import numpy as np
import pytest
from matplotlib.colors import to_rgb

from morered.figures import molecules, style
from morered.generation.imidazole import imidazole

WATER = np.array([8, 1, 1]), np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


@pytest.fixture
def axes():
    return style.new_figure(2, 2).subplots()


def shapes(axes):
    """Patches of the only collection, in drawing order: kind, centre and colour of each."""
    (collection,) = axes.collections
    middles = [path.get_extents().get_points().mean(axis=0) for path in collection.get_paths()]
    return list(zip(middles, collection.get_facecolor()[:, :3], strict=True))


def rotations(n):
    rng = np.random.default_rng(0)
    for _ in range(n):
        q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        yield q * np.linalg.det(q)


def test_a_rotated_molecule_is_seen_the_same():
    molecule = imidazole().molecule(0)
    seen = molecule.positions @ molecules.view(molecule.numbers, molecule.positions)
    for rotation in rotations(5):
        moved = molecule.positions @ rotation.T
        again = moved @ molecules.view(molecule.numbers, moved)
        np.testing.assert_allclose(again, seen, atol=1e-8)  # eigenvectors of well-separated eigenvalues


def test_a_view_is_a_proper_rotation_that_shows_the_broad_side():
    molecule = imidazole().molecule(0)
    rotation = molecules.view(molecule.numbers, molecule.positions)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    ring = molecule.positions[molecule.numbers > 1] @ rotation
    assert ring[:, 0].std() > ring[:, 1].std() > ring[:, 2].std()
    assert np.ptp(ring[:, 2]) < 0.02  # planar and seen from above


def test_atoms_have_their_colours_and_cover_what_is_behind(axes):
    numbers, positions = np.array([6, 8]), np.array([[0.0, 0, -2], [0.1, 0, 2]])  # not bonded, oxygen in front
    molecules.draw_molecule(axes, numbers, positions, look=molecules.Look(fog=False))
    drawn = shapes(axes)
    order = [np.argmin([np.linalg.norm(colour - to_rgb(molecules.CPK[z])) for z in (6, 8)]) for _, colour in drawn[::2]]
    assert order == [0, 1]
    axes.collections[0].remove()
    molecules.draw_molecule(axes, numbers, positions * [1, 1, -1], look=molecules.Look(fog=False))
    order = [np.argmin([np.linalg.norm(colour - to_rgb(molecules.CPK[z])) for z in (6, 8)]) for _, colour in shapes(axes)[::2]]
    assert order == [1, 0]


def test_bonds_are_drawn_between_bonded_atoms_only(axes):
    molecules.draw_molecule(axes, *WATER)
    # Two shapes for each of three atoms; outline and two halves for each of two bonds.
    assert len(shapes(axes)) == 3 * 2 + 2 * 3
    axes.collections[0].remove()
    molecules.draw_molecule(axes, WATER[0], WATER[1] * 3)
    assert len(shapes(axes)) == 3 * 2


def test_hydrogens_may_be_left_out_and_bounds_follow_what_is_drawn(axes):
    box = molecules.draw_molecule(axes, WATER[0], WATER[1] + [10.0, 0.0, 0.0], look=molecules.STICKS)
    radius = molecules.STICKS.stick / 2
    np.testing.assert_allclose(box, [[10 - radius, -radius], [10 + radius, radius]])
    assert np.isnan(molecules.draw_molecule(axes, [1, 1], [[0, 0, 0], [0, 0, 0.74]], look=molecules.STICKS)).all()
    molecules.frame(axes, box)
    assert axes.get_xlim() == pytest.approx((10 - radius - 0.25, 10 + radius + 0.25))


def test_one_colour_for_all_atoms(axes):
    molecules.draw_molecule(axes, *WATER, look=molecules.Look(balls=False, colour="#123456", fog=False))
    colours = {tuple(np.round(c, 6)) for _, c in shapes(axes)}
    assert colours == {tuple(np.round(to_rgb(c), 6)) for c in ("#123456", "#222222")}


def test_a_single_atom_and_a_bond_seen_end_on_are_drawn(axes):
    molecules.draw_molecule(axes, [6], [[0, 0, 0]])
    molecules.draw_molecule(axes, [6, 6], [[0, 0, 0], [0, 0, 1.5]])
    assert len(axes.collections) == 2
