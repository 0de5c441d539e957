"""QM7-X: 4.2 million structures of 6 950 small molecules with PBE0+MBD energies and forces.

Hoja et al., Sci. Data 8, 43 (2021), Zenodo record 4288677, CC BY 4.0. Eight HDF5 files hold
``file[molecule][structure][property]``; a structure is called ``Geom-m1-i2-c3-opt`` (molecular graph 1, stereoisomer 2,
conformer 3, its DFTB3+MBD minimum) or ``...-d1`` to ``...-d100`` (displaced from that minimum along normal modes). Here it is
called ``qm7x/Geom-m1-i2-c3-opt``, and its reference is its minimum. `unpack`, `parse_file` and `join` stream: no file is ever in
memory as a whole.

Columns of the structures, [M] where not said otherwise:

    energy               eV          PBE0+MBD
    energy_pbe0          eV          PBE0 alone
    forces               eV/Å [A, 3] PBE0+MBD
    forces_pbe0          eV/Å [A, 3] PBE0 alone
    hirshfeld_ratios     [A]         Hirshfeld volume over that of the free atom
    srmsd                Å           RMSD to the minimum as published
    molecule, stereoisomer, conformer, displacement   int32   the numbers in the name; displacement 0 is the minimum
    minimum              bool        whether it is one
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from morered import storage
from morered.datasets import inputs, splits
from morered.datasets.growing import GrowingStructures
from morered.datasets.integrity import ArchiveError, verify
from morered.datasets.qm7x_records import NAME, PREFIX, molecules_of
from morered.datasets.sources import Expected, Source
from morered.datasets.unpack import unpack_xz
from morered.structures import Structures, as_names

logger = logging.getLogger(__name__)

MOLECULES, MINIMA, STRUCTURES = 6_950, 41_537, 4_195_237
"""What the eight files hold together; 100 displaced structures belong to each minimum."""
FILES = tuple(f"{number}000" for number in range(1, 9))
"""Their names without the ending."""
TRAIN_GRAPHS, VALIDATION_GRAPHS = 4500, 1250
"""The paper's split counts molecular graphs (Appendix B.1)."""
LEVEL = "minima at DFTB3+MBD, energies and forces at PBE0+MBD"
"""Level of theory, in words."""
CHUNK = 50_000
"""Structures handled at a time by `join`."""


@dataclass(frozen=True)
class Report:
    """What a file holds, and a sentence about everything that was left out or is missing."""

    molecules: int
    minima: int
    structures: int
    problems: tuple[str, ...] = ()


def unpack(source: Source, archive: str | os.PathLike[str], out: str | os.PathLike[str], *, progress: bool | None = None) -> Path:
    """Unpack one of the eight archives; see `morered.datasets.unpack.unpack_xz` for what is checked and raised."""
    if source.unpacked is None:
        raise ValueError(f"{source.file.name} is no archive")
    return unpack_xz(Path(archive), Path(out), source.unpacked, progress=progress)


# --------------------------------------------------------------------- one file


def parse_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    expected: Expected | None = None,
    float32: bool = False,
    progress: bool | None = None,
) -> Report:
    """Turn one HDF5 file of QM7-X into a file of structures.

    Molecules come in the order of their numbers; of each, every minimum is followed by its displaced structures. A structure that
    lacks a property or cannot be read is left out, and so are displaced structures without their minimum: the report says which.
    It is kept in the provenance, too.

    Parameters
    ----------
    path
        One of ``1000.hdf5`` to ``8000.hdf5``.
    out
        File to write.
    expected
        What the file must be; it is read once more to make sure. None believes it.
    float32
        Store positions, forces and ratios in single precision.
    progress
        Whether to show a bar; None shows one on a terminal only.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DigestError
        If it is not what is expected.
    ArchiveError
        If it is damaged, or no structure of QM7-X is in it; the message names it.
    DiskError
        If ``out`` cannot be written; nothing of it is left.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if expected is not None:
        verify(path, expected)
    problems: list[str] = []
    molecules = minima = 0
    with GrowingStructures(out, float32) as growing:
        for piece in molecules_of(path, problems, progress):
            growing.append(piece)
            molecules += 1
            minima += int(piece.column("minimum").sum())
        if not molecules:
            raise ArchiveError(f"{path}: no structure of QM7-X is in it" + "".join(f"; {problem}" for problem in problems[:3]))
        report = Report(molecules, minima, growing.molecules, tuple(problems))
        for problem in problems:
            logger.warning(problem)
        growing.write(storage.provenance(parse_file, parents=[path], **asdict(report)))
    return report


# --------------------------------------------------------------------- all files


def join(
    paths: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    duplicates: str | os.PathLike[str] | None = None,
    complete: bool = False,
) -> Report:
    """Put the files that `parse_file` wrote one after another into one file, which training maps into memory.

    Parameters
    ----------
    paths
        Files of structures, in the order wanted.
    out
        File to write.
    duplicates
        ``DupMols.dat``: the minima it lists are removed, each with its displaced structures. None keeps all.
    complete
        Refuse files that are not, together, all of QM7-X.

    Raises
    ------
    ValueError
        If a structure stands in two files, or the files are not complete and should be; the message says what is missing.
    StorageError
        If a file is damaged or of another kind.
    DiskError
        If ``out`` cannot be written; nothing of it is left.
    """
    files = [Path(path) for path in paths]
    problems = [problem for path in files for problem in storage.read_provenance(path).get("problems", [])]
    _require_unique(files)
    if complete:
        _require_complete(files, problems)
    listed = as_names([PREFIX + name for name in read_duplicates(duplicates)]) if duplicates is not None else as_names([])
    removed: list[str] = []
    molecules: set[int] = set()
    minima = 0
    with GrowingStructures(out) as growing:
        for path in files:  # one at a time is mapped, so that what was read of the others need not stay in memory
            part = storage.read(path)
            repeated = np.isin(part.references, listed)
            removed += part.ids[repeated & part.column("minimum")].astype(str).tolist()
            kept = np.flatnonzero(~repeated)
            for start in range(0, len(kept), CHUNK):
                piece = part[kept[start : start + CHUNK]]
                growing.append(piece)
                molecules.update(np.unique(piece.column("molecule")).tolist())
                minima += int(piece.column("minimum").sum())
        report = Report(len(molecules), minima, growing.molecules, tuple(problems))
        parents = files if duplicates is None else [*files, Path(duplicates)]
        growing.write(storage.provenance(join, parents=parents, duplicates=removed, **asdict(report)))
    return report


def read_duplicates(path: str | os.PathLike[str]) -> list[str]:
    """The minima that ``DupMols.dat`` lists, as named in the files.

    Raises
    ------
    ValueError
        If a line is no name of a minimum; the message names file and line.
    """
    names: list[str] = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        if not (name := line.strip()):
            continue
        match = NAME.fullmatch(name)
        if match is None or match[4] is not None:
            raise ValueError(f"{path}, line {number}: {name!r} is no name of a minimum")
        names.append(name)
    return names


def _require_unique(files: Sequence[Path]) -> None:
    names = [storage.read(path).ids for path in files]
    ids = np.concatenate(names) if names else as_names([])
    order = np.argsort(ids, kind="stable")
    same = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(same):
        first, second = order[same[0]], order[same[0] + 1]
        owner = np.repeat(np.arange(len(files)), [len(part) for part in names])
        raise ValueError(f"{ids[first].decode()} stands in {files[owner[first]]} and in {files[owner[second]]}")


def _require_complete(files: Sequence[Path], problems: Sequence[str]) -> None:
    molecules: set[int] = set()
    count = total = 0
    for path in files:
        part = storage.read(path)
        molecules.update(np.unique(part.column("molecule")).tolist())
        count += int(part.column("minimum").sum())
        total += len(part)
    if (len(molecules), count, total) != (MOLECULES, MINIMA, STRUCTURES):
        reasons = "".join(f"; {problem}" for problem in problems[:5])
        raise ValueError(
            f"QM7-X holds {MOLECULES} molecules, {MINIMA} minima and {STRUCTURES} structures, "
            f"these files ({', '.join(map(str, files))}) {len(molecules)}, {count} and {total}{reasons}"
        )


# --------------------------------------------------------------------- what is made of it


def split_minima(
    structures: str | os.PathLike[str],
    minima_out: str | os.PathLike[str],
    split_out: str | os.PathLike[str],
    *,
    train: int = TRAIN_GRAPHS,
    validation: int = VALIDATION_GRAPHS,
    seed: int = 0,
) -> splits.Split:
    """Write the minima among the structures of `join`, in double precision, and their split by molecular graph.

    The provenance of the minima names the duplicates that were removed.
    """
    everything = storage.read(structures)
    parts = split(everything, train, validation, seed)
    splits.save(split_out, parts)
    chosen = minima(everything)
    storage.write(
        minima_out,
        chosen.with_positions(chosen.positions.astype(np.float64)),
        storage.provenance(
            split_minima, parents=[structures], duplicates=storage.read_provenance(structures).get("duplicates", [])
        ),
    )
    return parts


def minima(structures: Structures) -> Structures:
    """The minima among structures, in their order."""
    return structures[np.flatnonzero(structures.column("minimum"))]


def graphs(structures: Structures) -> list[str]:
    """Names of the molecular graphs that structures belong to, [M]: the number of the molecule in QM7-X."""
    return [f"{PREFIX}m{molecule}" for molecule in structures.column("molecule").tolist()]


def split(structures: Structures, train: int = TRAIN_GRAPHS, validation: int = VALIDATION_GRAPHS, seed: int = 0) -> splits.Split:
    """The split of the minima by molecular graph, by default with the paper's numbers of graphs."""
    chosen = minima(structures)
    return splits.make(chosen.names, graphs(chosen), train=train, validation=validation, seed=seed)


def test_inputs(structures: Structures, references: Sequence[str]) -> Structures:
    """Three displaced structures of each minimum: the closest, the middle and the most distant by aligned RMSD (Section 3.2).

    Parameters
    ----------
    structures
        Structures of `join`.
    references
        Ids of the minima, ``split(structures).test`` for the paper's inputs.

    Returns
    -------
    Structures
        In the order of the references, closest first, in double precision; `morered.datasets.inputs.closest_middle_farthest` adds
        two columns.

    Raises
    ------
    KeyError
        If a reference is no minimum of the structures.
    ValueError
        If none of the references has a displaced structure.
    """
    bare_minima = structures.without_columns()[np.flatnonzero(structures.column("minimum"))]
    chosen = inputs.closest_middle_farthest(structures, bare_minima, references)
    if not len(chosen):
        raise ValueError(
            f"none of the {len(references)} minima chosen has a displaced structure among {len(structures)} structures"
        )
    return chosen.with_positions(chosen.positions.astype(np.float64))
