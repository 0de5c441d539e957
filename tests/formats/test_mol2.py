"""mol2 files, and PDB and mol2 through a pipe."""

import io
import sys

import numpy as np
import pytest
from rdkit import Chem

from morered.formats import read
from morered.formats.mol2 import parse_mol2
from morered.formats.sources import SourceProblem

ACETATE = """@<TRIPOS>MOLECULE
acetate
 7 6 1 0 0
SMALL
USER_CHARGES

@<TRIPOS>ATOM
  1 C1  0.0000  0.0000  0.0000 C.3   1 LIG -0.2
  2 C2  1.5200  0.0000  0.0000 C.2   1 LIG  0.6
  3 O1  2.1000  1.1000  0.0000 O.co2 1 LIG -0.8
  4 O2  2.1000 -1.1000  0.0000 O.co2 1 LIG -0.8
  5 H1 -0.3600  1.0300  0.0000 H     1 LIG  0.06
  6 H2 -0.3600 -0.5100  0.8900 H     1 LIG  0.07
  7 H3 -0.3600 -0.5100 -0.8900 H     1 LIG  0.07
@<TRIPOS>BOND
  1 1 2 1
  2 2 3 ar
  3 2 4 ar
  4 1 5 1
  5 1 6 1
  6 1 7 1
"""
CHLORIDE = """@<TRIPOS>MOLECULE
chloromethane
 5 4
SMALL
NO_CHARGES
@<TRIPOS>ATOM
1 C1 0.000 0.000 0.000 C.3
2 CL1 1.780 0.000 0.000 Cl
3 H1 -0.340 1.030 0.000 H
4 H2 -0.340 -0.510 0.890 H
5 H3 -0.340 -0.510 -0.890 H
@<TRIPOS>BOND
1 1 2 1
2 1 3 1
3 1 4 1
4 1 5 1
"""


def test_atoms_bonds_charge_and_name_are_read():
    acetate, chloride = parse_mol2(ACETATE + CHLORIDE, "a.mol2", "a").records
    assert (acetate.name, acetate.charge, acetate.problem) == ("acetate", -1, None)
    assert acetate.numbers.tolist() == [6, 6, 8, 8, 1, 1, 1]
    assert np.allclose(acetate.positions[2], [2.1, 1.1, 0.0])
    assert Chem.MolToSmiles(Chem.RemoveHs(acetate.template)) == "CC(=O)[O-]"
    assert (chloride.name, chloride.numbers.tolist(), chloride.charge) == ("chloromethane", [6, 17, 1, 1, 1], None)
    assert chloride.problem is None


def test_what_is_broken_is_told_and_stops_no_other():
    cut = "\n".join(ACETATE.splitlines()[:10])
    strange = CHLORIDE.replace("Cl\n", "Qq\n")
    lost = CHLORIDE.replace("4 1 5 1", "4 1 9 1")
    reading = parse_mol2("\n".join([cut, strange, lost, CHLORIDE]), "a.mol2", "a")
    assert [record.problem is None for record in reading.records] == [False, False, False, True]
    assert "cut off: 7 atoms are announced, 3 follow" in reading.problems[0]
    assert "atom 2 (CL1) is of no known element: 'Qq'" in reading.problems[1]
    assert "a bond joins an atom that is not there" in reading.problems[2]
    with pytest.raises(SourceProblem, match="holds no molecule"):
        parse_mol2("nothing", "a.mol2", "a")


def test_missing_hydrogens_are_seen():
    lines = [line for line in CHLORIDE.replace(" 5 4", " 2 1").splitlines() if " H" not in line]
    (record,) = parse_mol2("\n".join(lines[:-3]), "a.mol2", "a").records
    assert record.lack == "hydrogens"
    assert "3 hydrogen atoms are missing" in record.problem


def test_charges_that_contradict_the_bonds_are_told():
    reading = parse_mol2(ACETATE.replace("0.6\n", "1.6\n"), "a.mol2", "a")
    assert reading.records[0].charge == -1
    assert "partial charges add up to +0, its atom types and bonds to -1" in reading.notes[0]


def test_partial_charges_are_taken_where_atom_types_tell_of_none():
    lines = CHLORIDE.replace("NO_CHARGES", "USER_CHARGES").splitlines()
    charged = [f"{line} 1 LIG {0.2:.2f}" if len(line.split()) == 6 else line for line in lines]
    reading = parse_mol2("\n".join(charged), "a.mol2", "a")
    assert reading.records[0].charge == 1
    assert "partial charges add up to +1, its atom types and bonds to +0; +1 is taken" in reading.notes[0]


def test_mol2_and_pdb_come_through_a_pipe_and_from_files(tmp_path, monkeypatch):
    atom = "ATOM      {}  {:3} LIG A   1       {:5.3f}   0.000   0.000"
    pdb = "\n".join(["REMARK of ours", atom.format(1, "CA", 0.0), atom.format(2, "O", 1.13), "END"])
    for text, ending, numbers in ((ACETATE, "mol2", [6, 6, 8, 8, 1, 1, 1]), (pdb, "pdb", [6, 8])):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert read("-").records[0].numbers.tolist() == numbers
        (tmp_path / f"in.{ending}").write_text(text)
        assert read(tmp_path / f"in.{ending}").records[0].numbers.tolist() == numbers
