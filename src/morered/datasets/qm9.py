"""QM9: 130 831 minima (B3LYP/6-31G(2df,p)) of molecules with up to nine heavy atoms, H, C, N, O and F.

Ramakrishnan et al., Sci. Data 1, 140022 (2014), figshare collection 978904, CC0. The archive holds 133 885 molecules; 3 054 whose
relaxed geometry no longer fits the graph they started from ("uncharacterised") are left out. The Python package ``qm9pack``
carries the same 130 831 molecules and serves where figshare cannot be reached: both sources give equal structures.

Ids are ``qm9/000001`` to ``qm9/133885``. Columns, [M]: ``number`` (int32, the same number) and ``internal_energy`` (eV, U0: at
0 K, zero-point energy included).
"""

from __future__ import annotations

import bz2
import csv
import importlib.util
import logging
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from itertools import batched
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from morered.datasets import splits
from morered.datasets.download import Retry, fetch
from morered.datasets.integrity import ArchiveError, DownloadError, reading
from morered.datasets.sources import of_file
from morered.structures import Column, Structures, as_names, offsets_of
from morered.units import EV_PER_HARTREE

logger = logging.getLogger(__name__)

MOLECULES, UNCHARACTERISED = 133_885, 3_054
TRAIN, VALIDATION = 55_000, 10_000
"""Molecules in these parts of the paper's split (Appendix B.1); the rest is for testing."""
LEVEL = "minima at B3LYP/6-31G(2df,p)"
"""Level of theory, in words."""
FILES = ("dsgdb9nsd.xyz.tar.bz2", "uncharacterized.txt")
"""The molecules and the list of those that are left out, as published."""
ELEMENTS = {b"H": 1, b"C": 6, b"N": 7, b"O": 8, b"F": 9}
BATCH = 4096
"""Molecules whose numbers are converted at a time."""

_MEMBER = re.compile(r"(?:.*/)?dsgdb9nsd_(\d{6})\.xyz")


class _Record(NamedTuple):
    """One molecule as text: its number in QM9, U0 in hartree, element symbols [N] and coordinates [3 N] in Å."""

    number: int
    energy: bytes
    symbols: list[bytes]
    coordinates: list[bytes]


class _BadRecord(ValueError):
    """A record is not what QM9's are; the message says why."""


def from_archive(
    archive: str | os.PathLike[str],
    uncharacterised: str | os.PathLike[str],
    *,
    complete: bool = True,
    progress: bool | None = None,
) -> Structures:
    """QM9 from figshare's ``dsgdb9nsd.xyz.tar.bz2`` and ``uncharacterized.txt``, in the order of the numbers.

    Parameters
    ----------
    archive
        The molecules; read as a stream.
    uncharacterised
        The list of those left out.
    complete
        Refuse an archive or a list that is not all of QM9.
    progress
        Whether to show a bar; None shows one on a terminal only.

    Raises
    ------
    ArchiveError
        If a file is damaged or incomplete; the message names it and, where one is to blame, the record.
    """
    archive = Path(archive)
    left_out = set(read_uncharacterised(uncharacterised, complete=complete))
    hidden = None if progress is None else not progress
    bar = tqdm(_records_of(archive), total=MOLECULES, desc=archive.name, unit="molecule", disable=hidden)
    with bar:
        structures, found = _gathered(bar, left_out, archive)
    if complete and found != MOLECULES:
        raise ArchiveError(f"{archive}: holds {found} molecules, not the {MOLECULES} of QM9")
    return structures


def from_package(folder: str | os.PathLike[str] | None = None, *, complete: bool = True) -> Structures:
    """QM9 from the Python package ``qm9pack``, equal to what `from_archive` gives.

    Parameters
    ----------
    folder
        Where ``qm9_part1.csv`` and the others lie; None looks for the installed package.
    complete
        Refuse a package that has not all of QM9.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    ArchiveError
        If a file is damaged or molecules are missing; the message names the file or folder.
    """
    folder = _package_folder() if folder is None else Path(folder)
    paths = sorted(folder.glob("qm9_part*.csv"))
    if not paths:
        raise ArchiveError(f"{folder}: no qm9_part*.csv is there")
    structures, found = _gathered((record for path in paths for record in _rows_of(path)), set(), folder)
    if complete and found != MOLECULES - UNCHARACTERISED:
        raise ArchiveError(f"{folder}: holds {found} molecules, not the {MOLECULES - UNCHARACTERISED} of QM9")
    return structures


def download(
    folder: str | os.PathLike[str],
    *,
    table: str | os.PathLike[str] | None = None,
    retry: Retry | None = None,
    progress: bool | None = None,
) -> tuple[Structures, list[Path]]:
    """QM9 from figshare or, where that does not give it, from the package ``qm9pack``, if that is installed.

    Parameters
    ----------
    folder
        Where the two files are kept; what is there already is not fetched again.
    table
        Table of files in the place of the package's own: then there is no other way, and the files need not be all of QM9.
    retry, progress
        See `morered.datasets.download.fetch`.

    Returns
    -------
    Structures, list of Path
        The molecules, and the files they are from: none where it was the package.

    Raises
    ------
    DownloadError
        If neither way leads to QM9; the message says what to do.
    ArchiveError
        As `from_archive`.
    """
    try:
        files = [fetch(of_file("qm9", name, table), Path(folder) / name, retry=retry, progress=progress) for name in FILES]
    except DownloadError as error:
        if table is not None:
            raise
        try:
            structures = from_package()
        except ModuleNotFoundError as absent:
            raise DownloadError(f"{error} Or take the same molecules from a package: {absent}, and run again.") from error
        logger.warning("%s; the molecules are taken from the package qm9pack, which has the same", error)
        return structures, []
    return from_archive(*files, complete=table is None, progress=progress), files


def read_uncharacterised(path: str | os.PathLike[str], *, complete: bool = True) -> list[int]:
    """The numbers that ``uncharacterized.txt`` lists: the first word of each row of its table.

    Raises
    ------
    ArchiveError
        If there are not 3 054, unless ``complete`` is false.
    """
    text = Path(path).read_text(encoding="utf-8")
    indices = [int(number) for number in re.findall(r"^\s*(\d+)\s+\S+\s+\S+", text, flags=re.MULTILINE)]
    if complete and len(set(indices)) != UNCHARACTERISED:
        raise ArchiveError(f"{path}: lists {len(set(indices))} molecules, not {UNCHARACTERISED}")
    return indices


def split(structures: Structures, train: int = TRAIN, validation: int = VALIDATION, seed: int = 0) -> splits.Split:
    """The split by molecule (every molecule of QM9 counts as a graph of its own), by default with the paper's numbers."""
    return splits.make(structures.names, structures.names, train=train, validation=validation, seed=seed)


# --------------------------------------------------------------------- the archive


def _records_of(archive: Path) -> Iterator[_Record]:
    """The molecules of the archive in its order."""
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: there is no such file")
    with (
        reading(archive, tarfile.TarError, EOFError, OSError),
        bz2.open(archive) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r:") as members,  # three times as fast as mode "r|bz2", and it streams as well
    ):
        for member in members:
            match = _MEMBER.fullmatch(member.name)
            if match is None or (content := members.extractfile(member)) is None:
                continue
            try:
                yield _parsed(int(match[1]), content.read())
            except _BadRecord as problem:
                raise ArchiveError(f"{archive}: {member.name}: {problem}") from None


def _parsed(number: int, content: bytes) -> _Record:
    """A record from its lines: number of atoms; 17 properties; an atom a line (symbol, x, y, z, charge); what is not needed here.

    Numbers may be written as Mathematica does, ``1.2*^-3``.
    """
    lines = content.replace(b"*^", b"e").splitlines()
    try:
        n = int(lines[0])
        properties = lines[1].split()
        atoms = [line.split() for line in lines[2 : 2 + n]]
    except (IndexError, ValueError):
        raise _BadRecord("cannot be read") from None
    if n < 1 or len(atoms) != n or any(len(atom) != 5 for atom in atoms) or len(properties) < 17:
        raise _BadRecord(f"is not a record of {n} atoms")
    return _Record(number, properties[12], [atom[0] for atom in atoms], [x for atom in atoms for x in atom[1:4]])


# --------------------------------------------------------------------- the package


def _package_folder() -> Path:
    spec = importlib.util.find_spec("qm9pack")  # found, not imported: importing it needs more packages than its data do
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the Python package qm9pack is not installed: pip install 'morered[qm9]'")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _rows_of(path: Path) -> Iterator[_Record]:
    """The molecules of one part: a row each, lists written as Python writes them."""
    with reading(path, csv.Error, UnicodeDecodeError, KeyError), path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                yield _from_row(row)
            except (_BadRecord, AttributeError, ValueError) as problem:
                raise ArchiveError(f"{path}: {row['XYZ_file']}: {problem}") from None


def _from_row(row: dict[str, str]) -> _Record:
    symbols = row["Elements"].translate(_PLAIN).encode().split(b",")
    coordinates = row["XYZ_Ang"].translate(_PLAIN).encode().split(b",")
    if len(coordinates) != 3 * len(symbols) or int(row["N_atoms"]) != len(symbols):
        raise _BadRecord(f"is not a record of {row['N_atoms']} atoms")
    return _Record(int(row["Index"]), row["InternalEnergy_0K_au"].encode(), symbols, coordinates)


_PLAIN = str.maketrans("", "", "[]' ")


# --------------------------------------------------------------------- both


def _gathered(records: Iterable[_Record], left_out: set[int], source: Path) -> tuple[Structures, int]:
    """Structures in the order of their numbers, and how many records there were with those left out."""
    found = 0
    pieces: list[Structures] = []
    for batch in batched(records, BATCH):
        found += len(batch)
        pieces.append(_converted([record for record in batch if record.number not in left_out], source))
    structures = Structures.concatenate(pieces)
    if not len(structures):
        raise ArchiveError(f"{source}: no molecule of QM9 is in it")
    numbers = structures.column("number")
    order = np.argsort(numbers, kind="stable")
    if len(twice := np.flatnonzero(np.diff(numbers[order]) == 0)):
        raise ArchiveError(f"{source}: molecule {numbers[order][twice[0]]} comes twice")
    return structures[order], found


def _converted(records: list[_Record], source: Path) -> Structures:
    """Numbers from text, for many molecules in one go."""
    try:
        elements = _atomic_numbers([symbol for record in records for symbol in record.symbols])
        positions = _floats([x for record in records for x in record.coordinates]).reshape(-1, 3)
        energies = _floats([record.energy for record in records])
    except ValueError as problem:
        if len(records) == 1:
            raise ArchiveError(f"{source}: molecule {records[0].number}: {problem}") from None
        return Structures.concatenate(_converted([record], source) for record in records)  # ends at the one to blame
    numbers = np.array([record.number for record in records], dtype=np.int32)
    ids = as_names([f"qm9/{number:06d}" for number in numbers.tolist()])
    return Structures(
        numbers=elements,
        positions=positions,
        offsets=offsets_of([len(record.symbols) for record in records]),
        ids=ids,
        references=ids.copy(),
        columns={"number": Column(numbers), "internal_energy": Column(energies * EV_PER_HARTREE, "eV")},
    )


def _floats(words: list[bytes]) -> NDArray[np.float64]:
    values = np.array(words, dtype=np.bytes_).astype(np.float64) if words else np.empty(0)
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    return values


def _atomic_numbers(symbols: list[bytes]) -> NDArray[np.uint8]:
    found = np.array(symbols, dtype=np.bytes_)
    numbers = np.zeros(len(found), dtype=np.uint8)
    for symbol, number in ELEMENTS.items():
        numbers[found == symbol] = number
    if not numbers.all():
        raise ValueError(f"QM9 has no element {found[numbers == 0][0].decode()!r}")
    return numbers
