"""ASE's Atoms, and through them every file format that ASE reads."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from morered.formats import program_outputs
from morered.formats.columns import rows_of, units_of
from morered.formats.pdb import read_pdb
from morered.formats.records import Reading, Record
from morered.formats.sources import SourceProblem, label_of, read_text, require_file, stem_of
from morered.frozen import FreezeProblem, fixed_by_ase
from morered.structures import ELECTRONIC, Structures

_OWN_INFO = ("name", "id", "reference", "units")
_RESULTS = ("energy", "forces")
_PDB = ("proteindatabank", "pdb")
_OWN_ARRAYS = ("numbers", "positions")


def to_ase(structures: Structures, results: bool = False) -> list[Atoms]:
    """Each molecule as ASE's Atoms.

    ``info`` holds the id as ``name``, the reference where it differs, per-molecule columns and, as ``units``, their units where
    ASE's are not meant; ``arrays`` the per-atom columns. Texts come as str, total charges as int. With ``results``, the columns
    ``energy`` (eV) and ``forces`` (eV/Å) become results of a calculator instead: ``get_potential_energy()`` gives them, and
    every format of ASE keeps them (ASE refuses to write what is in both places).
    """
    units = units_of(structures.columns)
    known = [name for name in _RESULTS if results and name in structures.columns and name not in units]
    made = []
    for m, molecule in enumerate(structures):
        info, arrays = rows_of(structures.columns, structures.offsets, m)
        atoms = Atoms(numbers=molecule.numbers, positions=molecule.positions)
        atoms.info["name"] = molecule.id
        if structures.references[m] != structures.ids[m]:
            atoms.info["reference"] = structures.references[m].decode()
        atoms.info |= info | {name: int(info[name]) for name in ELECTRONIC if name in info}
        if units:
            atoms.info["units"] = dict(units)
        for name, array in arrays.items():
            atoms.arrays[name] = array.copy()
        if known:
            taken = {name: (atoms.arrays if name in arrays else atoms.info).pop(name) for name in known}
            atoms.calc = SinglePointCalculator(atoms, **taken)
        made.append(atoms)
    return made


def from_ase(atoms: Iterable[Atoms], stem: str = "molecule") -> Structures:
    """Structures from ASE's Atoms; ``info``, ``arrays`` and the results of an attached calculator become columns.

    Ids are ``info["name"]`` or ``info["id"]``, or else ``stem`` and a number ("molecule/1"); repeated ones get "#2".

    Raises
    ------
    ValueError
        If one of them cannot be a molecule (no atoms, no elements, coordinates not finite, coinciding atoms).
    """
    reading = Reading("Atoms", [record_of(a, i, "Atoms", stem) for i, a in enumerate(atoms)])
    if reading.problems:
        raise ValueError("; ".join(reading.problems))
    return reading.structures()


def record_of(atoms: Atoms, index: int, source: str, stem: str) -> Record:
    """The record of one Atoms object, the ``index``-th of ``source``."""
    info = dict(atoms.info)
    name = next((str(info[key]) for key in ("name", "id") if info.get(key) not in (None, "")), f"{stem}/{index + 1}")
    results, arrays = _results(atoms)
    arrays = {key: value for key, value in atoms.arrays.items() if key not in _OWN_ARRAYS} | arrays
    units = info.get("units")
    record = Record(
        name,
        index,
        source,
        numbers=np.where(atoms.numbers < 256, atoms.numbers, 0).astype(np.uint8),
        positions=np.array(atoms.positions, dtype=np.float64),
        info={str(key): value for key, value in info.items() if key not in _OWN_INFO} | results,
        arrays=arrays,
        units={str(key): str(unit) for key, unit in units.items()} if isinstance(units, dict) else {},
        reference=str(info["reference"]) if "reference" in info else None,
    )
    try:
        record.frozen = fixed_by_ase(atoms)
    except FreezeProblem as problem:
        record.fail(str(problem))
    return record


def _results(atoms: Atoms) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What an attached calculator already knows about exactly these atoms, per molecule and per atom; nothing is computed."""
    info, arrays = {}, {}
    known = getattr(atoms.calc, "results", None) or {}
    for name in known:
        try:
            value = atoms.calc.get_property(name, atoms, allow_calculation=False)
        except (PropertyNotImplementedError, NotImplementedError, KeyError):
            continue
        if value is None:
            continue
        # A result is per atom where ASE says so by its first dimension; three atoms' dipole is the one that would mislead.
        if np.ndim(value) and len(value) == len(atoms) and name not in ("dipole", "stress"):
            arrays[name] = np.asarray(value)
        else:
            info[name] = value
    return info, arrays


def read_ase(source: str | os.PathLike[str], ase_format: str | None = None) -> Reading:
    """All molecules of a file in any format that ASE reads; ``ase_format`` is ASE's own name of it.

    Molecules before a broken one are kept: what follows it, ASE cannot find.

    Raises
    ------
    SourceProblem
        If ASE does not know the format, or finds no molecule.
    """
    from ase.io import iread  # slow to import, and most files are of formats read without it
    from ase.io.formats import UnknownFileTypeError, filetype

    label, stem = label_of(source), stem_of(source)
    require_file(source)
    records: list[Record] = []
    periodic = 0
    try:
        known = ase_format or filetype(os.fspath(source))
        if known in _PDB:  # ASE takes an alpha carbon for calcium where the element column is missing
            return read_pdb(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for atoms in iread(Path(source), index=":", format=known):
                periodic += bool(atoms.pbc.any())
                records.append(record_of(atoms, len(records), label, stem))
    except SourceProblem:
        raise
    except UnknownFileTypeError:
        named = f"ASE knows no format called {ase_format!r}" if ase_format else ""
        raise SourceProblem(named or f"is of no known format ({Path(source).suffix or 'no ending'})") from None
    except Exception as error:  # ASE's readers raise whatever their parsing runs into
        reason = f"ASE cannot read it: {type(error).__name__}: {error}"
        if not records:
            raise SourceProblem(reason) from None
        records.append(Record(f"{stem}/{len(records) + 1}", len(records), label))
        records[-1].fail(reason)
    if not records:
        raise SourceProblem("holds no molecule")
    cells = [f"{label}: the periodic cell of {periodic} of {len(records)} molecules is ignored"] if periodic else []
    reading = Reading(label, records, cells)
    return program_outputs.completed(reading, known, read_text(source)) if known in program_outputs.KINDS else reading
