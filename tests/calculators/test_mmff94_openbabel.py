"""Open Babel's MMFF94 against Open Babel called plainly and against RDKit's own implementation; failures told apart."""

import numpy as np
import pytest
from ase.build import molecule as g2
from openbabel import openbabel, pybel
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.spatial.transform import Rotation

from morered import calculators
from morered.calculators.mmff94_openbabel import Mmff94Surface, bond_problem, perceive
from morered.structures import Structures
from morered.units import EV_PER_KCAL_MOL

SMILES = ["CCO", "NC=O", "CC(=O)NC", "c1ccsc1", "C[N+](=O)[O-]", "CS(=O)(=O)C", "CCCl", "N#CCC#N", "NCC(=O)O", "c1cc[nH]c1"]


@pytest.fixture(scope="module")
def embedded():
    """RDKit molecules with hydrogens and coordinates, 0.03 Å off."""
    rng = np.random.default_rng(4)
    found = []
    for smiles in SMILES:
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
        AllChem.EmbedMolecule(molecule, randomSeed=7)
        conformer = molecule.GetConformer()
        for i, position in enumerate(conformer.GetPositions() + 0.03 * rng.standard_normal((molecule.GetNumAtoms(), 3))):
            conformer.SetAtomPosition(i, position.tolist())
        found.append(molecule)
    return found


def arrays(molecule):
    return np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()]), molecule.GetConformer().GetPositions()


def test_energies_are_those_of_open_babel_called_plainly(structures):
    labels = calculators.get("mmff94-openbabel").compute(structures)
    for m, (_, numbers, positions) in enumerate(structures):
        lines = [
            f"{openbabel.GetSymbol(int(z))} {x:.10f} {y:.10f} {w:.10f}" for z, (x, y, w) in zip(numbers, positions, strict=True)
        ]
        plain = pybel.readstring("xyz", "\n".join([str(len(numbers)), "", *lines])).OBMol
        force_field = openbabel.OBForceField.FindForceField("MMFF94")
        assert force_field.Setup(plain)
        assert labels.energies[m] == pytest.approx(force_field.Energy() * EV_PER_KCAL_MOL, abs=1e-8)
        forces = [force_field.GetGradient(atom) for atom in openbabel.OBMolAtomIter(plain)]
        if structures.names[m] != "formamide":  # whose out-of-plane forces are Open Babel's mistake
            plain_forces = np.array([[f.GetX(), f.GetY(), f.GetZ()] for f in forces]) * EV_PER_KCAL_MOL
            np.testing.assert_allclose(labels.forces[slice(*structures.offsets[m : m + 2])], plain_forces, atol=1e-7, rtol=0)
    force_field.Setup(openbabel.OBMol())  # leave nothing behind that looks like a molecule of another test


def test_energies_agree_with_an_independent_implementation(embedded):
    structures = Structures.build(*zip(*map(arrays, embedded), strict=True), SMILES)
    labels = calculators.get("mmff94-openbabel").compute(structures)
    assert labels.reasons == [None] * len(SMILES)
    for molecule, energy in zip(embedded, labels.energies, strict=True):
        properties = AllChem.MMFFGetMoleculeProperties(molecule)
        expected = AllChem.MMFFGetMoleculeForceField(molecule, properties).CalcEnergy()
        # Both interpolate Halgren's tables with constants of few digits: 0.005 kcal/mol.
        assert energy / EV_PER_KCAL_MOL == pytest.approx(expected, abs=5e-3), Chem.MolToSmiles(molecule)


def test_forces_do_not_have_open_babels_mistake(embedded):
    """Open Babel's own forces are off by more than 0.01 eV/Å where there are planes; ours are not."""
    numbers, positions = arrays(embedded[SMILES.index("CC(=O)NC")])
    surface = calculators.get("mmff94-openbabel").surface(numbers, positions)
    _, forces = surface.evaluate(positions)
    step, slopes = 1e-4, np.zeros_like(positions)
    for i, axis in np.ndindex(*positions.shape):
        shift = np.zeros_like(positions)
        shift[i, axis] = step
        slopes[i, axis] = (surface.evaluate(positions - shift)[0] - surface.evaluate(positions + shift)[0]) / (2 * step)
    np.testing.assert_allclose(forces, slopes, atol=2e-6, rtol=0)
    surface.place(positions)
    force_field = surface.claim()
    force_field.Energy(True)
    assert np.abs(surface._gradients(force_field) * EV_PER_KCAL_MOL - slopes).max() > 0.01


def test_a_molecule_does_not_inherit_the_set_up_of_one_that_looks_alike():
    """Ethanol with two hydrogens exchanged: same elements, degrees and bond orders, so Open Babel would not set it up anew."""
    ethanol = g2("CH3CH2OH")
    numbers, first = ethanol.numbers, ethanol.positions
    calculator = calculators.get("mmff94-openbabel")
    energy = calculator.surface(numbers, first).evaluate(first)[0]
    for i in np.flatnonzero(numbers == 1)[1:]:
        order = np.arange(len(numbers))
        order[[3, i]] = order[[i, 3]]
        second = first[order]
        surfaces = calculator.surface(numbers, first), calculator.surface(numbers, second)
        assert surfaces[1].evaluate(second)[0] == pytest.approx(energy, abs=1e-9)
        assert surfaces[0].evaluate(first)[0] == pytest.approx(energy, abs=1e-9)


def failure(numbers, positions, **options):
    with pytest.raises(calculators.CalculationError) as caught:
        calculators.get("mmff94-openbabel", **options).surface(numbers, positions)
    return caught.value


def test_perception_failures_name_what_is_odd(molecules):
    numbers, positions = molecules["ethanol"]
    torn = positions.copy()
    torn[0] += 5.0
    error = failure(numbers, torn)
    assert error.stage == "perception"
    assert str(error).startswith("bond perception failed: ")
    assert "fragments" in str(error)
    error = failure([6, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.935, 0]])
    assert str(error) == "bond perception failed: C1 with valence 2"
    tetrahedron = [[0.57, 0.57, 0.57], [-0.57, -0.57, 0.57], [-0.57, 0.57, -0.57], [0.57, -0.57, -0.57]]
    error = failure([8, 1, 1, 1, 1], [[0, 0, 0], *tetrahedron])
    assert error.stage == "perception"


def test_set_up_failures_are_told_apart():
    error = failure([1, 1], [[0, 0, 0], [0, 0, 0.74]])  # sound bonds, but MMFF94 has no hydrogen molecule
    assert error.stage == "setup"
    assert str(error).startswith("force field set-up failed")


def test_unchecked_it_takes_what_open_babel_takes():
    """Ethene twisted by 20 degrees: Open Babel misses the double bond and sets up the parameters of another molecule."""
    ethene = g2("C2H4")
    numbers, positions = ethene.numbers, ethene.positions.copy()
    axis = positions[1] - positions[0]
    hydrogens = np.flatnonzero((numbers == 1) & (np.linalg.norm(positions - positions[0], axis=1) < 1.2))
    twist = Rotation.from_rotvec(np.radians(20) * axis / np.linalg.norm(axis))
    positions[hydrogens] = twist.apply(positions[hydrogens] - positions[0]) + positions[0]
    assert str(failure(numbers, positions)) == "bond perception failed: C1 with valence 3, C2 with valence 3"
    surface = calculators.get("mmff94-openbabel", check_bonds=False).surface(numbers, positions)
    assert isinstance(surface, Mmff94Surface)
    assert surface.bond_problem == "C1 with valence 3, C2 with valence 3"
    assert np.isfinite(surface.evaluate(positions)[0])


def test_sound_bonds_have_no_problem(embedded):
    for molecule in embedded:
        assert bond_problem(perceive(*arrays(molecule))) is None, Chem.MolToSmiles(molecule)
