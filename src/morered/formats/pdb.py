"""PDB files (format 3.3). The element is taken from its column, or, where that is missing, from the place of the atom's name.

An element symbol ends in column 14: " CA " is an alpha carbon, "CA  " calcium. Names of four letters begin in column 13 whatever
their element; those that begin with H are hydrogen. Each MODEL is a molecule of its own; of alternative locations the first is
taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from morered.formats.electronic import whole_number
from morered.formats.records import Reading, Record, atomic_number
from morered.formats.sources import SourceProblem, label_of, read_text, stem_of

_ATOMS = ("ATOM", "HETATM")
_AMINO_ACIDS = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL SEC PYL HID HIE HIP CYX ACE NME"
_NUCLEOTIDES = "A C G U I DA DC DG DT DU DI"
_POLYMERS = frozenset(_AMINO_ACIDS.split()) | frozenset(_NUCLEOTIDES.split())


def read_pdb(source: str | os.PathLike[str]) -> Reading:
    """All models of a PDB file, or of standard input ("-"); charges of atoms (columns 79 and 80) add up to the total charge.

    Raises
    ------
    SourceProblem
        If the source as a whole cannot be read; a broken model is a record with a problem.
    """
    return parse_pdb(read_text(source), label_of(source), stem_of(source))


def parse_pdb(text: str, label: str, stem: str) -> Reading:
    """As `read_pdb`, from the text itself; ``label`` names the source in sentences, ``stem`` the models.

    Raises
    ------
    SourceProblem
        If there is no molecule in it.
    """
    records: list[Record] = []
    cells = 0
    for lines in _models(text):
        record = Record(f"{stem}/{len(records) + 1}", len(records), label)
        records.append(record)
        cells += any(line.startswith("CRYST1") and line[6:33].split() != ["1.000"] * 3 for line in lines)
        try:
            _read_model(record, [line for line in lines if line.startswith(_ATOMS)])
        except SourceProblem as problem:
            record.fail(str(problem))
    if not records:
        raise SourceProblem("holds no molecule")
    return Reading(label, records, [f"{label}: the periodic cell is ignored"] if cells else [])


def element_of(line: str) -> str:
    """The element symbol of an ATOM or HETATM line; "" where there is none."""
    if atomic_number(column := line[76:78].strip()) and column.isalpha():
        return column
    name, residue = line[12:16].ljust(4), line[17:20].strip()
    stripped = name.strip()
    if stripped == residue and len(stripped) == 2 and atomic_number(stripped):  # an ion is a residue of its own
        return stripped
    letters = name.lstrip(" 0123456789")
    one, two = letters[:1], letters[:2]
    if name[0] in " 0123456789" or not two.isalpha() or residue in _POLYMERS or (one.upper() == "H" and len(stripped) == 4):
        return one
    return two if atomic_number(two) else one


def _models(text: str) -> Iterator[list[str]]:
    """Lines of each model that has atoms."""
    lines: list[str] = []
    for line in [*text.splitlines(), "ENDMDL"]:
        if line.startswith("ENDMDL") or line.rstrip() == "END":
            if any(entry.startswith(_ATOMS) for entry in lines):
                yield lines
            lines = []
        else:
            lines.append(line)


def _read_model(record: Record, atoms: Sequence[str]) -> None:
    """Fill a record from the atom lines of a model.

    Raises
    ------
    SourceProblem
        With the reason why it cannot be read.
    """
    numbers, positions = [], []
    charge: int | None = None
    places: set[str] = set()
    for k, line in enumerate(atoms):
        place = line[12:16] + line[17:27]
        if line[16:17].strip() and place in places:
            continue
        places.add(place)
        symbol = element_of(line)
        try:
            positions.append([float(line[start : start + 8]) for start in (30, 38, 46)])
            own = whole_number(line[78:80])
        except ValueError:
            raise SourceProblem(f"atom {k + 1} cannot be read: {line.strip()[:60]!r}") from None
        if not atomic_number(symbol):
            raise SourceProblem(f"atom {k + 1} ({line[12:16].strip()}) is of no known element")
        numbers.append(atomic_number(symbol))
        charge = charge if own is None else (charge or 0) + own
    record.numbers = np.array(numbers, dtype=np.uint8)
    record.positions = np.array(positions, dtype=np.float64).reshape(-1, 3)
    record.charge = charge
