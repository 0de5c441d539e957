"""Ions through `--method mmff94`: the molecule's charge reaches the force field."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import AllChem

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
