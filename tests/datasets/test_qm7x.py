"""QM7-X from the server to the test inputs, on small files of its format: complete, damaged and with pieces missing."""

from __future__ import annotations

import lzma
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from morered import storage
from morered.datasets import inputs
from morered.datasets import qm7x as dataset
from morered.datasets.download import Retry, fetch
from morered.datasets.integrity import ArchiveError
from morered.datasets.qm7x_records import METADATA_CACHE
from morered.structures import Structures

STORED = {
    "energy": "ePBE0+MBD",
    "energy_pbe0": "ePBE0",
    "srmsd": "sRMSD",
    "forces": "totFOR",
    "forces_pbe0": "pbe0FOR",
    "hirshfeld_ratios": "hRAT",
}


@pytest.fixture(scope="module")
def parts(qm7x, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("parts")
    for name in ("1000", "8000"):
        dataset.parse_file(qm7x / f"{name}.hdf5", folder / f"{name}.h5")
    return [folder / "1000.h5", folder / "8000.h5"]


@pytest.fixture(scope="module")
def joined(parts, tmp_path_factory) -> Structures:
    out = tmp_path_factory.mktemp("joined") / "qm7x.h5"
    dataset.join(parts, out)
    return storage.read(out)


def check_against_hdf5(structures: Structures, folder: Path, files=("1000", "8000"), rtol=0.0) -> None:
    """Every value as h5py's upper level reads it from the files."""
    originals = {}
    for name in files:
        with h5py.File(folder / f"{name}.hdf5") as file:
            for molecule in file.values():
                for structure, properties in molecule.items():
                    originals[f"qm7x/{structure}"] = {key: np.asarray(value) for key, value in properties.items()}
    assert sorted(structures.names) == sorted(originals)
    for m, molecule in enumerate(structures):
        original = originals[molecule.id]
        n = len(molecule.numbers)
        np.testing.assert_array_equal(molecule.numbers, original["atNUM"])
        np.testing.assert_allclose(molecule.positions, original["atXYZ"], rtol=rtol, atol=0)
        for column, key in STORED.items():
            values = structures.columns[column]
            rows = slice(structures.offsets[m], structures.offsets[m + 1]) if values.per_atom else slice(m, m + 1)
            shape = (n, -1) if values.per_atom else (1, -1)
            mine, theirs = values.values[rows].reshape(shape), original[key].reshape(shape)
            np.testing.assert_allclose(mine, theirs, rtol=rtol if values.per_atom else 0, atol=0)


# ------------------------------------------------------------------- from the server to the file that training maps


def test_from_a_bad_server_to_one_mapped_file(server, qm7x, tmp_path):
    parts = []
    for name in ("1000", "8000"):
        content = (qm7x / f"{name}.hdf5").read_bytes()
        server.files[f"{name}.xz"] = packed = lzma.compress(content, preset=0)
        source = server.source(f"{name}.xz", unpacked=content)
        server.faults[f"{name}.xz"] = [
            {"cut": len(packed) // 2},
            {"status": 429, "retry_after": "0"},
            {"wrong": True},
            {"cut": len(packed) // 3},
        ]
        archive = fetch(source, tmp_path / f"{name}.xz", retry=Retry(wait=0.0))
        unpacked = dataset.unpack(source, archive, tmp_path / f"{name}.hdf5")
        report = dataset.parse_file(unpacked, tmp_path / f"{name}.h5")
        assert report.problems == ()
        parts.append(tmp_path / f"{name}.h5")
    report = dataset.join(parts, tmp_path / "qm7x.h5")
    assert (report.molecules, report.minima, report.structures) == (4, 6, 606)
    structures = storage.read(tmp_path / "qm7x.h5")
    assert isinstance(structures.positions, np.memmap)
    assert isinstance(structures.column("forces"), np.memmap)
    check_against_hdf5(structures, qm7x)


def test_names_tell_molecule_isomer_conformer_and_displacement(joined):
    assert joined.names[:3] == ["qm7x/Geom-m1-i1-c1-opt", "qm7x/Geom-m1-i1-c1-d1", "qm7x/Geom-m1-i1-c1-d2"]
    assert joined.names[-1] == "qm7x/Geom-m7001-i1-c1-d100"
    assert joined.column("molecule")[::101].tolist() == [1, 1, 2, 2, 10, 7001]  # by number, not by letter
    assert joined.column("stereoisomer")[::101].tolist() == [1, 1, 1, 2, 1, 1]
    assert joined.column("conformer")[::101].tolist() == [1, 2, 1, 1, 1, 1]
    assert joined.column("displacement")[:101].tolist() == list(range(101))
    minimum = joined.column("minimum")
    assert minimum.dtype == bool
    assert np.flatnonzero(minimum).tolist() == list(range(0, 606, 101))
    assert np.all(joined.references[minimum] == joined.ids[minimum])
    assert np.all(joined.references == np.repeat(joined.ids[minimum], 101))
    assert {name: column.unit for name, column in joined.columns.items() if column.unit} == {
        "energy": "eV",
        "energy_pbe0": "eV",
        "forces": "eV/Å",
        "forces_pbe0": "eV/Å",
        "srmsd": "Å",
    }
    assert [name for name, column in joined.columns.items() if column.per_atom] == ["forces", "forces_pbe0", "hirshfeld_ratios"]
    assert joined.column("hirshfeld_ratios").shape == (joined.n_atoms,)


def test_single_precision_keeps_energies_double(qm7x, tmp_path):
    dataset.parse_file(qm7x / "8000.hdf5", tmp_path / "a.h5", float32=True)
    dataset.join([tmp_path / "a.h5"], tmp_path / "b.h5")
    structures = storage.read(tmp_path / "b.h5")
    kinds = {name: column.values.dtype for name, column in structures.columns.items()}
    assert structures.positions.dtype == kinds["forces"] == kinds["hirshfeld_ratios"] == np.float32
    assert kinds["energy"] == kinds["srmsd"] == np.float64
    check_against_hdf5(structures, qm7x, ("8000",), rtol=6e-8)  # half a unit in the last place of float32


def test_provenance_names_the_parents_and_what_was_found(parts, qm7x):
    found = storage.read_provenance(parts[0])
    assert [parent["file"] for parent in found["parents"]] == ["1000.hdf5"]
    assert (found["molecules"], found["minima"], found["structures"], found["problems"]) == (2, 4, 404, [])


# ------------------------------------------------------------------- what is missing or wrong is said


@pytest.fixture
def small(qm7x_writer, tmp_path) -> Path:
    qm7x_writer(tmp_path / "a.hdf5", [(1, 1, 1), (1, 1, 2), (2, 1, 1)], displaced=4)
    return tmp_path / "a.hdf5"


def problems_of(path: Path, out: Path) -> tuple[list[str], Structures]:
    """Problems other than the displaced structures that these small files do not have."""
    report = dataset.parse_file(path, out)
    structures = storage.read(out)
    assert report.structures == len(structures)
    assert report.minima == structures.column("minimum").sum()
    assert storage.read_provenance(out)["problems"] == list(report.problems)
    assert all(problem.startswith(f"{path}: ") for problem in report.problems)
    return [problem.removeprefix(f"{path}: ") for problem in report.problems if "96 of 100" not in problem], structures


def change(path: Path, molecule: int, structure: str, name: str, value: object = None) -> None:
    with h5py.File(path, "r+") as file:
        del file[str(molecule)][structure][name]
        if value is not None:
            file[str(molecule)][structure][name] = value


BAD = {
    "missing": ("totFOR", None, "no property 'totFOR'"),
    "shape": ("pbe0FOR", np.zeros((4, 3)), r"property 'pbe0FOR' has the shape [4, 3], not [5, 3]"),
    "nan": ("atXYZ", np.full((5, 3), np.nan), "property 'atXYZ' is not finite"),
    "text": ("ePBE0", "low", "property 'ePBE0' cannot be read"),
    "elements": ("atNUM", np.array([6, 1, 1, 1, 0]), "property 'atNUM' holds no atomic numbers"),
    "no atoms": ("atNUM", np.empty(0, np.int64), "property 'atNUM' holds no atomic numbers"),
    "other atoms": ("atNUM", np.array([7, 1, 1, 1, 1]), "has other atoms than its minimum"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_structure_is_left_out_and_named(small, tmp_path, case):
    name, value, reason = BAD[case]
    change(small, 1, "Geom-m1-i1-c1-d3", name, value)
    problems, structures = problems_of(small, tmp_path / "out.h5")
    assert len(problems) == 1
    assert problems[0].startswith(f"Geom-m1-i1-c1-d3: {reason}")
    assert len(structures) == 14
    assert "qm7x/Geom-m1-i1-c1-d3" not in structures.names


def test_a_missing_structure_is_counted(small, tmp_path):
    with h5py.File(small, "r+") as file:
        del file["2"]["Geom-m2-i1-c1-d2"]
    problems, structures = problems_of(small, tmp_path / "out.h5")
    assert problems == ["Geom-m2-i1-c1: 97 of 100 displaced structures are missing"]
    assert len(structures) == 14


@pytest.mark.parametrize("how", ["absent", "bad"])
def test_structures_without_their_minimum_are_left_out(small, tmp_path, how):
    if how == "bad":
        change(small, 1, "Geom-m1-i1-c2-opt", "hRAT")
    else:
        with h5py.File(small, "r+") as file:
            del file["1"]["Geom-m1-i1-c2-opt"]
    problems, structures = problems_of(small, tmp_path / "out.h5")
    reason = "is missing" if how == "absent" else "no property 'hRAT'"
    assert problems == [
        f"Geom-m1-i1-c2-opt: {reason}",
        "Geom-m1-i1-c2: without its minimum, 4 displaced structures are left out",
    ]
    assert len(structures) == 10
    assert np.all(np.isin(structures.references, structures.ids))


def test_what_does_not_belong_there_is_said(small, tmp_path):
    with h5py.File(small, "r+") as file:
        file["1"].copy(file["2"]["Geom-m2-i1-c1-d1"], "Geom-m2-i1-c1-d1")
        file["notes"] = "text"
        file["1"]["Geom-m1-i1-c9"] = 1.0
    problems, structures = problems_of(small, tmp_path / "out.h5")
    assert "Geom-m2-i1-c1-d1 in molecule 1 is no name of a structure of it" in problems
    assert "Geom-m1-i1-c9 in molecule 1 is no name of a structure of it" in problems
    assert any(problem.startswith("molecule notes cannot be read") for problem in problems)
    assert len(structures) == 15


def test_displaced_structures_are_found_under_either_spelling(small, tmp_path):
    """``-d3``, as the files have it, and ``-3``, as their description does; one name of a structure that has two is left out."""
    expected = problems_of(small, tmp_path / "as-published.h5")[1]
    with h5py.File(small, "r+") as file:
        for d in (1, 2, 3, 4):
            file["1"].move(f"Geom-m1-i1-c1-d{d}", f"Geom-m1-i1-c1-{d}")
        file["2"].copy("Geom-m2-i1-c1-d2", "Geom-m2-i1-c1-2")
        file["2"].copy("Geom-m2-i1-c1-d2", "Geom-m2-i1-c1-d0")
    problems, structures = problems_of(small, tmp_path / "out.h5")
    assert structures.same_as(expected)
    assert sorted(problems) == [
        "Geom-m2-i1-c1-d0 in molecule 2 is no name of a structure of it",
        "Geom-m2-i1-c1-d2 in molecule 2 is left out: Geom-m2-i1-c1-2 is the same structure by its name",
    ]


@pytest.mark.parametrize("damage", ["cut", "no hdf5", "empty", "nothing in it"])
def test_a_damaged_file_is_named_and_leaves_nothing(small, tmp_path, damage):
    content = small.read_bytes()
    small.write_bytes(
        {"cut": content[: len(content) // 2], "no hdf5": b"hello" * 1000, "empty": b"", "nothing in it": content}[damage]
    )
    if damage == "nothing in it":
        with h5py.File(small, "w") as file:
            file["1/water"] = 1.0
    with pytest.raises(ArchiveError, match=r"a\.hdf5: "):
        dataset.parse_file(small, tmp_path / "out.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["a.hdf5"]


def test_a_damaged_place_costs_only_what_stands_there(small, tmp_path):
    with h5py.File(small) as file:
        start = file["1"]["Geom-m1-i1-c1-d2"]["totFOR"].id.get_offset()
    header = small.read_bytes()
    at = header.rindex(b"TREE", 0, start)  # the index of that structure's properties
    small.write_bytes(header[:at] + b"XXXX" + header[at + 4 :])
    problems, structures = problems_of(small, tmp_path / "out.h5")
    assert len(problems) >= 1
    assert 5 <= len(structures) < 15


def test_an_absent_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"1000\.hdf5"):
        dataset.parse_file(tmp_path / "1000.hdf5", tmp_path / "out.h5")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------- joining


def test_duplicates_go_with_all_their_displaced_structures(parts, joined, tmp_path):
    (tmp_path / "DupMols.dat").write_text("Geom-m1-i1-c2-opt\nGeom-m10-i1-c1-opt\n\nGeom-m5000-i1-c1-opt\n")
    report = dataset.join(parts, tmp_path / "qm7x.h5", duplicates=tmp_path / "DupMols.dat")
    assert (report.molecules, report.minima, report.structures) == (3, 4, 404)
    structures = storage.read(tmp_path / "qm7x.h5")
    kept = ~np.isin(joined.references, [b"qm7x/Geom-m1-i1-c2-opt", b"qm7x/Geom-m10-i1-c1-opt"])
    assert structures.same_as(joined[kept])
    names = [parent["file"] for parent in storage.read_provenance(tmp_path / "qm7x.h5")["parents"]]
    assert names == ["1000.h5", "8000.h5", "DupMols.dat"]


@pytest.mark.parametrize("line", ["Geom-m1-i1-c2-d5", "m1", "Geom-m1-i1-opt"])
def test_a_list_of_duplicates_with_other_lines_is_refused(tmp_path, line):
    (tmp_path / "DupMols.dat").write_text(f"Geom-m1-i1-c2-opt\n{line}\n")
    with pytest.raises(ValueError, match=r"DupMols\.dat, line 2: .* is no name of a minimum"):
        dataset.read_duplicates(tmp_path / "DupMols.dat")


def test_one_structure_does_not_stand_in_two_files(parts, tmp_path):
    shutil.copy(parts[0], tmp_path / "again.h5")
    with pytest.raises(ValueError, match=r"qm7x/Geom-m1-i1-c1-d1 stands in .*1000\.h5 and in .*again\.h5"):
        dataset.join([*parts, tmp_path / "again.h5"], tmp_path / "qm7x.h5")
    assert not (tmp_path / "qm7x.h5").exists()


def test_an_incomplete_dataset_is_refused_where_it_should_be_whole(parts, small, tmp_path, monkeypatch):
    for name, count in (("MOLECULES", 4), ("MINIMA", 6), ("STRUCTURES", 606)):
        monkeypatch.setattr(dataset, name, count)
    dataset.join(parts, tmp_path / "qm7x.h5", complete=True)
    with pytest.raises(
        ValueError, match=r"holds 4 molecules, 6 minima and 606 structures, these files \(.*1000\.h5\) 2, 4 and 404"
    ):
        dataset.join(parts[:1], tmp_path / "half.h5", complete=True)
    dataset.parse_file(small, tmp_path / "small.h5")
    with pytest.raises(ValueError, match="Geom-m1-i1-c1: 96 of 100 displaced structures are missing"):
        dataset.join([tmp_path / "small.h5"], tmp_path / "half.h5", complete=True)
    assert not (tmp_path / "half.h5").exists()


def test_the_published_counts_fit_together():
    assert dataset.STRUCTURES == dataset.MINIMA * 101


def test_joining_in_small_chunks_changes_nothing(parts, joined, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "CHUNK", 7)
    dataset.join(parts, tmp_path / "qm7x.h5")
    assert storage.read(tmp_path / "qm7x.h5").same_as(joined)


# ------------------------------------------------------------------- splits and test inputs


def test_the_split_is_by_molecular_graph(joined):
    split = dataset.split(joined, train=2, validation=1)
    assert split.counts()["train"]["graphs"] == 2
    assert {split.graphs[name] for name in split.test} | {split.graphs[name] for name in split.train} <= set(
        dataset.graphs(joined)
    )
    assert sorted([*split.train, *split.validation, *split.test]) == sorted(dataset.minima(joined).names)
    for part in ("train", "validation", "test"):
        chosen = joined[split.select(joined, part)]
        assert len(chosen) == 101 * len(split.ids(part))


def aligned(a: np.ndarray, b: np.ndarray) -> float:
    """RMSD by SciPy's alignment, which shares nothing with ours."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return Rotation.align_vectors(b, a)[1] / np.sqrt(len(a))


def test_inputs_are_the_closest_the_middle_and_the_most_distant(joined):
    references = ["qm7x/Geom-m2-i2-c1-opt", "qm7x/Geom-m1-i1-c1-opt"]
    chosen = dataset.test_inputs(joined, references)
    assert chosen.references.tolist() == [name.encode() for name in np.repeat(references, 3)]
    assert chosen.column("rank").tolist() == [0, 1, 2] * 2
    for k, reference in enumerate(references):
        own = joined[(joined.references == reference.encode()) & ~joined.column("minimum")]
        minimum = joined.molecule(int(joined.index_of([reference])[0])).positions
        distances = np.array([aligned(molecule.positions, minimum) for molecule in own])
        order = np.argsort(distances)
        assert chosen.names[3 * k : 3 * k + 3] == [own.names[order[place]] for place in (0, 50, 99)]
        # two independent alignments of O(1) Å coordinates in double precision
        np.testing.assert_allclose(chosen.column("rmsd")[3 * k : 3 * k + 3], distances[order[[0, 50, 99]]], rtol=1e-9)
    assert "energy" in chosen.columns  # the labels come along


def test_inputs_of_minima_with_few_structures(qm7x_writer, tmp_path, caplog):
    qm7x_writer(tmp_path / "a.hdf5", [(1, 1, 1), (1, 1, 2), (2, 1, 1), (2, 2, 1)], displaced=3)
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file["1"]["Geom-m1-i1-c2-d2"]
        for d in (1, 2):
            del file["2"][f"Geom-m2-i1-c1-d{d}"]
        for d in (1, 2, 3):
            del file["2"][f"Geom-m2-i2-c1-d{d}"]
    dataset.parse_file(tmp_path / "a.hdf5", tmp_path / "a.h5")
    structures = storage.read(tmp_path / "a.h5")
    chosen = dataset.test_inputs(structures, dataset.minima(structures).names)
    assert np.unique(chosen.references, return_counts=True)[1].tolist() == [3, 2, 1]
    assert chosen.column("rank").tolist() == [0, 1, 2, 0, 2, 0]
    assert "1 minima have no displaced structure, the first is qm7x/Geom-m2-i2-c1-opt" in caplog.text


def test_an_empty_test_set_is_an_error(joined):
    minima = dataset.minima(joined)
    with pytest.raises(ValueError, match="none of the 6 minima chosen has a displaced structure among 6 structures"):
        dataset.test_inputs(minima, minima.names)


def test_inputs_do_not_depend_on_the_chunks(joined, monkeypatch):
    names = dataset.minima(joined).names
    whole = dataset.test_inputs(joined, names)
    monkeypatch.setattr(inputs, "CHUNK", 37)
    assert dataset.test_inputs(joined, names).same_as(whole)


def test_an_unknown_minimum_is_an_error(joined):
    with pytest.raises(KeyError, match="Geom-m3-i1-c1-opt"):
        dataset.test_inputs(joined, ["qm7x/Geom-m3-i1-c1-opt"])
    with pytest.raises(KeyError, match="Geom-m1-i1-c1-d1"):
        dataset.test_inputs(joined, ["qm7x/Geom-m1-i1-c1-d1"])


# ------------------------------------------------------------------- memory and disk

GROWTH = """
import sys
from pathlib import Path
from morered.datasets.qm7x_records import molecules_of
from morered.datasets.growing import GrowingStructures

with GrowingStructures(Path(sys.argv[2])) as growing:
    for piece in molecules_of(Path(sys.argv[1]), [], False):
        growing.append(piece)
        anonymous = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
        print(growing.molecules, anonymous)
"""


def test_memory_does_not_grow_with_the_structures(qm7x_writer, tmp_path):
    """What is known of the first 606 structures fills the HDF5 library's cache; from then on a structure costs little.

    With the library's own limit on that cache a structure costs 29 kB here; 12 000 of the size of the published ones cost 38 kB
    each with it and 0.01 kB with ours. The heap's own ups and downs make 1 to 2 kB of the few structures here.
    """
    path = tmp_path / "a.hdf5"
    qm7x_writer(path, [(m, i, 1) for m in (1, 2, 10, 7001) for i in (1, 2, 3)])
    assert path.stat().st_size > 4 * METADATA_CACHE
    command = [sys.executable, "-c", GROWTH, str(path), str(tmp_path / "a.h5")]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    (_, _), (first, before), _, (last, after) = (map(int, line.split()) for line in lines)
    assert (first, last) == (606, 1212)
    assert (after - before) / (last - first) < 6.0  # kB


LIMITED = """
import resource, sys
from morered.datasets.integrity import DiskError
from morered.datasets.qm7x import parse_file
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    parse_file(*sys.argv[1:])
except DiskError as error:
    print(error)
    sys.exit(7)
"""


def test_a_disk_that_fills_up_is_named_and_leaves_nothing(qm7x, tmp_path):
    out = tmp_path / "out.h5"
    command = [sys.executable, "-c", LIMITED, str(qm7x / "1000.hdf5"), str(out)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert str(out) in done.stdout
    assert list(tmp_path.iterdir()) == []
