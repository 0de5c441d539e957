"""RDKit's MMFF94 on molecules whose bonds are perceived, against RDKit called plainly on molecules from SMILES."""

import subprocess
import sys

import numpy as np
import pytest
from ase.build import molecule as g2
from rdkit import Chem
from rdkit.Chem import AllChem

from morered import calculators
from morered.calculators import CalculationError
from morered.calculators.mmff94 import Mmff94
from morered.relaxation.downhill.one_molecule import relax_one
from morered.relaxation.recording import Recording
from morered.structures import Structures
from morered.units import EV_PER_KCAL_MOL

#: A molecule or ion of each kind that bond orders or charges may go wrong with.
# fmt: off
SMILES = [
    "CCO", "CC(=O)NC", "c1ccsc1", "c1cc[nH]c1", "c1ccncc1", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "C[N+](=O)[O-]",
    "c1cc[n+]([O-])cc1", "CN=[N+]=[N-]", "C=[N+]=[N-]", "CC[N+]#[C-]", "N#CCC#N", "CS(C)=O", "CS(C)(=O)=O", "CS(=O)(=O)N",
    "CP(C)(C)=O", "COP(=O)(OC)OC", "O=S=O", "O=C=O", "C=C=O", "CSSC", "FC(F)F", "Clc1ccccc1Br", "CI", "C[Si](C)(C)C",
    "CC(=O)[O-]", "C[NH3+]", "[NH3+]CC(=O)[O-]", "NC(=[NH2+])N", "C[S+](C)C", "[O-]c1ccccc1", "CP(=O)([O-])[O-]",
    "c1c[nH]c[nH+]1", "C1CC1", "O=C1C=CC(=O)C=C1",
]
# fmt: on


def embedded(smiles):
    """The RDKit molecule with coordinates, near its minimum."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=7)
    AllChem.MMFFOptimizeMolecule(molecule, maxIters=50)
    return molecule


def arrays(molecule):
    return np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()]), molecule.GetConformer().GetPositions()


def field(molecule):
    return AllChem.MMFFGetMoleculeForceField(molecule, AllChem.MMFFGetMoleculeProperties(molecule), nonBondedThresh=1e4)


@pytest.mark.parametrize("smiles", SMILES)
def test_energies_are_those_of_the_molecule_that_was_drawn(smiles):
    molecule = embedded(smiles)
    numbers, positions = arrays(molecule)
    charge = Chem.GetFormalCharge(molecule)
    expected = field(molecule).CalcEnergy() * EV_PER_KCAL_MOL
    bonds = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()])
    for known in (None, bonds):
        energy, forces = Mmff94().surface(numbers, positions, charge, bonds=known).evaluate(positions)
        assert energy == pytest.approx(expected, abs=1e-9)
        np.testing.assert_allclose(forces, -np.array(field(molecule).CalcGrad()).reshape(-1, 3) * EV_PER_KCAL_MOL, atol=1e-9)


def test_stated_bonds_hold_where_distances_mislead():
    molecule = embedded("CCO")
    numbers, positions = arrays(molecule)
    bonds = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()])
    torn = positions.copy()
    torn[2:] += np.array([1.0, 0.0, 0.0]) * np.sign(positions[2, 0] - positions[1, 0])
    with pytest.raises(CalculationError, match="bond perception failed"):
        Mmff94().surface(numbers, torn)
    energy, _ = Mmff94().surface(numbers, torn, bonds=bonds).evaluate(positions)
    assert energy == pytest.approx(field(molecule).CalcEnergy() * EV_PER_KCAL_MOL, abs=1e-9)


def test_fragments_are_molecules_too(molecules):
    numbers, positions = molecules["water"]
    pair = np.concatenate([positions, positions + np.array([0.0, 0.0, 3.0])])
    energy, _ = Mmff94().surface(np.tile(numbers, 2), pair).evaluate(pair)
    alone, _ = Mmff94().surface(numbers, positions).evaluate(positions)
    assert 0.0 < abs(energy - 2 * alone) < 1.0


def refusal(*arguments, **options):
    with pytest.raises(CalculationError) as caught:
        Mmff94().surface(*arguments, **options)
    return caught.value


def test_failures_name_the_stage_and_a_way_out(molecules):
    numbers, positions = molecules["ethanol"]
    methyl = [6, 1, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.935, 0], [-0.54, -0.935, 0]]
    assert refusal(*methyl).stage == "input"  # a radical
    assert refusal(*methyl, charge=1).stage == "perception"  # a carbon cation is none of MMFF94's
    assert "charge +2" in str(refusal(numbers, positions, charge=2))
    assert "gfn2" in str(refusal(numbers, positions, unpaired=2))
    error = refusal([1, 1], [[0, 0, 0], [0, 0, 0.74]])
    assert error.stage == "setup"
    assert "parameters are missing" in str(error)
    assert refusal(numbers, positions * np.nan).stage == "input"


@pytest.mark.parametrize("smiles", ["CCO", "CC(=O)NC", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "C[N+](=O)[O-]"])
def test_a_relaxation_ends_at_rdkits_own_minimum(smiles):
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=3)
    relaxed = relax_one(*arrays(molecule), program="mmff94", variant="rdkit")
    assert relaxed.verdicts[0] == "converged"
    assert relaxed.values("last_fmax")[0] <= 5e-5 < relaxed.values("first_fmax")[0]
    assert 5 < relaxed.steps[0] < 400
    plain = field(molecule)
    plain.Initialize()
    while plain.Minimize(maxIts=10_000, forceTol=1e-6, energyTol=1e-12):
        pass
    assert relaxed.energies[0] == pytest.approx(plain.CalcEnergy() * EV_PER_KCAL_MOL, abs=1e-6)


def test_steps_are_capped_and_recorded(molecules):
    numbers, positions = molecules["ethanol"]
    capped = relax_one(numbers, positions, program="mmff94", variant="rdkit", steps=4)
    assert (capped.verdicts[0], capped.steps[0]) == ("step-cap", 4)
    recorded = relax_one(numbers, positions, program="mmff94", variant="rdkit", recording=Recording(frames=True))
    record = recorded.trajectories.trajectory(0)
    plain = relax_one(numbers, positions, program="mmff94", variant="rdkit")
    assert len(record.columns["energy"]) == recorded.steps[0] + 1
    assert np.all(np.diff(record.columns["energy"]) < 1e-9)
    np.testing.assert_allclose(record.frames[-1], recorded.positions, atol=1e-6)
    np.testing.assert_allclose(recorded.positions, plain.positions, atol=1e-12)


def test_ions_are_calculated_with_their_charge():
    molecule = embedded("CC(=O)[O-]")
    numbers, positions = arrays(molecule)
    assert Mmff94().surface(numbers, positions, charge=-1)
    assert refusal(numbers, positions).stage == "input"  # an odd number of electrons
    assert refusal(numbers, positions, charge=1).stage == "perception"


def test_open_babel_is_imported_only_where_it_is_asked_for():
    code = (
        "import sys\nsys.modules['openbabel'] = None  # as if it were not installed\n"
        "from ase.build import molecule\nimport morered\n"
        "from morered.calculators import get\nfrom morered.relaxation.downhill.one_molecule import relax_one\n"
        "ethanol = molecule('CH3CH2OH')\n"
        "one = relax_one(ethanol.numbers, ethanol.positions, program='mmff94', variant='rdkit')\n"
        "assert one.verdicts[0] == 'converged', one\n"
        "from morered.relaxation.methods import preset\nassert preset('mmff94').options['variant'] == 'rdkit'\n"
        "for name, given in (('mmff94-openbabel', {}), ('mmff94', {'variant': 'paper'})):\n"
        "    try: preset(name, **given)\n"
        "    except ValueError as error: assert 'pip install' in str(error) and 'Open Babel' in str(error), error\n"
        "    else: raise AssertionError(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_both_implementations_agree(molecules):
    structures = Structures.build(*zip(*molecules.values(), strict=True), list(molecules))
    here, there = (calculators.get(name).compute(structures) for name in ("mmff94", "mmff94-openbabel"))
    np.testing.assert_allclose(here.energies, there.energies, atol=2e-4)
    np.testing.assert_allclose(here.forces, there.forces, atol=2e-3)


def test_the_hydrogen_of_ethene_stays_bonded():
    """Twisted by a third of a right angle, ethene keeps its double bond."""
    ethene = g2("C2H4")
    positions = ethene.positions.copy()
    axis = (positions[1] - positions[0]) / np.linalg.norm(positions[1] - positions[0])
    near = [i for i in range(2, 6) if np.linalg.norm(positions[i] - positions[0]) < 1.2]
    for i in near:
        v = positions[i] - positions[0]
        angle = np.radians(30)
        v = v * np.cos(angle) + np.cross(axis, v) * np.sin(angle) + axis * (axis @ v) * (1 - np.cos(angle))
        positions[i] = positions[0] + v
    assert relax_one(ethene.numbers, positions, program="mmff94", variant="rdkit").verdicts[0] == "converged"
