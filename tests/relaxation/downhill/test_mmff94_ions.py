"""`--method mmff94`: the charge of a molecule, and the bonds that its source states, reach the force field."""

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

import morered
from morered.cli import main
from morered.relaxation import relax
from morered.relaxation.methods import preset
from morered.structures import Structures


def test_an_ion_is_relaxed_with_its_charge():
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC(=O)[O-]"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    positions = molecule.GetConformer().GetPositions()
    ions = Structures.build([numbers, numbers], [positions, positions], ["acetate", "neutral"]).with_electrons(
        np.array([-1, 0]), np.array([0, 0])
    )
    relaxed = relax(ions, preset("mmff94"), workers=1).structures
    verdicts = [verdict.decode() for verdict in relaxed.column("verdict").tolist()]
    assert verdicts == ["converged", "refused"]
    oxygens = [i for i, z in enumerate(numbers) if z == 8]
    lengths = np.linalg.norm(relaxed.positions[oxygens] - relaxed.positions[1], axis=1)
    assert abs(lengths[0] - lengths[1]) < 1e-3  # a carboxylate


def test_bonds_that_a_file_states_are_those_of_the_force_field(tmp_path: Path) -> None:
    """Two atoms far apart are bonded where the bond block says so: by their distance they would be two molecules."""
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    conformer = molecule.GetConformer()
    x = conformer.GetPositions()
    x[[0, 2, 3, 4]] += 0.9 * (x[0] - x[1]) / np.linalg.norm(x[0] - x[1])  # a methyl group drawn away: 2.4 Å
    for k, point in enumerate(x):
        conformer.SetAtomPosition(k, point.tolist())
    stretched = morered.relax(molecule, "mmff94", workers=1)
    assert stretched.GetProp("verdict") == "converged", stretched.GetProp("reason")
    ends = stretched.GetConformer().GetPositions()[:2]
    assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(1.51, abs=0.02)
    Chem.MolToMolFile(molecule, str(tmp_path / "in.sdf"))
    assert main(["relax", str(tmp_path / "in.sdf"), "--method", "mmff94", "-o", str(tmp_path / "out.sdf"), "-q"]) == 0
