"""Relaxing one molecule: to the minima that other programs find, with verdicts that say what happened."""

import contextlib
import io
import pickle
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as g2
from ase.optimize import BFGS
from openbabel import openbabel
from rdkit import Chem
from rdkit.Chem import AllChem
from tblite.ase import TBLite

sys.path.insert(0, str(Path(__file__).parents[2] / "calculators"))  # pytest's importlib mode leaves the path alone

from calculators_support import three_molecules, write_mlff

from morered import calculators
from morered.calculators.base import largest_force
from morered.metrics.rmsd import rmsd
from morered.parallel import map_processes
from morered.relaxation.downhill.one_molecule import FMAX, program_options, relax_molecule, relax_one
from morered.relaxation.recording import Recording
from morered.relaxation.result import Result
from morered.structures import Structures
from morered.units import EV_PER_KCAL_MOL

NAMES = ["water", "ethanol", "formamide"]


@pytest.fixture(scope="module")
def molecules():
    return three_molecules()


@pytest.fixture(scope="module")
def mlff_file(tmp_path_factory):
    return write_mlff(tmp_path_factory.mktemp("weights") / "mlff.safetensors")


def distance(numbers, a, b):
    """RMSD of two geometries of one molecule in Å."""
    return rmsd(Structures.build([numbers], [a], ["a"]), Structures.build([numbers], [b], ["a"]))[0]


def so3lr():
    from so3krates_torch.calculator.so3 import SO3LRCalculator

    with contextlib.redirect_stdout(io.StringIO()):
        return SO3LRCalculator(r_max_lr=1000.0, default_dtype="float64")


def plain_minimum(program, numbers, positions):
    """Energy and positions of the minimum by ASE's BFGS and the libraries' own ASE calculators."""
    import torch

    methods = {"gfn1": "GFN1-xTB", "gfn2": "GFN2-xTB"}
    default = torch.get_default_dtype()
    try:
        calculator = TBLite(method=methods[program], accuracy=0.1, verbosity=0) if program in methods else so3lr()
        atoms = Atoms(numbers, positions, info={"charge": 0}, calculator=calculator)
        assert BFGS(atoms, logfile=None).run(fmax=1e-4, steps=500)
        return atoms.get_potential_energy(), atoms.positions
    finally:
        torch.set_default_dtype(default)  # the package's calculator changes it


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", ["gfn1", "gfn2", "so3lr"])
def test_it_finds_the_minimum_that_ase_finds(program, name, molecules):
    numbers, positions = molecules[name]
    relaxed = relax_one(numbers, positions, program=program)
    assert (relaxed.verdicts, relaxed.reasons) == (["converged"], [None])
    assert relaxed.values("first_fmax")[0] > 0.5
    assert relaxed.values("last_fmax")[0] < FMAX
    assert 5 < relaxed.steps[0] < 200
    energy, minimum = plain_minimum(program, numbers, positions)
    assert relaxed.energies[0] == pytest.approx(energy, abs=2e-5)
    # Where the forces are below 1e-4 eV/Å, soft torsions are known to some 0.001 Å.
    assert distance(numbers, relaxed.positions, minimum) < 0.01
    assert distance(numbers, relaxed.positions, positions) > 0.01


@pytest.mark.parametrize("name", ["ethanol", "formamide"])
def test_tight_mmff94_finds_the_minimum_that_rdkit_finds(name, molecules):
    numbers, positions = molecules[name]
    relaxed = relax_one(numbers, positions, program="mmff94", variant="tight")
    assert relaxed.verdicts[0] == "converged"
    assert relaxed.values("last_fmax")[0] < FMAX
    assert relaxed.reasons[0] is None
    molecule = Chem.AddHs(Chem.MolFromSmiles({"ethanol": "CCO", "formamide": "C(=O)N"}[name]))
    assert [atom.GetAtomicNum() for atom in molecule.GetAtoms()] == numbers.tolist()
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    assign = molecule.GetSubstructMatch(_with_bonds(numbers, positions))
    for i, position in zip(assign, positions, strict=True):
        molecule.GetConformer().SetAtomPosition(i, position.tolist())
    field = AllChem.MMFFGetMoleculeForceField(molecule, AllChem.MMFFGetMoleculeProperties(molecule))
    while field.Minimize(maxIts=1000, forceTol=1e-6, energyTol=1e-10):
        pass
    assert relaxed.energies[0] / EV_PER_KCAL_MOL == pytest.approx(field.CalcEnergy(), abs=5e-3)
    minimum = molecule.GetConformer().GetPositions()[list(assign)]
    assert distance(numbers, relaxed.positions, minimum) < 0.01


def _with_bonds(numbers, positions):
    """An RDKit pattern of the elements and single-letter bonds seen in the coordinates, atoms in the same order."""
    from morered.chemistry import bonds

    pattern = Chem.RWMol()
    for number in numbers.tolist():
        pattern.AddAtom(Chem.AtomFromSmarts(f"[#{number}]"))
    for i, j in bonds(numbers, positions).tolist():
        pattern.AddBond(i, j, Chem.BondType.UNSPECIFIED)
        pattern.ReplaceBond(pattern.GetNumBonds() - 1, Chem.BondFromSmarts("~"))
    return pattern.GetMol()


@pytest.mark.parametrize("name", NAMES)
def test_the_papers_mmff94_is_open_babels_conjugate_gradients(name, molecules):
    numbers, positions = molecules[name]
    relaxed = relax_one(numbers, positions, program="mmff94", variant="paper")
    plain = openbabel.OBMol()
    for number, position in zip(numbers.tolist(), positions.tolist(), strict=True):
        atom = plain.NewAtom()
        atom.SetAtomicNum(number)
        atom.SetVector(*position)
    plain.ConnectTheDots()
    plain.PerceiveBondOrders()
    field = openbabel.OBForceField.FindForceField("MMFF94")
    assert field.Setup(plain)
    field.ConjugateGradients(1000, 1e-6)
    field.GetCoordinates(plain)
    expected = np.array([[atom.GetX(), atom.GetY(), atom.GetZ()] for atom in openbabel.OBMolAtomIter(plain)])
    field.Setup(openbabel.OBMol())
    np.testing.assert_allclose(relaxed.positions, expected, atol=1e-8)
    assert relaxed.verdicts[0] == "converged"
    assert relaxed.values("first_fmax")[0] > 0.4
    assert FMAX < relaxed.values("last_fmax")[0] < 0.1  # it stops early: this is what the variant is about
    tight = relax_one(numbers, positions, program="mmff94", variant="tight")
    assert 0 <= relaxed.energies[0] - tight.energies[0] < 0.01


def test_the_mlff_goes_downhill_in_its_own_energy(molecules, mlff_file):
    numbers, positions = molecules["water"]
    relaxed = relax_one(numbers, positions, program="mlff", weights=mlff_file, steps=30, recording=Recording(frames=True))
    calculator = calculators.get("mlff", weights=mlff_file, dtype="float64")
    energy, forces = calculator.surface(numbers, relaxed.positions).evaluate(relaxed.positions)
    assert relaxed.energies[0] == pytest.approx(energy, abs=1e-9)
    assert relaxed.values("last_fmax")[0] == pytest.approx(largest_force(forces), abs=1e-9)
    assert relaxed.energies[0] < relaxed.trajectories.trajectory(0).columns["energy"][0]


def test_the_cap_holds_and_is_a_verdict(molecules):
    numbers, positions = molecules["ethanol"]
    for options in ({"program": "gfn2"}, {"program": "mmff94", "variant": "tight"}, {"program": "mmff94", "variant": "paper"}):
        relaxed = relax_one(numbers, positions, steps=3, **options)
        assert (relaxed.verdicts[0], relaxed.steps[0]) == ("step-cap", 3)
        assert relaxed.reasons[0].startswith("not converged in 3 steps: largest force")
        assert relaxed.values("last_fmax")[0] < relaxed.values("first_fmax")[0]
        assert distance(numbers, relaxed.positions, positions) > 0
        still = relax_one(numbers, positions, steps=0, **options)
        np.testing.assert_array_equal(still.positions, positions)
        assert (still.verdicts[0], still.steps[0]) == ("step-cap", 0)
        assert still.values("first_fmax")[0] == still.values("last_fmax")[0] == pytest.approx(relaxed.values("first_fmax")[0])


def test_a_minimum_needs_no_step(molecules):
    numbers, positions = molecules["water"]
    minimum = relax_one(numbers, positions, program="gfn2").positions
    again = relax_one(numbers, minimum, program="gfn2")
    assert (again.verdicts[0], again.steps[0]) == ("converged", 0)
    np.testing.assert_array_equal(again.positions, minimum)


def test_a_pose_does_not_matter(molecules):
    numbers, positions = molecules["formamide"]
    turn = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    here = relax_one(numbers, positions, program="mmff94", variant="tight")
    there = relax_one(numbers, positions @ turn.T + 4.0, program="mmff94", variant="tight")
    assert there.energies[0] == pytest.approx(here.energies[0], abs=1e-6)
    np.testing.assert_allclose(there.positions, here.positions @ turn.T + 4.0, atol=2e-3)  # the step count may differ by one


def test_a_record_holds_every_step_and_changes_none(molecules):
    numbers, positions = molecules["formamide"]
    for options in ({"program": "gfn2"}, {"program": "mmff94", "variant": "paper"}):
        relaxed = relax_one(numbers, positions, recording=Recording(frames=True), **options)
        record = relaxed.trajectories.trajectory(0)
        np.testing.assert_allclose(record.frames[0], positions, atol=1e-6)
        np.testing.assert_allclose(record.frames[-1], relaxed.positions, atol=1e-6)
        assert len(record.frames) == len(record.columns["energy"]) == len(record.columns["fmax"]) == relaxed.steps[0] + 1
        assert record.columns["fmax"][0] == relaxed.values("first_fmax")[0]
        assert record.columns["energy"][-1] == relaxed.energies[0]
        without = relax_one(numbers, positions, **options)
        assert without.trajectories is None
        assert without.steps[0] == relaxed.steps[0]
        np.testing.assert_allclose(without.positions, relaxed.positions, atol=1e-9)


def refused(relaxed, positions):
    assert relaxed.verdicts[0] == "refused"
    assert relaxed.steps[0] == 0
    assert np.isnan([relaxed.values("first_fmax")[0], relaxed.values("last_fmax")[0], relaxed.energies[0]]).all()
    np.testing.assert_array_equal(relaxed.positions, positions)
    return relaxed.reasons[0]


@pytest.mark.parametrize("program", ["gfn2", "mmff94", "so3lr"])
def test_what_cannot_be_calculated_is_refused_with_its_input(program, molecules):
    numbers, positions = molecules["water"]
    broken = positions.copy()
    broken[1, 2] = np.inf
    assert refused(relax_one(numbers, broken, program=program), broken) == "a coordinate is infinite or no number"
    assert refused(relax_one([118], [[0, 0, 0]], program=program), [[0, 0, 0]]).endswith(" has no parameters for Og")
    assert refused(relax_one([1, 1], np.zeros((2, 3)), program=program), np.zeros((2, 3))) == "two atoms lie on each other"


def test_perception_and_set_up_failures_are_told_apart(molecules):
    numbers, positions = molecules["ethanol"]
    torn = positions.copy()
    torn[0] += 5.0
    assert refused(relax_one(numbers, torn, program="mmff94", variant="tight"), torn).startswith("bond perception failed: ")
    hydrogen = np.array([[0, 0, 0], [0, 0, 0.74]])
    assert refused(relax_one([1, 1], hydrogen, program="mmff94"), hydrogen).startswith("force field set-up failed: ")


def test_the_papers_variant_runs_on_odd_bonds_and_warns():
    """Ethene twisted by 90 degrees, which Open Babel takes for a diradical that it has parameters for."""
    ethene = g2("C2H4")
    positions = ethene.positions.copy()
    near = np.linalg.norm(positions - positions[0], axis=1) < 1.2
    axis, centre = positions[1] - positions[0], positions[0]
    axis /= np.linalg.norm(axis)
    side = positions[near] - centre
    positions[near] = centre + np.outer(side @ axis, axis) + np.cross(axis, side)
    relaxed = relax_one(ethene.numbers, positions, program="mmff94", variant="paper")
    assert relaxed.verdicts[0] == "converged"
    assert relaxed.reasons[0] == "C1 with valence 3, C2 with valence 3"
    assert relax_one(ethene.numbers, positions, program="mmff94", variant="tight").verdicts[0] == "refused"


def test_a_failure_on_the_way_keeps_the_input(molecules):
    numbers, positions = molecules["water"]
    relaxed = relax_one(numbers, positions, program="gfn2", max_iterations=1)
    assert relaxed.verdicts[0] == "failed"
    assert "SCF not converged" in relaxed.reasons[0]
    np.testing.assert_array_equal(relaxed.positions, positions)


def test_unknown_programs_and_options_are_refused(molecules):
    with pytest.raises(ValueError, match="no calculator 'gfn3'; there are: "):
        relax_one(*molecules["water"], program="gfn3")
    with pytest.raises(ValueError, match=r"method 'gfn2' has no option 'f_max'; there are: fmax, steps, recording, accuracy"):
        relax_one(*molecules["water"], program="gfn2", f_max=1.0)
    with pytest.raises(ValueError, match=r"method 'mmff94' has no option 'accuracy'; there are: variant, fmax, steps, recording"):
        relax_one(*molecules["water"], program="mmff94", accuracy=1.0)
    with pytest.raises(ValueError, match="variants 'paper', 'tight', 'rdkit', not 'loose'"):
        relax_one(*molecules["water"], program="mmff94", variant="loose")
    with pytest.raises(ValueError, match="fmax must be positive"):
        relax_one(*molecules["water"], program="gfn2", fmax=0.0)
    assert program_options("so3lr")["dtype"] == "float64"
    assert program_options("gfn2")["fmax"] == FMAX


def test_relaxations_run_in_worker_processes(molecules):
    tasks = [molecules[name] for name in NAMES]
    for options in ({"program": "gfn2"}, {"program": "mmff94", "variant": "tight"}):
        results = dict(map_processes(partial(relax_molecule, **options), tasks, workers=2, timeout=60))
        for index, task in enumerate(tasks):
            here = relax_molecule(task, **options)
            assert isinstance(results[index], Result)
            assert results[index].energies[0] == pytest.approx(here.energies[0], abs=1e-6)
            np.testing.assert_allclose(results[index].positions, here.positions, atol=1e-4)


def test_nothing_is_printed(molecules, capfd):
    for options in ({"program": "gfn2"}, {"program": "mmff94"}, {"program": "mmff94", "variant": "tight"}, {"program": "so3lr"}):
        relaxed = relax_one(*molecules["water"], steps=5, **options)
        assert len(pickle.dumps(relaxed)) < 2000
    assert capfd.readouterr() == ("", "")
