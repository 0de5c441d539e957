"""QM9 from both sources: the archive in its published format, and records of the package, copied from it."""

from __future__ import annotations

import bz2
import csv
import importlib.util
import io
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from morered import storage
from morered.datasets import qm9, sources
from morered.datasets.download import Retry
from morered.datasets.integrity import ArchiveError, DigestError, DownloadError
from morered.units import EV_PER_HARTREE

METHANE = """5
gdb 1	157.7118	157.70997	157.70699	0.	13.21	-0.3877	0.1171	0.5048	35.3641	0.044749	-40.47893	-40.476062	-40.475117	-40.498597	6.469	
C	-0.0126981359	 1.0858041578	 0.0080009958	-0.535689
H	 0.002150416	-0.0060313176	 0.0019761204	 0.133921
H	 1.0117308433	 1.4637511618	 0.0002765748	 0.133922
H	-0.540815069	 1.4475266138	-0.8766437152	 0.133923
H	-0.5238136345	 1.4379326443	 0.9063972942	 0.133923
1341.307	1341.3284	1341.365	1562.6731	1562.7453	3038.3205	3151.6034	3151.6788	3151.7078
C	C	
InChI=1S/CH4/h1H4	InChI=1S/CH4/h1H4
"""  # noqa: E501, W291 (the first record as published)

LIST = """



List of molecules among the 133885 GDB9 molecules for which the Corina generated Cartesian coordinates and the equilibrium geometry lead to 
different SMILES and InChI strings. Given are the indices of these molecules in the database, the original GDB17 SMILES, ...

============================================================================================
#   Index               GDB17 SMILES            SMILES for B3LYP XYZ                    D_IJ
============================================================================================
      58                NC(=N)C#N                   NC(=N)C#N                       6.036217
      80         [NH3+]CC([O-])=O                    NCC(=O)O                       10.09360
  133866        C1C2OC3CC4OC1C234      [CH]1O[C@@H]2C[C@H]3[C]                      33.58735
============================================================================================
"""  # noqa: E501, W291 (as published, shortened)


@pytest.fixture(scope="module")
def package(request) -> Path:
    """Six records of the package: 1, 3, 24, 212 (with exponents), 44747 and 133885."""
    return Path(request.path).parent / "data"


def published(row: dict[str, str]) -> str:
    """A record of the package as the archive writes it, ``*^`` for the exponents."""
    symbols = re.findall(r"[A-Z]", row["Elements"])
    lists = [re.findall(r"[-+.\dE]+", row[name]) for name in ("XYZ_Ang", "Mulliken_pop", "Harmonic_Freq_cmi")]
    coordinates, charges, frequencies = ([x.replace("E", "*^") for x in words] for words in lists)
    properties = [row[name] for name in list(row)[list(row).index("RotA_GHz") :]]
    atoms = [
        "\t".join([symbol, *(x.rjust(13) for x in coordinates[3 * k : 3 * k + 3]), charges[k]])
        for k, symbol in enumerate(symbols)
    ]
    smiles = f"{row['SMILES']}\t{row['SMILES']}\t"
    head = [str(len(symbols)), "\t".join([f"gdb {row['Index']}", *properties, ""])]
    return "\n".join([*head, *atoms, "\t".join(frequencies), smiles, f"{row['InChi']}\t{row['InChi']}", ""])


def write_archive(path: Path, records: dict[int, str]) -> Path:
    with tarfile.open(path, "w:bz2") as archive:
        for number, text in records.items():
            entry = tarfile.TarInfo(f"dsgdb9nsd_{number:06d}.xyz")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def records(package) -> dict[int, str]:
    rows = [row for path in sorted(package.glob("qm9_part*.csv")) for row in csv.DictReader(path.read_text().splitlines())]
    return {int(row["Index"]): published(row) for row in rows}


@pytest.fixture
def uncharacterised(tmp_path) -> Path:
    (tmp_path / "uncharacterized.txt").write_text(LIST)
    return tmp_path / "uncharacterized.txt"


def from_archive(path: Path, uncharacterised: Path):
    return qm9.from_archive(path, uncharacterised, complete=False)


# ------------------------------------------------------------------- what is read


def test_the_first_record_as_published(tmp_path, uncharacterised):
    archive = write_archive(tmp_path / "a.tar.bz2", {1: METHANE})
    methane = from_archive(archive, uncharacterised)
    assert methane.names == ["qm9/000001"]
    assert methane.numbers.tolist() == [6, 1, 1, 1, 1]
    assert methane.positions[0].tolist() == [-0.0126981359, 1.0858041578, 0.0080009958]
    assert methane.positions[4].tolist() == [-0.5238136345, 1.4379326443, 0.9063972942]
    assert methane.column("internal_energy").tolist() == [-40.47893 * EV_PER_HARTREE]
    assert methane.columns["internal_energy"].unit == "eV"
    assert methane.references.tolist() == methane.ids.tolist()


def test_both_sources_give_the_same_molecules(package, records, tmp_path, uncharacterised):
    # the archive in another order, with molecules that are to be left out and a file that is no molecule
    shuffled = {number: records[number] for number in (212, 1, 133885, 24, 3, 44747)}
    archive = write_archive(tmp_path / "a.tar.bz2", {58: METHANE, **shuffled, 133866: METHANE})
    a, b = from_archive(archive, uncharacterised), qm9.from_package(package, complete=False)
    assert b.column("number").tolist() == [1, 3, 24, 212, 44747, 133885]
    assert a.same_as(b)


def test_exponents_are_read_in_either_spelling(package, records, tmp_path, uncharacterised):
    assert "*^-6" in records[212]
    archive = write_archive(tmp_path / "a.tar.bz2", {212: records[212]})
    smallest = np.abs(from_archive(archive, uncharacterised).positions).min()
    row = next(row for row in csv.DictReader((package / "qm9_part1.csv").read_text().splitlines()) if row["Index"] == "212")
    words = re.findall(r"[-+.\dE]+", row["XYZ_Ang"])
    assert smallest == min(abs(float(word)) for word in words) < 1e-5


def test_a_number_as_mathematica_writes_it(tmp_path, uncharacterised):
    text = METHANE.replace(" 1.0858041578", " 1.2*^-3").replace("-0.540815069", "-6.*^-6")
    molecule = from_archive(write_archive(tmp_path / "a.tar.bz2", {1: text}), uncharacterised)
    assert molecule.positions[0, 1] == 1.2e-3
    assert molecule.positions[3, 0] == -6e-6


def test_the_list_of_the_uncharacterised(uncharacterised):
    assert qm9.read_uncharacterised(uncharacterised, complete=False) == [58, 80, 133866]
    with pytest.raises(ArchiveError, match=r"uncharacterized\.txt: lists 3 molecules, not 3054"):
        qm9.read_uncharacterised(uncharacterised)


def test_small_batches_change_nothing(package, monkeypatch):
    whole = qm9.from_package(package, complete=False)
    monkeypatch.setattr(qm9, "BATCH", 2)
    assert qm9.from_package(package, complete=False).same_as(whole)


def test_the_split_counts_molecules(package, tmp_path):
    structures = qm9.from_package(package, complete=False)
    split = qm9.split(structures, train=3, validation=1)
    assert [len(split.ids(part)) for part in ("train", "validation", "test")] == [3, 1, 2]
    storage.write(tmp_path / "qm9.h5", structures)
    assert qm9.split(storage.read(tmp_path / "qm9.h5"), train=3, validation=1).digest == split.digest
    assert qm9.MOLECULES - qm9.UNCHARACTERISED == 130_831


# ------------------------------------------------------------------- what is refused


def test_an_incomplete_source_is_refused(package, records, tmp_path, uncharacterised, monkeypatch):
    archive = write_archive(tmp_path / "a.tar.bz2", records)
    with pytest.raises(ArchiveError, match="data: holds 6 molecules, not the 130831 of QM9"):
        qm9.from_package(package)
    monkeypatch.setattr(qm9, "UNCHARACTERISED", 3)
    with pytest.raises(ArchiveError, match=r"a\.tar\.bz2: holds 6 molecules, not the 133885 of QM9"):
        qm9.from_archive(archive, uncharacterised)
    monkeypatch.setattr(qm9, "MOLECULES", 6)
    assert len(qm9.from_archive(archive, uncharacterised)) == 6


BROKEN = {
    "an atom too few": (lambda text: text.replace("5\n", "50\n", 1), "is not a record of 50 atoms"),
    "no count": (lambda text: text.replace("5\n", "five\n", 1), "cannot be read"),
    "empty": (lambda text: "", "cannot be read"),
    "no number": (lambda text: text.replace("1.4637511618", "1.46x"), "molecule 1: could not convert"),
    "nan": (lambda text: text.replace("1.4637511618", "nan"), "molecule 1: a number is not finite"),
    "element": (lambda text: text.replace("C\t", "Si\t"), "molecule 1: QM9 has no element 'Si'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_record_is_named(records, tmp_path, uncharacterised, case):
    change, reason = BROKEN[case]
    archive = write_archive(tmp_path / "a.tar.bz2", {**records, 1: change(METHANE)})
    with pytest.raises(ArchiveError, match=rf"a\.tar\.bz2: .*{reason}"):
        from_archive(archive, uncharacterised)


@pytest.mark.parametrize("damage", ["cut", "garbled", "no archive", "empty", "nothing in it", "twice"])
def test_a_damaged_archive_is_named(records, tmp_path, uncharacterised, damage):
    archive = write_archive(tmp_path / "a.tar.bz2", {} if damage == "nothing in it" else records)
    content = bytearray(archive.read_bytes())
    if damage == "cut":
        archive.write_bytes(content[: len(content) // 2])
    elif damage == "garbled":
        content[len(content) // 2] ^= 255
        archive.write_bytes(content)
    elif damage == "no archive":
        archive.write_bytes(b"hello")
    elif damage == "empty":
        archive.write_bytes(b"")
    elif damage == "twice":
        plain = bz2.decompress(content).rstrip(b"\0")
        plain += b"\0" * (-len(plain) % 512)
        archive.write_bytes(bz2.compress(plain + plain + b"\0" * 1024))
    with pytest.raises(ArchiveError, match=r"a\.tar\.bz2: "):
        from_archive(archive, uncharacterised)


def test_an_absent_archive_or_package_is_said(tmp_path, uncharacterised, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"a\.tar\.bz2"):
        from_archive(tmp_path / "a.tar.bz2", uncharacterised)
    with pytest.raises(ArchiveError, match=r"no qm9_part\*\.csv is there"):
        qm9.from_package(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'morered\[qm9\]'"):
        qm9.from_package()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("['O','H','H']", "['O','H']"),
        ("['O','H','H']", "['O','H','Xx']"),
        ("-0.0343604951", "x"),
        (',3,"O"', ',three,"O"'),
        ("XYZ_Ang", "XYZ"),
    ],
)
def test_a_broken_row_of_the_package_is_named(package, tmp_path, old, new):
    for path in package.glob("qm9_part*.csv"):
        shutil.copy(path, tmp_path)
    part = tmp_path / "qm9_part1.csv"
    assert old in part.read_text()
    part.write_text(part.read_text().replace(old, new))
    with pytest.raises(ArchiveError, match=str(tmp_path)):
        qm9.from_package(tmp_path, complete=False)


# ------------------------------------------------------------------- downloaded, or from the package

ONCE = Retry(attempts=1, wait=0.0, timeout=(5.0, 5.0))


@pytest.fixture
def figshare(server, records, tmp_path, uncharacterised, monkeypatch):
    """A server in figshare's place, in the package's own table or (`own`) in a table of one's own."""
    server.files = {
        "dsgdb9nsd.xyz.tar.bz2": write_archive(tmp_path / "a.tar.bz2", records).read_bytes(),
        "uncharacterized.txt": uncharacterised.read_bytes(),
    }
    found = {name: server.source(name, dataset="qm9") for name in server.files}
    monkeypatch.setattr(qm9, "of_file", lambda dataset, name, table: found[name])
    for name, count in (("MOLECULES", 6 + 3), ("UNCHARACTERISED", 3)):  # what the list and the package of these tests hold
        monkeypatch.setattr(qm9, name, count)
    return server


def test_what_figshare_gives_is_kept_and_not_fetched_again(figshare, package, tmp_path, monkeypatch):
    monkeypatch.setattr(qm9, "MOLECULES", 6)
    structures, files = qm9.download(tmp_path / "raw", retry=ONCE)
    assert structures.same_as(qm9.from_package(package, complete=False))
    assert [path.name for path in files] == list(qm9.FILES)
    asked = len(figshare.requests)
    assert qm9.download(tmp_path / "raw", retry=ONCE)[0].same_as(structures)
    assert len(figshare.requests) == asked


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 503, "retry_after": "0"}, {"wrong": True}])
def test_the_package_serves_where_figshare_does_not(fault, figshare, package, tmp_path, monkeypatch, caplog):
    figshare.faults["dsgdb9nsd.xyz.tar.bz2"] = [dict(fault) for _ in range(5)]
    monkeypatch.setattr(qm9, "_package_folder", lambda: package)
    structures, files = qm9.download(tmp_path / "raw", retry=ONCE)
    assert structures.same_as(qm9.from_package(package))
    assert files == []
    assert "taken from the package qm9pack" in caplog.text


def test_without_the_package_the_error_says_how_to_get_it(figshare, tmp_path, monkeypatch):
    figshare.files.pop("uncharacterized.txt")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DownloadError, match=r"uncharacterized\.txt: not complete .* pip install 'morered\[qm9\]', and run again"):
        qm9.download(tmp_path / "raw", retry=ONCE)


def test_a_table_of_one_s_own_is_believed_alone(figshare, package, tmp_path, monkeypatch):
    figshare.faults["uncharacterized.txt"] = [{"wrong": True}, {"wrong": True}]
    monkeypatch.setattr(qm9, "_package_folder", lambda: package)
    with pytest.raises(DigestError):
        qm9.download(tmp_path / "raw", table="table.csv", retry=ONCE)


def test_the_package_s_table_lists_the_files() -> None:
    assert set(qm9.FILES) <= {source.file.name for source in sources.of_dataset("qm9")}
