"""Tripos mol2 files: atoms, bonds with their orders, and the total charge that these make.

The element is the first part of an atom's type: C.ar is carbon, Cl chlorine. Bond orders, aromatic and delocalised ones among
them, and formal charges are RDKit's reading of the types where it has one; else they are perceived from who is bonded to whom and
the sum of the partial charges.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from rdkit import Chem, rdBase

from morered.formats.records import Reading, Record, atomic_number
from morered.formats.sources import SourceProblem, label_of, read_text, stem_of
from morered.perception import ion_or_molecule

_MOLECULE = "@<TRIPOS>MOLECULE"
#: e; partial charges whose sum is nearer to a whole number than this state the total charge.
_ROUNDING = 0.05
_NONE = ("NO_CHARGES", "")


def read_mol2(source: str | os.PathLike[str]) -> Reading:
    """All molecules of a mol2 file, or of standard input ("-").

    Raises
    ------
    SourceProblem
        If the source as a whole cannot be read; a broken molecule is a record with a problem.
    """
    return parse_mol2(read_text(source), label_of(source), stem_of(source))


def parse_mol2(text: str, label: str, stem: str) -> Reading:
    """As `read_mol2`, from the text itself; ``label`` names the source in sentences, ``stem`` nameless molecules.

    Raises
    ------
    SourceProblem
        If there is no molecule in it.
    """
    records: list[Record] = []
    remarks: list[str] = []
    for lines in _blocks(text):
        record = Record(f"{stem}/{len(records) + 1}", len(records), label)
        records.append(record)
        try:
            _read_block(record, lines, remarks)
        except SourceProblem as problem:
            record.fail(str(problem))
    if not records:
        raise SourceProblem("holds no molecule")
    return Reading(label, records, remarks)


def _blocks(text: str) -> Iterator[list[str]]:
    block: list[str] | None = None
    for line in text.splitlines():
        if line.startswith(_MOLECULE):
            if block is not None:
                yield block
            block = []
        if block is not None:
            block.append(line)
    if block is not None:
        yield block


def _read_block(record: Record, lines: list[str], remarks: list[str]) -> None:
    """Fill a record from its lines.

    Raises
    ------
    SourceProblem
        With the reason why it cannot be read.
    """
    sections = _sections(lines)
    head = sections.get("MOLECULE", [])
    record.name = (head[0].strip() if head else "") or record.name
    atoms = [line.split() for line in sections.get("ATOM", []) if line.strip()]
    if not atoms:
        raise SourceProblem("it has no atoms")
    announced = head[1].split()[0] if len(head) > 1 and head[1].split() else ""
    if announced.isdecimal() and int(announced) != len(atoms):
        raise SourceProblem(f"cut off: {announced} atoms are announced, {len(atoms)} follow")
    numbers, positions, place = [], [], {}
    for k, fields in enumerate(atoms):
        try:
            point = [float(value) for value in fields[2:5]]
            symbol = fields[5].split(".")[0]
        except (ValueError, IndexError):
            raise SourceProblem(f"atom {k + 1} cannot be read: {' '.join(fields)[:60]!r}") from None
        if len(point) != 3 or not symbol.isalpha() or not atomic_number(symbol):
            raise SourceProblem(f"atom {k + 1} ({fields[1]}) is of no known element: {fields[5]!r}")
        place[fields[0]] = k
        numbers.append(atomic_number(symbol))
        positions.append(point)
    record.numbers = np.array(numbers, dtype=np.uint8)
    record.positions = np.array(positions, dtype=np.float64)
    pairs = []
    for line in sections.get("BOND", []):
        fields = line.split()
        if len(fields) >= 4 and fields[3] != "nc":
            if fields[1] not in place or fields[2] not in place:
                raise SourceProblem(f"a bond joins an atom that is not there: {line.strip()!r}")
            pairs.append((place[fields[1]], place[fields[2]]))
    partial = _total(atoms, head)
    if pairs:
        record.template = _drawing(record, lines, np.array(pairs), partial or 0)
    if record.template is not None:
        formal = Chem.GetFormalCharge(record.template)
        record.charge = formal or partial
        if partial is not None and partial != formal:
            remarks.append(
                f"{record.where}: its partial charges add up to {partial:+d}, its atom types and bonds to {formal:+d}; "
                f"{record.charge:+d} is taken. An SDF or SMILES states it"
            )
        missing = sum(atom.GetNumImplicitHs() for atom in record.template.GetAtoms())
        if missing:
            record.lack_hydrogens(missing)
    else:
        record.charge = partial


def _sections(lines: list[str]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith("@<TRIPOS>"):
            current = sections.setdefault(line[9:].strip(), [])
        elif not line.startswith("#"):
            current.append(line)
    return sections


def _total(atoms: list[list[str]], head: list[str]) -> int | None:
    """The total charge that partial charges state; None where there are none."""
    kind = head[3].strip() if len(head) > 3 else ""
    if kind in _NONE or any(len(fields) < 9 for fields in atoms):
        return None
    try:
        total = sum(float(fields[8]) for fields in atoms)
    except ValueError:
        return None
    return round(total) if abs(total - round(total)) < _ROUNDING else None


def _drawing(record: Record, lines: list[str], pairs: np.ndarray, charge: int) -> Chem.Mol | None:
    """The molecule with bond orders and formal charges, None where it has no proper ones."""
    assert record.numbers is not None
    assert record.positions is not None
    with rdBase.BlockLogs():
        try:
            molecule = Chem.MolFromMol2Block("\n".join(lines) + "\n", sanitize=True, removeHs=False)
        except (RuntimeError, ValueError):
            molecule = None
    same = molecule is not None and [atom.GetAtomicNum() for atom in molecule.GetAtoms()] == record.numbers.tolist()
    if not same and np.isfinite(record.positions).all():
        molecule = ion_or_molecule(record.numbers, record.positions, charge, pairs)
    if molecule is None:
        return None
    for atom in molecule.GetAtoms():  # RDKit takes atoms without their hydrogens for radicals, of which this format says nothing
        atom.SetNoImplicit(False)
        atom.SetNumRadicalElectrons(0)
    molecule.UpdatePropertyCache(strict=False)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    return molecule
