"""Molecules that are known to be good, and ones that are known to be broken."""

import numpy as np
from ase import Atom
from ase.build import molecule

from morered.structures import Structures

#: ASE's name of a molecule at its minimum (G2 set) -> canonical SMILES by Open Babel.
GOOD = {
    "CH4": "C",
    "H2O": "O",
    "NH3": "N",
    "CH3CH2OH": "CCO",
    "C6H6": "c1ccccc1",
    "C5H5N": "c1cccnc1",
    "C2H2": "C#C",
    "HCN": "C#N",
    "CH3CN": "CC#N",
    "CH3COOH": "CC(=O)O",
    "H2CO": "C=O",
    "CH3NO2": "CN(=O)=O",
    "cyclobutane": "C1CCC1",
    "C3H4_C3v": "CC#C",
}


def stretched(name, atom, along, by):
    """A molecule of ASE's with one atom moved away from another by so many Å."""
    atoms = molecule(name)
    direction = atoms.positions[atom] - atoms.positions[along]
    atoms.positions[atom] += by * direction / np.linalg.norm(direction)
    return atoms


def without(name, atom):
    atoms = molecule(name)
    del atoms[atom]
    return atoms


def pair(name, distance):
    """Two of a molecule at a distance."""
    first, second = molecule(name), molecule(name)
    second.positions += [distance, 0, 0]
    return first + second


def _extra_hydrogen(name):
    atoms = molecule(name)
    atoms.append(Atom("H", atoms.positions[0] + [1.0, 0, 0]))
    return atoms


#: What is broken -> (molecule, what Open Babel's view must say).
BROKEN = {
    "a hydrogen torn off": (lambda: stretched("CH4", 1, 0, 1.5), "2 fragments"),
    "a radical": (lambda: without("CH4", 1), "C1 with valence 3"),
    "a hydrogen too many": (lambda: _extra_hydrogen("C2H4"), "valence"),
    "two molecules": (lambda: pair("CH4", 6.0), "2 fragments"),
    "a carbon bond torn": (lambda: stretched("C2H2", 0, 1, 1.2), "fragments"),
}


def structures_of(named):
    """Name -> Atoms as one container."""
    atoms = list(named.values())
    return Structures.build([a.numbers for a in atoms], [a.positions for a in atoms], list(named))
