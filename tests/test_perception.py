"""Bond orders and charges from coordinates, also of molecules that are far from a minimum."""

import numpy as np
from ase.build import molecule as g2
from rdkit import Chem

from morered.datasets import qm7
from morered.perception import ion_or_molecule


def name(molecule):
    return None if molecule is None else Chem.MolToSmiles(molecule, isomericSmiles=False)


def test_molecules_far_from_their_minima_are_still_seen():
    minima = qm7.load().without_columns()[::71]
    rng = np.random.default_rng(0)
    same = seen = 0
    for m in minima:
        clean = name(ion_or_molecule(m.numbers, m.positions))
        assert clean is not None
        shaken = name(ion_or_molecule(m.numbers, m.positions + 0.1 * rng.standard_normal(m.positions.shape)))
        seen += shaken is not None
        same += shaken == clean
    assert seen >= 0.98 * len(minima)
    assert same >= 0.95 * len(minima)


def test_a_hydrogen_has_one_neighbour():
    water = g2("H2O")
    close = np.concatenate([water.positions, water.positions + np.array([0.0, 0.0, 1.9])])  # a contact that looks like a bond
    pair = ion_or_molecule(np.tile(water.numbers, 2), close)
    assert name(pair) == name(Chem.AddHs(Chem.MolFromSmiles("O.O")))


def test_what_is_no_molecule_is_none():
    assert ion_or_molecule([6, 1, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.935, 0], [-0.54, -0.935, 0]]) is None
    assert ion_or_molecule([1], [[0, 0, 0]], charge=1) is None
    assert ion_or_molecule([8, 1], [[0, 0, 0], [0, 0, 0.97]]) is None
    assert name(ion_or_molecule([8, 1], [[0, 0, 0], [0, 0, 0.97]], charge=-1)) == "[H][O-]"
