"""PDB files: elements from their column or the place of the atom's name, models, charges, broken models among good ones."""

import pytest

from morered import formats
from morered.formats.pdb import element_of

HEADER = "TITLE     SOMETHING\n"


def line(name: str, record: str = "ATOM", residue: str = "LIG", end: str = "", x: float = 0.0, place: str = " ") -> str:
    return f"{record:<6}    1 {name:<4}{place}{residue:>3} A   1    {x:8.3f}   0.000   0.000  1.00  0.00{'':10}{end}"


@pytest.mark.parametrize(
    ("name", "residue", "element"),
    [
        (" CA ", "ALA", "C"),
        ("CA  ", "LIG", "CA"),
        ("CA", " CA", "CA"),
        (" CA ", " CA", "CA"),
        ("CA  ", "GLY", "C"),
        ("HG21", "LIG", "H"),
        ("HO5'", "LIG", "H"),
        ("1HG2", "VAL", "H"),
        (" HG ", "SER", "H"),
        ("HG  ", "LIG", "HG"),
        ("CL1 ", "LIG", "CL"),
        ("Cl1 ", "LIG", "Cl"),
        ("BR  ", "LIG", "BR"),
        ("C1' ", "LIG", "C"),
        ("CB  ", "LIG", "C"),
        (" N  ", "LIG", "N"),
        ("FE  ", "HEM", "FE"),
        ("    ", "LIG", ""),
    ],
)
def test_the_element_by_the_place_of_the_name(name, residue, element):
    assert element_of(line(name, "HETATM", residue)) == element


def test_the_element_column_comes_first():
    assert element_of(line(" CA ", end="CA")) == "CA"
    assert element_of(line("HG  ", end=" H")) == "H"
    assert element_of(line(" CA ", end=" 1")) == "C"


def test_models_charges_and_alternative_locations(tmp_path):
    first = [line(" O  ", end=" O1-"), line(" H  ", x=0.97, end=" H")]
    second = [line(" O  ", place="A"), line(" O  ", x=0.2, place="B"), line(" H1 ", x=0.97), line(" H2 ", x=-0.97)]
    broken = [line(" O  ").replace("   0.000   0.000", "   zero    0.000")]
    text = HEADER + "".join(f"MODEL\n{chr(10).join(model)}\nENDMDL\n" for model in (first, broken, second)) + "END\n"
    (tmp_path / "x.pdb").write_text(text)
    reading = formats.read(tmp_path / "x.pdb")
    assert len(reading.problems) == 1
    assert "molecule 2 (x/2): atom 1 cannot be read" in reading.problems[0]
    s = reading.structures()
    assert s.sizes.tolist() == [2, 3]
    assert s.charges.tolist() == [-1, 0]


def test_what_is_no_pdb_file(tmp_path):
    (tmp_path / "x.pdb").write_text(HEADER)
    assert formats.read(tmp_path / "x.pdb").problems == [f"{tmp_path / 'x.pdb'}: holds no molecule"]
    (tmp_path / "y.pdb").write_text(line("    ") + "\n")
    assert "is of no known element" in formats.read(tmp_path / "y.pdb").problems[0]
