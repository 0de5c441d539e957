"""Charges and multiplicities in every format: read, checked against the number of electrons, written back."""

import numpy as np
import pytest
from ase import Atoms
from rdkit import Chem

from morered import formats
from morered.formats.electronic import ElectronsProblem, charge_of, unpaired_of, whole_number
from morered.formats.sdf import parse_sdf
from morered.formats.xyz import parse_xyz
from morered.structures import Structures

HYDROXIDE = """  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 O   0 {old}
    0.0000    0.0000    0.9700 H   0  0
"""
METHYL = "4\n{comment}\nC 0 0 0\nH 1.08 0 0\nH -0.54 0.94 0\nH -0.54 -0.94 0\n"


def sdf(lines: str = "", old: str = " 0", fields: str = "") -> formats.Reading:
    return parse_sdf(f"oh\n\n\n{HYDROXIDE.format(old=old)}  1  2  1  0\n{lines}M  END\n{fields}$$$$\n", "in.sdf", "in")


def xyz(comment: str) -> formats.Reading:
    return parse_xyz(METHYL.format(comment=comment), "in.xyz", "in")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1),
        (-2.0, -2),
        ("+1", 1),
        ("-1", -1),
        ("2-", -2),
        ("1+", 1),
        ("+", 1),
        ("--", -2),
        ("\u22121", -1),
        ("+1 e", 1),
        ("1.0", 1),
        ("", None),
        ("nan", None),
        (np.nan, None),
        (np.int64(3), 3),
        (np.array([1]), 1),
        (b"-1", -1),
    ],
)
def test_whole_numbers_as_people_write_charges(value, number):
    assert whole_number(value) == number


@pytest.mark.parametrize("value", ["one", "1.5", 0.5, True, "1-2", "2--", [1, 2], None, {"a": 1}, "1" * 30, float("inf")])
def test_what_is_no_whole_number(value):
    with pytest.raises(ValueError):
        whole_number(value)


def test_charges_of_an_sdf_block():
    assert sdf("M  CHG  1   1  -1\n").structures().charges.tolist() == [-1]
    assert sdf(old=" 5").structures().charges.tolist() == [-1]
    assert sdf("M  RAD  1   1   2\n").structures().unpaired.tolist() == [1]
    assert sdf(old=" 4").structures().unpaired.tolist() == [1]
    plain = sdf()
    assert plain.structures().columns == {}
    assert plain.records[0].charge is None
    mismatch = sdf("M  CHG  1   1  -1\nM  RAD  1   1   2\n")
    assert "charge and multiplicity do not fit together" in mismatch.problems[0]


def test_a_data_field_may_say_what_the_block_does_not_but_not_contradict_it():
    assert sdf(fields=">  <charge>\n-1\n\n").structures().charges.tolist() == [-1]
    assert sdf("M  CHG  1   1  -1\n", fields=">  <charge>\n-1\n\n").problems == []
    (problem,) = sdf("M  CHG  1   1  -1\n", fields=">  <charge>\n1\n\n").problems
    assert problem.endswith("its atoms say charge -1, its data field charge says +1")
    assert sdf(fields=">  <charge>\n12 EUR\n\n").records[0].info == {"charge_": "12 EUR"}


def test_v3000_charges_and_radicals():
    for smiles, charge, unpaired in (("[NH4+]", 1, 0), ("[OH]", 0, 1)):
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
        molecule.AddConformer(Chem.Conformer(molecule.GetNumAtoms()))
        for atom in molecule.GetAtoms():  # a flat drawing is refused
            molecule.GetConformer().SetAtomPosition(atom.GetIdx(), (atom.GetIdx() * 1.0, 0.1, 0.2 * atom.GetIdx()))
        found = parse_sdf(Chem.MolToMolBlock(molecule, forceV3000=True) + "$$$$\n", "a", "b")
        assert found.problems == []
        assert (found.structures().charges.tolist(), found.structures().unpaired.tolist()) == ([charge], [unpaired])


@pytest.mark.parametrize(
    ("comment", "charge", "unpaired"),
    [
        ("charge=-1", -1, 0),
        ('charge="+1 e"', 1, 0),
        ("multiplicity=2", 0, 1),
        ("charge=0 spin=4", 0, 3),
        ("unpaired=1", 0, 1),
        ("uhf=3 multiplicity=4", 0, 3),
        ("spin=up", 0, 0),
        ("energy=-1.0", 0, 0),
        ("charge=nan", 0, 0),
    ],
)
def test_charge_and_multiplicity_of_a_comment_line(comment, charge, unpaired):
    reading = xyz(comment)
    assert reading.problems == []
    assert (reading.structures().charges.tolist(), reading.structures().unpaired.tolist()) == ([charge], [unpaired])


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("charge=some", "its charge is not a whole number: 'some'"),
        ("charge=0.5", "its charge is not a whole number: '0.5'"),
        ("charge=-1 spin=2", "with charge -1 it has 10 electrons, an even number, and 1 of them cannot be unpaired"),
        ("multiplicity=1", "with charge +0 it has 9 electrons, an odd number"),
        ("multiplicity=0", "its multiplicity cannot be read: '0'"),
        ("unpaired=1 multiplicity=4", "its values contradict each other: unpaired=1, multiplicity=4"),
        ("charge=10", "charge +10 is more than it has electrons (9)"),
    ],
)
def test_what_cannot_be_is_told_and_costs_that_molecule_alone(comment, words):
    text = METHYL.format(comment="name=a charge=1") + METHYL.format(comment=f"name=b {comment}") + METHYL.format(comment="name=c")
    reading = parse_xyz(text, "in.xyz", "in")
    (problem,) = reading.problems
    assert problem.startswith(f"in.xyz, molecule 2 (b): {words}" if words[:3] != "wit" else "in.xyz, molecule 2 (b): ")
    assert words in problem
    assert reading.structures().names == ["a", "c"]
    assert reading.structures().charges.tolist() == [1, 0]


def test_ases_initial_charges_add_up():
    assert charge_of({}, {"initial_charges": np.array([0.3, 0.3, 0.41])}) == 1
    assert charge_of({"charge": -1}, {"initial_charges": np.array([0.3, 0.3])}) == -1
    assert charge_of({}, {"initial_charges": np.zeros(3)}) is None
    with pytest.raises(ElectronsProblem, match=r"its initial charges add up to \+0.6 e"):
        charge_of({}, {"initial_charges": np.array([0.3, 0.3])})
    with pytest.raises(ElectronsProblem):
        charge_of({}, {"initial_charges": np.array(["a", "b"])})
    assert unpaired_of({"spin": 0}) == 0
    atoms = Atoms("NH4", [[0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [-0.6, 0.6, -0.6], [0.6, -0.6, -0.6]])
    atoms.set_initial_charges([1, 0, 0, 0, 0])
    assert formats.from_ase([atoms, Atoms("He")]).charges.tolist() == [1, 0]


@pytest.mark.parametrize("ending", ["xyz", "sdf", "h5", "db"])
def test_charges_and_unpaired_electrons_come_back_from_every_format(tmp_path, ending):
    molecules = [([7, 1, 1, 1, 1], 1, 0), ([6, 1, 1, 1], 0, 1), ([8, 1], -1, 0), ([8, 1, 1], 0, 0)]
    corners = np.array([[0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [-0.6, 0.6, -0.6], [0.6, -0.6, -0.6]])
    bare = Structures.build([numbers for numbers, _, _ in molecules], [corners[: len(n)] for n, _, _ in molecules], "abcd")
    s = bare.with_electrons([charge for _, charge, _ in molecules], [unpaired for _, _, unpaired in molecules])
    path = tmp_path / f"x.{ending}"
    formats.write(path, s)
    found = formats.read(path)
    assert found.problems == []
    assert found.structures().charges.tolist() == s.charges.tolist()
    assert found.structures().unpaired.tolist() == s.unpaired.tolist()
    (atoms, *_) = formats.to_ase(found.structures())
    assert atoms.info["charge"] == 1
    assert formats.from_ase(formats.to_ase(s)).charges.tolist() == s.charges.tolist()


def test_names_may_be_written_otherwise():
    for comment in ("Charge=1", "CHARGE=1", "total_charge=1", "net_charge=1.0", "charge=1 Charge=1"):
        assert xyz(comment).records[0].charge == 1, comment
    assert xyz("charge=1 Multiplicity=3").records[0].unpaired == 2
    assert xyz("Charge=Gasteiger").records[0].charge is None
    assert "contradict each other: charge=1, total_charge=-1" in xyz("charge=1 total_charge=-1").problems[0]


def test_what_is_not_stated_is_not_written_as_if_it_were(tmp_path):
    methyl = METHYL.format(comment="name=methyl") + "2\nname=oxygen multiplicity=3\nO 0 0 0\nO 0 0 1.2\n"
    reading = parse_xyz(methyl, "in.xyz", "in")
    for ending in ("xyz", "sdf"):
        formats.write(tmp_path / f"out.{ending}", reading.structures())
        again = formats.read(tmp_path / f"out.{ending}")
        assert not again.problems
        assert [record.unpaired for record in again.records] == [None, 2]
        assert [record.charge for record in again.records] == [None, None]


def test_data_fields_of_an_sdf_mean_many_things():
    for fields in (">  <CHARGE>\n2\n\n", ">  <NET_CHARGE>\n2\n\n", ">  <Multiplicity>\nhigh\n\n"):
        (record,) = sdf(lines="M  CHG  1   1  -1\n", fields=fields).records
        assert (record.problem, record.charge, record.unpaired) == (None, -1, None)
