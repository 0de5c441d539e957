"""What holds for every calculator: forces are gradients, poses do not matter, molecules do not see one another."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from morered import calculators
from morered.structures import Structures

# Options for exact comparisons, and the noise (eV/Å) that is left in a force: tblite's self-consistency at this accuracy, the
# step of the differences for Open Babel's out-of-plane term, rounding in the networks' float64.
CALCULATORS = {
    "gfn1": ({"accuracy": 0.01}, 1e-5),
    "gfn2": ({"accuracy": 0.01}, 1e-5),
    "mmff94": ({}, 1e-9),
    "mmff94-openbabel": ({}, 2e-6),
    "so3lr": ({"dtype": "float64"}, 1e-9),
    "mlff": ({"dtype": "float64"}, 1e-9),
}


@pytest.fixture(scope="module", params=CALCULATORS)
def case(request, mlff_file):
    options, noise = CALCULATORS[request.param]
    if request.param == "mlff":
        options = options | {"weights": mlff_file}
    return calculators.get(request.param, **options), noise


def test_it_says_what_it_is(case):
    calculator, _ = case
    assert calculator.name in calculators.names()
    assert calculator.description
    assert calculator.elements >= {1, 6, 7, 8}
    assert calculator.batched == (calculator.name in ("so3lr", "mlff"))


def test_forces_are_minus_the_gradient_of_the_energy(case, structures):
    calculator, noise = case
    forces = calculator.compute(structures).forces
    rng = np.random.default_rng(0)
    step = 1e-3
    # One random direction over all atoms and a few single coordinates; error of the fourth-order difference: below 1e-6 eV/Å.
    directions = [rng.standard_normal((structures.n_atoms, 3))]
    directions += [np.eye(3 * structures.n_atoms)[k].reshape(-1, 3) for k in rng.choice(3 * structures.n_atoms, 6, replace=False)]
    weights = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
    for direction in directions:
        slope = sum(
            weight
            * calculator.compute(structures.with_positions(structures.positions + k * step * direction), forces=False).energies
            for k, weight in weights.items()
        )
        expected = structures.per_molecule_sum(-(forces * direction).sum(axis=1))
        size = np.sqrt(structures.per_molecule_sum((direction**2).sum(axis=1)))
        assert np.all(np.abs(slope / step - expected) < (5 * noise + 2e-6) * np.maximum(size, 1))


def test_without_forces_the_energies_are_the_same(case, structures):
    calculator, _ = case
    labels = calculator.compute(structures, forces=False)
    assert labels.forces is None
    np.testing.assert_allclose(labels.energies, calculator.compute(structures).energies, atol=1e-7, rtol=0)


def test_a_pose_does_not_matter(case, structures):
    calculator, noise = case
    before = calculator.compute(structures)
    rotation = Rotation.random(random_state=1).as_matrix()
    after = calculator.compute(structures.with_positions(structures.positions @ rotation.T + [3.0, -2.0, 5.0]))
    np.testing.assert_allclose(after.energies, before.energies, atol=1e-6, rtol=0)
    np.testing.assert_allclose(after.forces, before.forces @ rotation.T, atol=5 * noise, rtol=0)
    np.testing.assert_allclose(structures.per_molecule_sum(before.forces), 0.0, atol=20 * noise)


def test_the_order_of_the_atoms_does_not_matter(case, molecules):
    calculator, noise = case
    numbers, positions = molecules["ethanol"]
    order = np.random.default_rng(5).permutation(len(numbers))
    labels = calculator.compute(Structures.build([numbers, numbers[order]], [positions, positions[order]], ["a", "b"]))
    forces = labels.forces.reshape(2, -1, 3)
    np.testing.assert_allclose(labels.energies[1], labels.energies[0], atol=1e-6, rtol=0)
    np.testing.assert_allclose(forces[1], forces[0][order], atol=5 * noise, rtol=0)


def test_a_mirror_image_has_the_mirrored_forces(case, structures):
    calculator, noise = case
    mirror = np.array([1.0, 1.0, -1.0])
    after = calculator.compute(structures.with_positions(structures.positions * mirror))
    np.testing.assert_allclose(after.forces, calculator.compute(structures).forces * mirror, atol=5 * noise, rtol=0)


def test_a_broken_molecule_has_a_reason_and_changes_no_other(case, structures, molecules):
    calculator, noise = case
    alone = calculator.compute(structures)
    numbers, positions = molecules["ethanol"]
    not_finite, coinciding = positions.copy(), positions.copy()
    not_finite[3, 1] = np.nan
    coinciding[4] = coinciding[5]
    broken = Structures.build(
        [numbers, [118, 1], np.empty(0, np.uint8), numbers],
        [not_finite, [[0, 0, 0], [0, 0, 1.5]], [], coinciding],
        ["NaN", "oganesson", "nothing", "coinciding"],
    )
    order = [3, 0, 4, 1, 5, 2, 6]  # broken and sound ones take turns
    together = calculator.compute(Structures.concatenate([structures, broken])[order])
    reasons = dict(zip([["water", "ethanol", "formamide", *broken.names][k] for k in order], together.reasons, strict=True))
    assert reasons["NaN"] == "a coordinate is infinite or no number"
    assert reasons["oganesson"] == f"{calculator.name} has no parameters for Og"
    assert reasons["nothing"] == "it has no atoms"
    assert reasons["coinciding"] == "two atoms lie on each other"
    assert [reasons[name] for name in structures.names] == [None] * 3
    np.testing.assert_array_equal(together.succeeded, [k < 3 for k in order])
    assert np.all(np.isnan(together.energies[~together.succeeded]))
    np.testing.assert_allclose(together.energies[together.succeeded], alone.energies, atol=1e-7, rtol=0)
    finite = np.isfinite(together.forces).all(axis=1)
    np.testing.assert_allclose(together.forces[finite], alone.forces, atol=noise, rtol=0)
    assert finite.sum() == structures.n_atoms


def test_no_molecules_are_no_problem(case):
    calculator, _ = case
    labels = calculator.compute(Structures.build([], [], []))
    assert (len(labels.energies), labels.forces.shape, labels.reasons) == (0, (0, 3), [])


def test_a_surface_gives_what_the_calculator_gives(case, structures):
    calculator, noise = case
    labels = calculator.compute(structures)
    for m, (_, numbers, positions) in enumerate(structures):
        surface = calculator.surface(numbers, positions)
        surface.evaluate(positions + 0.01)  # a warm start from elsewhere
        energy, forces = surface.evaluate(positions)
        assert energy == pytest.approx(labels.energies[m], abs=1e-6)
        np.testing.assert_allclose(forces, labels.forces[slice(*structures.offsets[m : m + 2])], atol=5 * noise, rtol=0)


def test_a_surface_says_what_it_cannot_do(case, molecules):
    calculator, _ = case
    numbers, positions = molecules["water"]
    with pytest.raises(calculators.CalculationError, match="infinite or no number"):
        calculator.surface(numbers, positions).evaluate(positions * np.nan)
    with pytest.raises(calculators.CalculationError):
        calculator.surface([118, 1], [[0, 0, 0], [0, 0, 1.5]]).evaluate(np.array([[0, 0, 0], [0, 0, 1.5]]))


def test_nothing_is_printed(case, structures, molecules, capfd):
    calculator, _ = case
    numbers, positions = molecules["ethanol"]
    calculator.compute(structures)
    calculator.compute(Structures.build([numbers], [positions * 0.3], ["crushed"]))
    calculator.compute(Structures.build([numbers], [positions * 3.0], ["torn"]))
    assert capfd.readouterr() == ("", "")
