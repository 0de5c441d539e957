"""Reading and writing molecules in the formats of the field, and nowhere else.

`read` takes a file, or "-" for standard input, and never raises for what is in it: every molecule found becomes a `Record`, good
or with a problem told in one sentence, and one broken molecule never stops the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from morered.formats.atoms import from_ase, read_ase, to_ase
from morered.formats.pdb import parse_pdb, read_pdb
from morered.formats.records import Carried, Reading, Record, file_problem
from morered.formats.sources import (
    MAX_UNPACKED,
    STDIN,
    SourceProblem,
    extension_of,
    label_of,
    read_text,
    require_modest,
    stem_of,
)
from morered.formats.xyz import parse_xyz, read_xyz, write_extxyz
from morered.structures import Structures

if TYPE_CHECKING:
    from morered.formats.mol2 import parse_mol2, read_mol2
    from morered.formats.schnetpack_db import read_schnetpack, write_schnetpack
    from morered.formats.sdf import parse_sdf, read_sdf, write_sdf
    from morered.formats.stored import read_stored
    from morered.storage import write as write_stored
else:  # RDKit, ASE's databases and HDF5 are slow to import, and most files need none of them

    def _later(module: str, name: str) -> Callable[..., Any]:
        """A function that is imported when it is first called."""
        return lambda *arguments, **options: getattr(import_module(module), name)(*arguments, **options)

    parse_mol2 = _later("morered.formats.mol2", "parse_mol2")
    read_mol2 = _later("morered.formats.mol2", "read_mol2")
    read_schnetpack = _later("morered.formats.schnetpack_db", "read_schnetpack")
    write_schnetpack = _later("morered.formats.schnetpack_db", "write_schnetpack")
    parse_sdf = _later("morered.formats.sdf", "parse_sdf")
    read_sdf = _later("morered.formats.sdf", "read_sdf")
    write_sdf = _later("morered.formats.sdf", "write_sdf")
    read_stored = _later("morered.formats.stored", "read_stored")
    write_stored = _later("morered.storage", "write")

__all__ = [
    "FORMATS",
    "MAX_UNPACKED",
    "Carried",
    "Format",
    "Reading",
    "Record",
    "format_of",
    "from_ase",
    "read",
    "to_ase",
    "write",
    "write_extxyz",
    "write_schnetpack",
    "write_sdf",
]


#: What a PDB file begins with.
_PDB_LINES = ("HEADER", "TITLE ", "COMPND", "AUTHOR", "REMARK", "CRYST1", "MODEL ", "ATOM  ", "HETATM")


def _refuse_smiles(source: str | os.PathLike[str]) -> Reading:
    raise SourceProblem("SMILES have no coordinates")


class Format(NamedTuple):
    """A file format: the endings of its files, its reader and its writer (None where nothing is written in it)."""

    extensions: tuple[str, ...]
    read: Callable[[str | os.PathLike[str]], Reading]
    write: Callable[..., None] | None


FORMATS: dict[str, Format] = {
    "extxyz": Format(("xyz", "extxyz"), read_xyz, write_extxyz),
    "sdf": Format(("sdf", "sd", "mol"), read_sdf, write_sdf),
    "schnetpack": Format(("db",), read_schnetpack, write_schnetpack),
    "smiles": Format(("smi", "smiles"), _refuse_smiles, None),
    "mol2": Format(("mol2",), read_mol2, None),
    "pdb": Format(("pdb", "ent"), read_pdb, None),
    "hdf5": Format(("h5", "hdf5"), read_stored, write_stored),
}
"""Formats by name. Files with other endings are left to ASE, whose own names of formats `read` also takes."""


def format_of(path: str | os.PathLike[str]) -> str | None:
    """Name of the format that a file's ending means; None for one that only ASE may know, and for standard input."""
    extension = "" if os.fspath(path) == STDIN else extension_of(path)
    return next((name for name, entry in FORMATS.items() if extension in entry.extensions), None)


def kind_of(source: str | os.PathLike[str], format: str | None = None) -> str | None:
    """What a source is read as: the ``format`` that was named, which may be an ending of its files, else `format_of`."""
    if format is None:
        return format_of(source)
    return next((name for name, entry in FORMATS.items() if format in (name, *entry.extensions)), format)


def read(source: str | os.PathLike[str], format: str | None = None, max_unpacked: int = MAX_UNPACKED) -> Reading:
    """Every molecule of a file or of standard input ("-").

    Parameters
    ----------
    source
        The file; xyz and SDF may be compressed (.gz, .bz2, .xz).
    format
        A name in `FORMATS` or an ending of its files, or ASE's name of one of its formats. Otherwise the file's ending decides;
        what cannot be told by it (standard input) is taken for SDF, mol2 or PDB where it looks like one of them, else for xyz.
    max_unpacked
        Bytes that a compressed file may unpack to.

    Returns
    -------
    Reading
        Records in the order of the source. A source from which nothing can be had (missing, empty, unknown) gives one record with
        the problem.
    """
    label, stem = label_of(source), stem_of(source)
    try:
        if os.fspath(source) == STDIN and format is None:
            text = read_text(source, max_unpacked)
            return _parser_of(text)(text, label, stem)
        require_modest(source, max_unpacked)
        name = kind_of(source, format)
        if name in FORMATS:
            return FORMATS[name].read(source)
        return read_ase(source, name)
    except SourceProblem as problem:
        if not (problem.text or "").strip():
            return file_problem(label, stem, str(problem))
        return _cut_off(problem, label, stem, kind_of(source, format))


def _cut_off(problem: SourceProblem, label: str, stem: str, kind: str | None) -> Reading:
    """The molecules that a source has before it ends too soon, and one that says so."""
    text = problem.text or ""
    text = text[: text.rfind("\n$$$$") + 6] if kind == "sdf" else text[: text.rfind("\n") + 1]  # no piece of a line
    try:
        before = _parser_of(text)(text, label, stem)
    except SourceProblem:
        return file_problem(label, stem, str(problem))
    begun = kind in ("pdb", "mol2") or (before.records and before.records[-1].problem is not None)
    whole = before.records[:-1] if begun else before.records
    broken = Record(f"{stem}/rest", len(whole), label, problem=f"{label} after {len(whole)} molecules: {problem}")
    return Reading(label, [*whole, broken], before.remarks)


def write(path: str | os.PathLike[str], structures: Structures, format: str | None = None, **options: Any) -> None:
    """Write structures in the format of the file's ending, or in the one named; "-" is standard output (extended xyz).

    ``options`` are those of the format's own writer (`write_extxyz`, `write_sdf`, `write_schnetpack`, `storage.write`).

    Raises
    ------
    ValueError
        If there is no such format to write, or the structures have a column that it cannot hold.
    """
    name = format or ("extxyz" if os.fspath(path) == STDIN else format_of(path))
    writer = FORMATS[name].write if name in FORMATS else None
    if writer is None:
        known = ", ".join(f".{extension}" for entry in FORMATS.values() if entry.write for extension in entry.extensions)
        raise ValueError(f"{path}: {format or 'files of this ending'} cannot be written; known are {known}")
    writer(path, structures, **options)


def _parser_of(text: str) -> Callable[[str, str, str], Reading]:
    """What reads a text of which nothing but its content tells the format."""
    if "@<TRIPOS>MOLECULE" in text:
        return parse_mol2
    if _looks_like_sdf(text):
        return parse_sdf
    return parse_pdb if text.lstrip().startswith(_PDB_LINES) else parse_xyz


def _looks_like_sdf(text: str) -> bool:
    return (
        "\nM  END" in text
        or "\n$$$$" in text
        or any(line.rstrip().endswith(("V2000", "V3000")) for line in text.split("\n", 4)[:4])
    )
