"""Xyz and extended xyz: exact round trips, other programs' files, and broken molecules among good ones."""

from contextlib import suppress

import ase.io
import numpy as np
import pytest
from ase.io.extxyz import key_val_str_to_dict
from hypothesis import given, settings
from hypothesis import strategies as st

from morered import formats
from morered.formats.sources import SourceProblem
from morered.formats.xyz import extxyz_frames, parse_xyz
from morered.structures import Column, Structures
from structures_support import METHANE, WATER, assert_same, names, random_structures, structures

WATER_LINES = "O 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n"
GOOD = "3\nwater\n" + WATER_LINES
NEXT = "2\nhydrogen\nH 0 0 0\nH 0 0 0.74\n"


def reading_of(text: str) -> formats.Reading:
    return parse_xyz(text, "in.xyz", "in")


# --------------------------------------------------------------------- round trips


@settings(deadline=None, max_examples=80)
@given(structures(column_names=names("abXY_09 =\"'\\{}[]é/.-")))
def test_round_trip(s: Structures) -> None:
    reading = reading_of("".join(extxyz_frames(s)))
    assert reading.problems == []
    assert reading.notes == []
    assert_same(reading.structures(), s, decimals=8)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_positions_keep_the_decimals_asked_for(decimals: int, seed: int) -> None:
    s = random_structures(2, seed=seed).without_columns()
    assert_same(reading_of("".join(extxyz_frames(s, decimals=decimals))).structures(), s, decimals=decimals)


def test_columns_may_be_left_out() -> None:
    s = random_structures(2)
    assert reading_of("".join(extxyz_frames(s, columns=False))).structures().columns == {}


def test_per_atom_tensors_come_back_flat() -> None:
    s = random_structures(2)
    tensor = np.arange(s.n_atoms * 9.0).reshape(-1, 3, 3)
    found = reading_of("".join(extxyz_frames(s.with_columns({"t": Column(tensor, "", True)})))).structures()
    np.testing.assert_array_equal(found.column("t"), tensor.reshape(-1, 9))


def test_names_that_mean_something_else_get_an_underscore() -> None:
    """A result must not be lost because a column came in under an odd name."""
    s = Structures.build([WATER[0]] * 2, [WATER[1]] * 2, ["a", "b"])
    atoms = np.arange(6.0)
    given = {
        "Lattice": Column(np.ones(2)),
        "name": Column(np.zeros(2)),
        "name_": Column(np.full(2, 5.0), "eV"),
        "id": Column(np.arange(2)),
        "": Column(np.arange(2) + 2),
        "pos": Column(atoms, "", True),
        "a:b": Column(atoms + 1, "", True),
        "a b": Column(atoms + 2, "e", True),
        "none": Column(np.zeros((6, 0)), "", True),
        "label": Column(np.array([b"a b", b"", b"c", b" d", b"e", b"f"]), "", True),
    }
    found = reading_of("".join(extxyz_frames(s.with_columns(given)))).structures()
    assert found.names == ["a", "b"]
    expected = {
        "Lattice_": "Lattice",
        "name__": "name",
        "name_": "name_",
        "id": "id",
        "_": "",
        "pos_": "pos",
        "a_b": "a:b",
        "a b": "a b",
    }
    assert set(found.columns) == {*expected, "label"}
    for name, origin in expected.items():
        np.testing.assert_array_equal(found.column(name), given[origin].values)
        assert found.columns[name].unit == given[origin].unit
    assert found.column("label").tolist() == [b"a_b", b"_", b"c", b"d", b"e", b"f"]


# --------------------------------------------------------------------- other programs


def test_ase_reads_what_we_write(tmp_path) -> None:
    s = random_structures(5)
    s = s.with_columns(
        {"note": Column(np.array(['it\'s "q" \\ b', "T", "12", "a=b c", "é"])), "v": Column(np.eye(5)[:, :3], "Å")}
    )
    formats.write(tmp_path / "x.xyz", s)
    for m, atoms in enumerate(ase.io.read(tmp_path / "x.xyz", ":")):
        molecule = s.molecule(m)
        assert atoms.numbers.tolist() == molecule.numbers.tolist()
        np.testing.assert_allclose(atoms.positions, molecule.positions, atol=0.51e-8)  # half of the last of 8 decimals
        assert atoms.info["name"] == molecule.id
        assert atoms.info["note"] == s.column("note")[m]
        np.testing.assert_array_equal(atoms.info["v"], s.column("v")[m])
        assert atoms.info["units"] == {"v": "Å"}
        assert atoms.get_potential_energy() == s.column("energy")[m]
        np.testing.assert_array_equal(atoms.get_forces(), s.column("forces")[s.offsets[m] : s.offsets[m + 1]])


def test_we_read_what_ase_writes(tmp_path) -> None:
    s = random_structures(5)
    s = s.with_columns(
        {"note": Column(np.array([b"a b", b"c", b"d", b"e", b"f"])), "n": Column(np.arange(5)), "b": Column(np.eye(5) > 0)}
    )
    ase.io.write(tmp_path / "x.extxyz", formats.to_ase(s), format="extxyz")
    found = formats.read(tmp_path / "x.extxyz").structures()
    assert_same(found.without_columns(), s.without_columns(), decimals=8)
    for name in ("energy", "note", "n", "b"):
        np.testing.assert_array_equal(found.column(name), s.column(name))
    np.testing.assert_allclose(found.column("forces"), s.column("forces"), atol=0.51e-8)
    assert {name: column.unit for name, column in found.columns.items() if column.unit} == {"energy": "eV", "forces": "eV/Å"}


@pytest.mark.parametrize(
    "comment",
    [
        'energy=-1.5 flag charge=0 name="a b" v="1 2 3" w=[1.0 2.5] u={4 5} t="T F" s=\'x y\' j="_JSON {\\"a\\": [1]}"',
        "a = 1 b=2.5e-3 c=nan d=1,2,3 e=true f=FALSE",
        'Lattice="1 0 0 0 2 0 0 0 3" pbc="F F F" m="_JSON [[1, 2], [3, 4]]"',
        'path=C:/x/y=z smiles="C[C@H](O)=N" e=""',
    ],
)
def test_comments_mean_what_they_mean_to_ase(comment: str) -> None:
    found = reading_of(f"1\nProperties=species:S:1:pos:R:3 {comment}\nHe 0 0 0\n").records[0]
    expected = key_val_str_to_dict(comment)
    for key in ("Lattice", "pbc", "name"):
        expected.pop(key, None)
    assert found.info.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found.info[key], value, err_msg=key)


def test_real_records_of_qm7x() -> None:
    text = (
        "3\n"
        'Properties=species:S:1:pos:R:3:totFOR:R:3 qm7x_id=Geom-m1-i1-c1-opt pbc="F F F"\n'
        "O 0.0 0.0 0.119 0.1 0.2 0.3\nH 0.0 0.763 -0.477 0.0 0.0 0.0\nH 0.0 -0.763 -0.477 -0.1 -0.2 -0.3\n"
    )
    reading = reading_of(text)
    assert reading.notes == []
    s = reading.structures()
    assert s.column("qm7x_id").tolist() == [b"Geom-m1-i1-c1-opt"]
    assert s.column("totFOR").tolist() == [[0.1, 0.2, 0.3], [0, 0, 0], [-0.1, -0.2, -0.3]]


def test_qm9s_own_notation() -> None:
    text = (
        "5\ngdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\n"
        "C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689\nH\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921\n"
        "H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922\nH\t-0.540815069\t 1.4475266138\t-8.7664*^-1\t 0.133923\n"
        "H\t-0.5238136345\t 1.4379326443\t 9.063972942D-01\t 0.133923\n"
        "1341.307\t1341.3284\t1341.365\t1562.6731\t1562.7453\nC\tC\t\nInChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4\n"
    )
    reading = reading_of(text + text)
    assert reading.problems == []
    assert reading.notes == ["in.xyz: 6 lines without atoms between molecules ignored (first: line 8)"]
    assert reading.structures().positions[3:5, 2].tolist() == [-0.87664, 0.9063972942]


@pytest.mark.parametrize("token", ["c", "C", "C1", "6", "C13"])
def test_ways_to_name_carbon(token: str) -> None:
    assert reading_of(f"1\n\n{token} 0 0 0\n").structures().numbers.tolist() == [6]


def test_deuterium_is_hydrogen_and_two_letters_are_one_element() -> None:
    assert reading_of("4\n\nD 0 0 0\nCL 1 0 0\nbr 3 0 0\nT 5 0 0\n").structures().numbers.tolist() == [1, 17, 35, 1]


def test_atomic_numbers_in_a_column_of_their_own() -> None:
    text = "2\nProperties=pos:R:3:Z:I:1 name=hydroxyl\n0 0 0 8\n0 0 0.97 1\n"
    reading = reading_of(text * 2)
    assert reading.structures().numbers.tolist() == [8, 1, 8, 1]
    assert reading.structures().names == ["hydroxyl", "hydroxyl#2"]


def test_windows_line_ends_blank_lines_and_no_last_line_end() -> None:
    reading = reading_of(("\n\n" + GOOD + "\n \n" + NEXT).replace("\n", "\r\n").rstrip())
    assert reading.problems == []
    assert reading.structures().names == ["water", "hydrogen"]


def test_cells_are_ignored_and_told() -> None:
    box = GOOD.replace("water", 'Lattice="9 0 0 0 9 0 0 0 9" name=boxed')
    unbound = GOOD.replace("water", 'Lattice="9 0 0 0 9 0 0 0 9" pbc="F F F" name=free')
    reading = reading_of(unbound + box + box)
    assert len(reading.structures()) == 3
    assert reading.notes == ["in.xyz: the periodic cell of molecule 2 (boxed) and 1 more molecules is ignored"]


def test_cell_vectors_of_adf_are_passed_over() -> None:
    reading = reading_of(GOOD + "VEC1 9 0 0\nVEC2 0 9 0\n" + NEXT)
    assert reading.problems == []
    assert len(reading.structures()) == 2


def test_underscores_make_no_numbers() -> None:
    assert reading_of(GOOD.replace("water", "tag=1_2 energy=-1.5")).records[0].info == {"tag": "1_2", "energy": -1.5}


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ("aspirin", "aspirin"),
        ("benzene ring", "benzene ring"),
        ("", "in/1"),
        ("energy: -5.07 gnorm: 0.0005 xtb: 6.6.1", "in/1"),
        ("x" * 200, "in/1"),
        ("charge = 0", "in/1"),
        ("name=0012", "0012"),
        ('name="a b" energy=1', "a b"),
        ("id=T", "T"),
    ],
)
def test_names(comment: str, name: str) -> None:
    assert reading_of(GOOD.replace("water", comment)).records[0].name == name


# --------------------------------------------------------------------- broken molecules

BROKEN = {
    "word count": ("three\nname\n" + WATER_LINES, "in/2", "the count line (line 6) is not a whole number: 'three'"),
    "fractional count": ("3.0\nname\n" + WATER_LINES, "in/2", "the count line (line 6) is not a whole number: '3.0'"),
    "count and more": ("3 atoms\nname\n" + WATER_LINES, "in/2", "the count line (line 6) is not a whole number: '3 atoms'"),
    "no count": ("name\n" + WATER_LINES, "in/2", "the count line (line 6) is not a whole number: 'name'"),
    "count too large": ("4\nbad\n" + WATER_LINES, "bad", "the count line says 4 atoms, but 3 follow"),
    "count much too large": ("40\nbad\n" + WATER_LINES, "bad", "the count line says 40 atoms, but 3 follow"),
    "count too small": ("2\nbad\n" + WATER_LINES, "bad", "the count line says 2 atoms, but 3 follow"),
    "count zero": ("0\nbad\n" + WATER_LINES, "bad", "the count line says 0 atoms, but 3 follow"),
    "no atoms": ("0\nbad\n", "bad", "it has no atoms"),
    "negative count": ("-3\nbad\n" + WATER_LINES, "bad", "the count line says -3 atoms, but 3 follow"),
    "blank line among atoms": (
        "3\nbad\n" + WATER_LINES.replace("H 0 0", "\nH 0 0"),
        "bad",
        "the count line says 3 atoms, but 1 follows",
    ),
    "no comment": ("3\n" + WATER_LINES, "in/2", "the comment line (line 7) is missing: an atom is there"),
    "not a number": ("3\nbad\n" + WATER_LINES.replace("0.763", "abc", 1), "bad", "atom 2 (line 9): 'abc' is not a number"),
    "stars": ("3\nbad\n" + WATER_LINES.replace("0.119", "*******"), "bad", "atom 1 (line 8): '*******' is not a number"),
    "column lost": ("3\nbad\n" + WATER_LINES.replace(" 0.119", ""), "bad", "atom 1 (line 8) has 3 of 4 columns: 'O 0 0'"),
    "unknown symbol": ("3\nbad\n" + WATER_LINES.replace("O", "Xx"), "bad", "atom 1 (line 8) is of no known element: 'Xx'"),
    "number too large": ("3\nbad\n" + WATER_LINES.replace("O", "119"), "bad", "atom 1 (line 8) is of no known element: '119'"),
    "nan": (
        "3\nbad\n" + WATER_LINES.replace("0.763", "nan", 1),
        "bad",
        "the coordinates of atom 2 are not finite (0 nan -0.477)",
    ),
    "inf": (
        "3\nbad\n" + WATER_LINES.replace("0.477", "inf"),
        "bad",
        "the coordinates of atom 2 are not finite (0 0.763 -inf) and 1 more",
    ),
    "coinciding": ("3\nbad\n" + WATER_LINES.replace("-0.763", "0.763"), "bad", "atoms 2 and 3 coincide (0.0000 Å apart)"),
    "nearly coinciding": ("2\nbad\nH 0 0 0\nH 0 0 0.009\n", "bad", "atoms 1 and 2 coincide (0.0090 Å apart)"),
    "one point": ("3\nbad\nO 0 0 0\nH 0 0 0\nH 0 0 0\n", "bad", "it has no coordinates: all atoms are at one point"),
    "bad properties": (
        "3\nProperties=species:S:1:pos:Q:3 name=bad\n" + WATER_LINES,
        "bad",
        "Properties cannot be read: 'species:S:1:pos:Q:3'",
    ),
    "no positions": (
        "3\nProperties=species:S:1:x:R:3 name=bad\n" + WATER_LINES,
        "bad",
        "Properties name no species and pos: 'species:S:1:x:R:3'",
    ),
    "further column lost": (
        "1\nProperties=species:S:1:pos:R:3:q:R:1 name=bad\nHe 0 0 0\n",
        "bad",
        "atom 1 (line 8) has 4 of 5 columns: 'He 0 0 0'",
    ),
    "further column bad": (
        "1\nProperties=species:S:1:pos:R:3:q:I:1 name=bad\nHe 0 0 0 x\n",
        "bad",
        "the atoms' q cannot be read",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_molecule_between_good_ones(case: str) -> None:
    text, name, reason = BROKEN[case]
    reading = reading_of(GOOD + text + NEXT)
    assert reading.problems == [f"in.xyz, molecule 2 ({name}): {reason}"]
    assert [r.index for r in reading.records] == [0, 1, 2]
    s = reading.structures()
    assert s.names == ["water", "hydrogen"]
    assert s.numbers.tolist() == [8, 1, 1, 1, 1]


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_molecule_comes_last(case: str) -> None:
    reading = reading_of(GOOD + BROKEN[case][0])
    assert len(reading.problems) == 1
    assert reading.structures().names == ["water"]


@pytest.mark.parametrize("first", BROKEN)
def test_broken_molecules_in_a_row(first: str) -> None:
    """Two broken ones after each other are two records, and what follows is found."""
    reading = reading_of(BROKEN[first][0] + BROKEN["not a number"][0] + GOOD)
    assert [r.problem is None for r in reading.records] == [False, False, True]


def test_a_number_in_place_of_the_last_atom_hides_no_molecule() -> None:
    extended = "Properties=species:S:1:pos:R:3 name=last"
    reading = reading_of(
        "3\nbad\n" + "".join(WATER_LINES.splitlines(keepends=True)[:2]) + "7\n" + GOOD.replace("water", extended)
    )
    assert reading.problems == ["in.xyz, molecule 1 (bad): atom 3 (line 5) has 1 of 4 columns: '7'"]
    assert reading.structures().names == ["last"]


@pytest.mark.parametrize("kept", range(1, 5))
def test_a_file_that_is_cut_off(kept: int) -> None:
    lines = GOOD.splitlines(keepends=True)
    reading = reading_of(NEXT + "".join(lines[:kept]))
    follow = max(0, kept - 2)
    name = "water" if kept > 1 else "in/2"
    assert reading.problems == [
        f"in.xyz, molecule 2 ({name}): cut off: 3 atoms are announced, {follow} follow{'s' if follow == 1 else ''}"
    ]
    assert reading.structures().names == ["hydrogen"]


def test_atoms_just_apart_are_no_problem() -> None:
    assert reading_of("2\n\nH 0 0 0\nH 0 0 0.0101\n").problems == []


def test_one_atom_is_a_molecule() -> None:
    assert reading_of("1\nhelium\nHe 0 0 0\n").structures().sizes.tolist() == [1]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_to_one_molecule_leaves_the_others(data: st.DataObject) -> None:
    """Any one line of a molecule in the middle lost or replaced: the first and last molecules are read as before."""
    s = Structures.build([WATER[0], METHANE[0], WATER[0]], [WATER[1], METHANE[1], WATER[1]], ["first", "middle", "last"])
    frames = list(extxyz_frames(s))
    lines = frames[1].splitlines(keepends=True)
    k = data.draw(st.integers(0, len(lines) - 1))
    damage = ["", "\n", "garbage\n", "nan nan nan nan\n", "C 1 2\n", "7\n", "\x07\n"]
    # An atom in place of the count line is one too many of the molecule before: that one is then refused, and rightly so.
    lines[k] = data.draw(st.sampled_from(damage + ["C 0 0 1e400\n"] * (k > 0)))
    found = reading_of(frames[0] + "".join(lines) + frames[2]).structures()
    assert {"first", "last"} <= set(found.names)
    assert found.names[0] == "first"
    np.testing.assert_allclose(found.molecule(len(found) - 1).positions, WATER[1], atol=1e-8)


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("0123456789.-+ \nCHOXx=\"'{}[]:\\eEnaif\t"), max_size=60))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    with suppress(SourceProblem):  # "holds no molecule"
        reading = reading_of(text)
        assert len(reading.structures()) + len(reading.problems) == len(reading.records) > 0
