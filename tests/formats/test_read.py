"""Choosing formats, standard input and output, sources from which nothing can be had, and what all formats share."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from morered import formats, storage
from morered.chemistry import COINCIDING
from morered.formats.records import Record, atomic_number
from morered.structures import Column, Structures
from structures_support import METHANE, WATER, assert_same, random_structures

XYZ = "3\nwater\nO 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n"


@pytest.mark.parametrize(
    "ending", ["xyz", "extxyz", "XYZ", "xyz.gz", "xyz.bz2", "extxyz.xz", "sdf", "sdf.gz", "mol", "db", "h5", "hdf5"]
)
def test_every_ending_that_is_written_is_read(tmp_path: Path, ending: str) -> None:
    s = random_structures(1 if ending == "mol" else 4, low=2)
    formats.write(tmp_path / f"x.{ending}", s)
    reading = formats.read(tmp_path / f"x.{ending}")
    assert reading.problems == reading.notes == []
    assert_same(reading.structures(), s, decimals=4 if ending[:3] in ("sdf", "mol") else 8)
    assert os.listdir(tmp_path) == [f"x.{ending}"]


def test_a_format_may_be_named(tmp_path: Path) -> None:
    formats.write(tmp_path / "out.dat", random_structures(2), format="sdf")
    assert len(formats.read(tmp_path / "out.dat", format="sdf").structures()) == 2
    assert len(formats.read(tmp_path / "out.dat", format="mol").structures()) == 2
    assert formats.format_of("a/b.c/in.tar.xyz.gz") == "extxyz"
    assert formats.format_of("in.cif") is formats.format_of("-") is formats.format_of("in") is None


def test_options_reach_the_writer(tmp_path: Path) -> None:
    formats.write(tmp_path / "x.xyz", random_structures(1), columns=False, decimals=2)
    text = (tmp_path / "x.xyz").read_text()
    assert "energy" not in text
    assert all(len(token.split(".")[1]) == 2 for line in text.splitlines()[2:] for token in line.split()[1:])


@pytest.mark.parametrize("ending", ["pdb", "", "smi"])
def test_formats_that_are_not_written(tmp_path: Path, ending: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be written; known are \.xyz, \.extxyz, \.sdf"):
        formats.write(tmp_path / f"x.{ending}", random_structures(1))


# --------------------------------------------------------------------- nothing to be had


def problem_of(path: Path, **options: str) -> str:
    reading = formats.read(path, **options)
    assert len(reading.records) == 1
    assert len(reading.structures()) == 0
    (problem,) = reading.problems
    assert problem.startswith(f"{path}: ")
    return problem.removeprefix(f"{path}: ")


@pytest.mark.parametrize("ending", ["xyz", "sdf", "db", "h5", "pdb", "unknown", "xyz.gz"])
def test_missing_files_folders_and_empty_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    assert problem_of(path) == "there is no such file"
    path.touch()
    assert problem_of(path) == "the file is empty"
    path.unlink()
    path.mkdir()
    assert problem_of(path) == "is a folder, not a file"


@pytest.mark.parametrize("ending", ["xyz", "sdf"])
def test_blank_and_binary_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    path.write_text("\n \n\n")
    assert problem_of(path) == "the file is empty"
    path.write_bytes(bytes(range(256)))
    assert problem_of(path) == "is not a text file"


def test_text_without_a_molecule(tmp_path: Path) -> None:
    path = tmp_path / "x.xyz"
    path.write_text("Dear colleague,\n\nplease find attached\n")
    assert problem_of(path) == "holds no molecule"


def test_unknown_formats(tmp_path: Path) -> None:
    path = tmp_path / "x.molecules"
    path.write_text("C C O\n")
    assert problem_of(path) == "is of no known format (.molecules)"
    assert problem_of(path, format="nonsense") == "ASE knows no format called 'nonsense'"


def test_smiles_have_no_coordinates(tmp_path: Path) -> None:
    path = tmp_path / "x.smi"
    path.write_text("CCO ethanol\n")
    assert problem_of(path) == "SMILES have no coordinates"


def test_cut_compressed_files(tmp_path: Path) -> None:
    for ending, compress in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        path = tmp_path / f"x.xyz.{ending}"
        path.write_bytes(compress(XYZ.encode() * 50)[:-20])
        assert formats.read(path).problems[-1].endswith("the compressed file is cut off")
        path.write_bytes(b"plain text, not compressed")
        assert problem_of(path).startswith("cannot be read: ")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.xyz"
    path.write_text(XYZ)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root may read everything, so that a mode of 0 proves nothing
    assert problem_of(path) == "may not be read (permission denied)"


def test_hdf5_problems_are_told_once(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    storage.write(path, random_structures(50))
    os.truncate(path, path.stat().st_size // 2)
    assert problem_of(path) == "the file is cut off (it is shorter than it says)"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x.xyz").write_text(XYZ.replace("water", "wäter"), encoding=encoding)
    assert formats.read(tmp_path / "x.xyz").structures().names == ["wäter"]


# --------------------------------------------------------------------- pipes


def piped(text: bytes, monkeypatch: pytest.MonkeyPatch, format: str | None = None) -> formats.Reading:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    return formats.read("-", format)


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s = random_structures(3)
    formats.write(tmp_path / "x.sdf", s)
    assert piped(XYZ.encode(), monkeypatch).structures().names == ["water"]
    assert piped(b"3\n\n" + XYZ.encode().split(b"\n", 2)[2], monkeypatch).structures().names == ["stdin/1"]
    assert_same(piped((tmp_path / "x.sdf").read_bytes(), monkeypatch).structures(), s, decimals=4)
    assert_same(piped((tmp_path / "x.sdf").read_bytes(), monkeypatch, "sdf").structures(), s, decimals=4)
    assert piped(b"", monkeypatch).problems == ["standard input: nothing came in"]
    assert piped(b"3\n\nO 0 0 0\n", monkeypatch).problems == [
        "standard input, molecule 1 (stdin/1): cut off: 3 atoms are announced, 1 follows"
    ]
    for name in ("cif", "schnetpack", "hdf5"):
        (problem,) = piped(b"x", monkeypatch, name).problems
        assert problem == "standard input: only xyz, extxyz, SDF, PDB and mol2 come through a pipe"


def test_a_real_pipe() -> None:
    program = "from morered import formats; formats.write('-', formats.read('-').structures())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", program], input=XYZ.encode(), capture_output=True, env=environment, check=True)
    assert result.stdout.decode().splitlines() == [
        "3",
        "Properties=species:S:1:pos:R:3 name=water",
        "O 0.00000000 0.00000000 0.11900000",
        "H 0.00000000 0.76300000 -0.47700000",
        "H 0.00000000 -0.76300000 -0.47700000",
    ]
    assert result.stderr == b""


def test_standard_output_for_sdf(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    formats.write("-", Structures.build([WATER[0]], [WATER[1]], ["water"]), format="sdf")
    assert capfdbinary.readouterr().out.startswith(b"water\n")


# --------------------------------------------------------------------- what all formats share


def mixed(*infos: dict, arrays: tuple[dict, ...] = ()) -> formats.Reading:
    records = []
    for m, info in enumerate(infos):
        per_atom = arrays[m] if arrays else {}
        records.append(Record(f"m{m}", m, "x", np.array(WATER[0], np.uint8), np.array(WATER[1]), info=info, arrays=per_atom))
    return formats.Reading("x", records)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1, 2]),
        ([1, 2.5], [1.0, 2.5]),
        ([1, None], [1.0, np.nan]),
        ([True, None], [1.0, np.nan]),
        ([None, "a"], [b"", b"a"]),
        (["a", "bcd"], [b"a", b"bcd"]),
        ([[1, 2], None], [[1.0, 2.0], [np.nan, np.nan]]),
        (["Å", "b"], ["Å".encode(), b"b"]),
    ],
)
def test_values_become_columns(values: list, expected: list) -> None:
    reading = mixed(*({} if value is None else {"v": value} for value in values))
    np.testing.assert_array_equal(reading.structures().column("v"), np.array(expected))
    assert reading.notes == []


@pytest.mark.parametrize("values", [[[1, 2], [1, 2, 3]], [1, [1]], [{"a": 1}, {"a": 2}], [[[1], [1, 2]], 3], [None, [1, "a"]]])
def test_values_that_make_no_column_are_left_out_and_told(values: list) -> None:
    reading = mixed(*({"v": value, "w": 1} if value is not None else {"w": 1} for value in values))
    columns = reading.structures().columns
    if values[0] is None:  # numpy makes texts of numbers beside texts: a column, if an odd one
        assert columns["v"].values.dtype.kind == "S"
    else:
        assert list(columns) == ["w"]
        assert reading.notes == ["x: 'v' is left out: its values do not make a column"]


def test_per_atom_values_become_columns() -> None:
    reading = mixed({}, {"q": 1.0}, arrays=({"f": np.ones((3, 3)), "q": np.arange(3)}, {}))
    s = reading.structures()
    assert s.columns["f"].per_atom
    np.testing.assert_array_equal(s.column("f"), [[1, 1, 1]] * 3 + [[np.nan] * 3] * 3)
    assert reading.notes == ["x: 'q' is given per molecule and per atom: the values per atom are left out"]


def test_names_are_unique_and_problems_keep_their_place() -> None:
    water, methane = (np.array(WATER[0], np.uint8), np.array(WATER[1])), (np.array(METHANE[0], np.uint8), np.array(METHANE[1]))
    broken = Record("a", 1, "x")
    reading = formats.Reading(
        "x", [Record("a", 0, "x", *water), broken, Record("a", 2, "x", *methane), Record("a#2", 3, "x", *water)]
    )
    assert [record.name for record in reading.records] == ["a", "a#2", "a#3", "a#2#2"]
    assert reading.problems == ["x, molecule 2 (a#2): it has no atoms"]
    assert reading.structures().names == ["a", "a#3", "a#2#2"]


def test_the_first_reason_stays() -> None:
    record = Record("a", 4, "x")
    record.fail("one")
    record.fail("two")
    assert record.problem == "x, molecule 5 (a): one"


@pytest.mark.parametrize(("gap", "good"), [(COINCIDING * 0.99, False), (COINCIDING * 1.01, True)])
@pytest.mark.parametrize("n_atoms", [5, 600])
def test_the_limit_of_coinciding_atoms(gap: float, good: bool, n_atoms: int) -> None:
    generator = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(9.0)] * 3), axis=-1).reshape(-1, 3)
    points = generator.permutation(grid)[:n_atoms]
    points[3] = points[1] + gap * np.array([0.6, 0.0, 0.8])
    reading = formats.Reading("x", [Record("a", 0, "x", np.full(n_atoms, 6, np.uint8), points)])
    assert reading.problems == ([] if good else [f"x, molecule 1 (a): atoms 2 and 4 coincide ({gap:.4f} Å apart)"])


def test_diffused_structures_are_molecules() -> None:
    """Twenty atoms in unit Gaussian noise, the far end of the diffusion: the contact limit refuses hardly any."""
    generator = np.random.default_rng(2)
    records = [Record(f"{m}", m, "x", np.full(20, 6, np.uint8), generator.normal(size=(20, 3))) for m in range(2000)]
    # 190 pairs, each nearer than d with probability (d/√2)³ √(2/π) / 3: 0.02 expected among 2000 structures.
    assert len(formats.Reading("x", records).problems) <= 1


@pytest.mark.parametrize(
    ("token", "number"), [("He", 2), ("HE", 2), ("118", 118), ("0", 0), ("119", 0), ("Q", 0), ("-1", 0), ("h12", 1)]
)
def test_atomic_numbers(token: str, number: int) -> None:
    assert atomic_number(token) == number


def test_text_columns_of_unicode_are_utf8(tmp_path: Path) -> None:
    s = Structures.build([WATER[0]], [WATER[1]], ["water"]).with_columns({"note": Column(np.array(["Å"]))})
    for ending in ("xyz", "sdf", "db", "h5"):
        formats.write(tmp_path / f"x.{ending}", s)
        assert formats.read(tmp_path / f"x.{ending}").structures().column("note").tolist() == ["Å".encode()]


@pytest.mark.parametrize("ending", ["xyz.gz", "sdf.bz2", "xyz.xz", "pdb.gz"])
def test_a_file_that_unpacks_to_more_than_allowed_is_refused(tmp_path: Path, ending: str) -> None:
    compress = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[ending.split(".")[1]]
    path = tmp_path / f"bomb.{ending}"
    path.write_bytes(compress(b" " * 30_000_000))
    assert path.stat().st_size < 100_000
    reading = formats.read(path, max_unpacked=20_000_000)
    assert reading.problems == [f"{path}: unpacks to more than 0.02 GB: --max-unpacked GB allows more, or unpack it and split it"]
    assert "unpacks to" not in formats.read(path).problems[0]


def test_a_small_compressed_file_is_within_any_limit(tmp_path: Path) -> None:
    path = tmp_path / "water.xyz.gz"
    path.write_bytes(gzip.compress(XYZ.encode()))
    assert not formats.read(path, max_unpacked=len(XYZ)).problems
    assert formats.read(path, max_unpacked=len(XYZ) - 1).problems


@pytest.mark.parametrize("name", ["x.sdf.gz", "x.xyz.gz", "x.xyz.xz"])
def test_a_compressed_file_that_is_cut_off_has_what_comes_before(tmp_path, name):
    structures = random_structures(40)
    path = tmp_path / name
    formats.write(path, structures)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    reading = formats.read(path)
    assert 20 < len(reading.good) == len(reading.records) - 1
    assert reading.structures().names == structures.names[: len(reading.good)]
    assert reading.problems == [f"{path} after {len(reading.good)} molecules: the compressed file is cut off"]


def test_a_piece_of_a_line_is_no_number(tmp_path):
    path = tmp_path / "x.xyz.gz"
    text = (XYZ * 2)[:-5]  # within the last coordinate
    path.write_bytes(gzip.compress(text.encode())[:-8])  # without the sum at its end: cut off
    assert len(formats.read(path).good) == 1


@pytest.mark.parametrize("name", ["x.pdb.gz", "x.mol2.gz"])
def test_the_last_molecule_of_a_cut_off_file_without_ends_is_not_taken(tmp_path, name):
    pdb = "ATOM      1  O   HOH A   1       0.000   0.000   0.000\nATOM      2  H   HOH A   1       0.970   0.000   0.000\n"
    mol2 = "@<TRIPOS>MOLECULE\nw\n 2 1\nSMALL\nNO_CHARGES\n@<TRIPOS>ATOM\n1 O1 0 0 0 O.3\n2 H1 0.97 0 0 H\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress((pdb if "pdb" in name else mol2).encode())[:-8])
    assert formats.read(path).good == []


@pytest.mark.parametrize(("limit", "good"), [(100_000, 300), (1000, 0)])
def test_a_limit_holds_for_what_comes_through_a_pipe_too(monkeypatch, limit, good):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(XYZ.encode() * 300))))
    assert len(formats.read("-", max_unpacked=limit).good) == good
