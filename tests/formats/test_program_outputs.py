"""Outputs of Gaussian and ORCA: the last geometry, with its charge and multiplicity."""

import pytest

from morered.formats import read

GAUSSIAN = """ Entering Gaussian System, Link 0=g16
 # B3LYP/6-31G(d) opt
 ----------------------
 Charge =  1 Multiplicity = 1
{geometries} Normal termination of Gaussian 16
"""
ORIENTATION = """                         Standard orientation:
 ---------------------------------------------------------------------
 Center     Atomic      Atomic             Coordinates (Angstroms)
 Number     Number       Type             X           Y           Z
 ---------------------------------------------------------------------
      1          8           0        0.000000    0.000000    0.100000
      2          1           0        0.000000    {x:8.6f}   -0.300000
      3          1           0        0.800000   -0.500000   -0.300000
      4          1           0       -0.800000   -0.500000   -0.300000
 ---------------------------------------------------------------------
 SCF Done:  E(RB3LYP) =  -76.4089533    A.U. after    9 cycles
"""
ORCA = """                                 * O   R   C   A *
Number of atoms                             ...      2
---------------------------------
CARTESIAN COORDINATES (ANGSTROEM)
---------------------------------
  O      0.000000    0.000000    0.000000
  H      0.000000    0.000000    0.970000

 Total Charge           Charge          ....    0
 Multiplicity           Mult            ....    2
FINAL SINGLE POINT ENERGY       -75.700000000000
                             ****ORCA TERMINATED NORMALLY****
"""


@pytest.mark.parametrize("name", [None, "gaussian-out"])
def test_gaussian(tmp_path, name):
    path = tmp_path / "h3o.log"
    path.write_text(GAUSSIAN.format(geometries=ORIENTATION.format(x=0.9) + ORIENTATION.format(x=0.95)))
    reading = read(path, name)
    (record,) = reading.records
    assert (record.problem, record.charge, record.unpaired) == (None, 1, 0)
    assert record.numbers.tolist() == [8, 1, 1, 1]
    assert record.positions[1, 1] == 0.95  # of two
    assert reading.notes == [f"{path}: the last of 2 geometries is taken"]
    assert reading.structures().charges.tolist() == [1]


@pytest.mark.parametrize("name", [None, "orca-output"])
def test_orca(tmp_path, name):
    path = tmp_path / "oh.out"
    path.write_text(ORCA)
    reading = read(path, name)
    (record,) = reading.records
    assert (record.problem, record.charge, record.unpaired) == (None, 0, 1)
    assert record.numbers.tolist() == [8, 1]


@pytest.mark.parametrize(("head", "charge", "unpaired"), [("1 1", 1, 0), ("1 3", 1, 2)])
def test_an_input_of_gaussian_states_charge_and_multiplicity(tmp_path, head, charge, unpaired):
    atoms = "N 0.0 0.0 0.0\nH 0.6 0.6 0.6\nH -0.6 -0.6 0.6\nH -0.6 0.6 -0.6\nH 0.6 -0.6 -0.6\n"
    (tmp_path / "in.gjf").write_text(f"%chk=a\n# HF/6-31G*\n# opt\n\na title of\n2 1\n\n{head}\n{atoms}\n")
    (record,) = read(tmp_path / "in.gjf").records
    assert (record.problem, record.charge, record.unpaired) == (None, charge, unpaired)
    with open(tmp_path / "in.gjf", "a") as file:  # a further step at this geometry, as an electron is taken
        file.write("--Link1--\n%chk=a\n# HF/6-31G* geom=check\n\ntitle\n\n2 2\n\n")
    (record,) = read(tmp_path / "in.gjf").records
    assert (record.charge, record.unpaired) == (charge, unpaired)
