"""ASE's Atoms and the formats that ASE reads."""

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings

from morered import formats
from morered.structures import Column, Structures
from structures_support import WATER, assert_same, names, random_structures, structures


@settings(deadline=None, max_examples=60)
@given(structures(column_names=names("abXY_09 =\"'é/.-"), per_atom_shapes=((), (3,), (1,), (3, 3))))
def test_round_trip_is_exact(s: Structures) -> None:
    assert_same(formats.from_ase(formats.to_ase(s)), s)


def test_atoms_share_nothing_with_the_structures() -> None:
    s = random_structures(1)
    (atoms,) = formats.to_ase(s)
    atoms.positions += 1
    atoms.arrays["forces"] += 1
    assert s.same_as(random_structures(1))


def test_results_of_a_calculator_become_columns() -> None:
    molecules = [ase.build.molecule("H2O"), ase.build.molecule("NH3")]
    for k, atoms in enumerate(molecules):
        atoms.calc = SinglePointCalculator(
            atoms, energy=-1.0 * k, forces=np.full((len(atoms), 3), k), dipole=np.arange(3.0), charges=np.arange(len(atoms)) / 4
        )
    s = formats.from_ase(molecules, "mine")
    assert s.names == ["mine/1", "mine/2"]
    assert {name: (c.unit, c.per_atom, c.values.shape) for name, c in s.columns.items()} == {
        "energy": ("eV", False, (2,)),
        "dipole": ("e Å", False, (2, 3)),
        "forces": ("eV/Å", True, (7, 3)),
        "charges": ("e", True, (7,)),
    }
    assert s.column("dipole").tolist() == [[0, 1, 2]] * 2  # water has three atoms: a dipole is not taken for a per-atom value


def test_results_of_other_positions_are_not_taken() -> None:
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]], calculator=EMT())
    atoms.get_potential_energy()
    assert "energy" in formats.from_ase([atoms]).columns
    atoms.positions[1, 2] = 3
    assert "energy" not in formats.from_ase([atoms]).columns


def test_names_are_kept_and_made_unique() -> None:
    molecules = [
        Atoms("He", info=info) for info in ({"name": "a"}, {"id": 7}, {"name": "a"}, {}, {"name": "a", "reference": "b"})
    ]
    s = formats.from_ase(molecules)
    assert s.names == ["a", "7", "a#2", "molecule/4", "a#3"]
    assert s.references.tolist() == [b"a", b"7", b"a#2", b"molecule/4", b"b"]


def test_what_is_no_molecule_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"Atoms, molecule 2 \(molecule/2\): it has no atoms; .*molecule/3\): atom 1 is of no element"
    ):
        formats.from_ase([Atoms("He"), Atoms(), Atoms("X")])


@pytest.mark.parametrize("ending", ["pdb", "gen", "traj", "json", "cube", "xsf"])
def test_formats_that_ase_reads(tmp_path, ending: str) -> None:
    path = tmp_path / f"water.{ending}"
    options = {"data": np.zeros((2, 2, 2))} if ending == "cube" else {}
    atoms = Atoms(WATER[0], WATER[1], cell=np.eye(3) * 9)
    ase.io.write(path, atoms, **options)
    reading = formats.read(path)
    assert reading.problems == []
    s = reading.structures()
    assert s.names == ["water/1"]
    assert sorted(s.numbers.tolist()) == [1, 1, 8]
    np.testing.assert_allclose(np.sort(s.positions, axis=0), np.sort(WATER[1], axis=0), atol=6e-4)  # pdb: three decimals


def test_several_images_and_a_named_format(tmp_path) -> None:
    ase.io.write(tmp_path / "run.log", [ase.build.molecule("H2O"), ase.build.molecule("CH4")], format="traj")
    assert formats.read(tmp_path / "run.log", format="traj").structures().sizes.tolist() == [3, 5]


def test_periodic_cells_are_told(tmp_path) -> None:
    ase.io.write(tmp_path / "x.traj", [Atoms(WATER[0], WATER[1], cell=[9] * 3, pbc=True)])
    assert formats.read(tmp_path / "x.traj").notes == [f"{tmp_path / 'x.traj'}: the periodic cell of 1 of 1 molecules is ignored"]


def test_files_that_ase_cannot_read(tmp_path) -> None:
    path = tmp_path / "x.cif"
    path.write_text("this is no crystal\n" * 3)
    (problem,) = formats.read(path).problems
    assert problem.startswith(f"{path}: ")
    assert "\n" not in problem


def test_energies_and_forces_as_results_survive_ases_formats(tmp_path) -> None:
    s = random_structures(3).with_columns({"note": Column(np.array([b"a", b"b", b"c"]))})
    atoms = formats.to_ase(s, results=True)
    assert [a.get_potential_energy() for a in atoms] == s.column("energy").tolist()
    assert_same(formats.from_ase(atoms), s)
    ase.io.write(tmp_path / "x.traj", atoms)
    assert_same(formats.read(tmp_path / "x.traj").structures(), s)
    ase.io.write(tmp_path / "x.xyz", atoms)
    assert formats.read(tmp_path / "x.xyz").structures().column("energy").tolist() == s.column("energy").tolist()
    other = s.with_columns({"energy": Column(s.column("energy"), "hartree")})  # not what ASE would take it for
    assert [a.info["energy"] for a in formats.to_ase(other, results=True)] == s.column("energy").tolist()
