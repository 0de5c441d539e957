"""SDF (V2000 and V3000) through RDKit, record by record, so that a broken one does not touch the others.

The source's own bonds and charges are kept as a template: writing a relaxed molecule with it gives back the same molecule with
other coordinates. Without a template, bonds come from the distances and their orders from RDKit.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, pairwise, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, Geometry, rdBase
from rdkit.Chem import rdDetermineBonds

from morered.chemistry import molecule_bonds
from morered.formats import values
from morered.formats.columns import UNITS, atom_text
from morered.formats.electronic import whole_number
from morered.formats.records import Carried, Reading, Record, atomic_number
from morered.formats.rows import Row, rows
from morered.formats.sources import SourceProblem, label_of, read_text, stem_of, write_text
from morered.structures import Structures

DECIMALS = 4
"""Digits after the point of a coordinate (Å) in this format."""

_END = "M  END"
_COUNTS = re.compile(r"[ \d]{6}[ \d]*V[23]000\s*$")
_LISTS = {"f": "dprop", "i": "iprop", "u": "iprop", "b": "bprop"}
_ATOM_LIST = re.compile(r"atom\.(?P<kind>[dib]?prop)\.(?P<name>.+)")
_LIST_WIDTH = 190
_MAX_COMPONENTS = 10_000  # of a tensor per atom
_META = "morered"
_TITLE_LENGTH = 80
_RADICALS = {1: 0, 2: 1, 3: 2}  # unpaired electrons by the number in M  RAD: singlet, doublet, triplet
_RAD_LINE = re.compile(r"M  RAD\s*\d+((?:\s+\d+\s+\d+)+)\s*$")
_RAD_V3000 = re.compile(r"M  V30 .*\bRAD=(\d)")
_MAX_V2000 = 999
_MAX_ORDER_STEPS = 10_000  # RDKit's search for bond orders may otherwise never end


# --------------------------------------------------------------------- reading


def read_sdf(source: str | os.PathLike[str]) -> Reading:
    """All molecules of an SDF or MOL file, or of standard input ("-"); data fields and RDKit's atom lists become columns.

    Raises
    ------
    SourceProblem
        If the source as a whole cannot be read; a broken molecule is a record with a problem.
    """
    return parse_sdf(read_text(source), label_of(source), stem_of(source))


def parse_sdf(text: str, label: str, stem: str) -> Reading:
    """As `read_sdf`, from the text itself; ``label`` names the source in sentences, ``stem`` nameless molecules.

    Raises
    ------
    SourceProblem
        If there is no molecule in it.
    """
    records = [read_block(lines, label, stem, index) for index, lines in enumerate(sdf_blocks(text.split("\n")))]
    if not records:
        raise SourceProblem("holds no molecule")
    return Reading(label, records)


def read_block(lines: list[str], label: str, stem: str, index: int) -> Record:
    """The molecule of the lines of one block (`sdf_blocks`), the one with number ``index`` from 0 in its source."""
    record = Record(f"{stem}/{index + 1}", index, label)
    try:
        _read_block(record, lines)
    except SourceProblem as problem:
        record.fail(str(problem))
    return record


def name_of(lines: list[str]) -> str | None:
    """The name that a block's molecule is read under, None for a nameless one; cheaper than reading the block."""
    place = next((i for i, line in enumerate(lines) if line.startswith(">") and _field_name(line) == _META), None)
    end = next((i for i, line in enumerate(lines) if line.startswith(_END)), len(lines))
    if place is not None and place > end:
        name = _notes(list(takewhile(str.strip, lines[place + 1 :]))).get("name")
        if name is not None:
            return str(name)
    return lines[0].strip() or None


def sdf_blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines of each molecule: up to $$$$, or to the title of the next where that line is missing."""
    block: list[str] = []
    for line in chain((line.rstrip("\r") for line in lines), ["$$$$"]):
        if not line.startswith("$$$$"):
            block.append(line)
            continue
        ended = next((i for i, entry in enumerate(block) if entry.startswith(_END)), len(block))
        counts = [i for i, entry in enumerate(block) if i > ended + 3 and _COUNTS.match(entry)]
        cuts = [0, *(i - 3 for i in counts), len(block)]
        for start, end in pairwise(cuts):
            if any(entry.strip() for entry in block[start:end]):
                yield block[start:end]
        block = []


def _read_block(record: Record, lines: list[str]) -> None:
    """Fill a record from its lines.

    Raises
    ------
    SourceProblem
        With the reason why it cannot be read.
    """
    title = lines[0].strip()
    if title:
        record.name = title
    end = next((i for i, line in enumerate(lines) if line.startswith(_END)), None)
    _diagnose(lines if end is None else lines[:end])
    if end is None:
        raise SourceProblem("cut off: there is no line M  END")
    with rdBase.BlockLogs():
        try:
            molecule = Chem.MolFromMolBlock("\n".join(lines[: end + 1]) + "\n", sanitize=False, removeHs=False)
        except (RuntimeError, ValueError) as error:
            raise SourceProblem(f"RDKit cannot read it: {str(error).strip().splitlines()[0]}") from None
    if molecule is None:
        raise SourceProblem("RDKit cannot read it")
    if not molecule.GetNumConformers():
        raise SourceProblem("it has no atoms" if not molecule.GetNumAtoms() else "it has no coordinates")
    conformer = molecule.GetConformer()
    record.numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)
    record.positions = np.array(conformer.GetPositions(), dtype=np.float64).reshape(-1, 3)
    record.template = molecule
    _fields(record, lines[end + 1 :])
    _electrons(record, molecule, lines[:end])
    if lines[1][20:22].upper() == "2D" and len(record.positions) > 1 and not np.any(record.positions[:, 2]):
        record.lack_geometry()
        return
    # A charge or radical that the atoms do not show, but a data field, is why an atom has fewer hydrogens than its valence.
    atoms = molecule.GetAtoms()
    shown = abs(Chem.GetFormalCharge(molecule)) + sum(atom.GetNumRadicalElectrons() for atom in atoms)
    hydrogens = _missing_hydrogens(molecule)
    if hydrogens > max(0, abs(record.charge or 0) + (record.unpaired or 0) - shown):
        record.lack_hydrogens(hydrogens)


def _diagnose(lines: list[str]) -> None:
    """Say in plain words what is wrong with a V2000 record; RDKit reports only to its log."""
    if len(lines) < 4:
        raise SourceProblem("cut off within its header")
    if lines[3].rstrip().endswith("V3000"):
        return
    try:
        n_atoms, n_bonds = int(lines[3][:3]), int(lines[3][3:6])
    except ValueError:
        raise SourceProblem(f"the counts line cannot be read: {lines[3].strip()[:40]!r}") from None
    rows = lines[4 : 4 + n_atoms]
    for k, line in enumerate(rows):
        try:
            point = [float(line[start : start + 10]) for start in (0, 10, 20)]
        except ValueError:
            raise SourceProblem(f"atom {k + 1} of {n_atoms} cannot be read: {line.strip()[:40]!r}") from None
        symbol = line[30:34].strip()
        if not atomic_number(symbol) or symbol.isdecimal():
            raise SourceProblem(f"atom {k + 1} is of no known element: {symbol!r}")
        if not np.isfinite(point).all():
            raise SourceProblem(f"the coordinates of atom {k + 1} are not finite ({' '.join(f'{x:g}' for x in point)})")
    if len(lines) < 4 + n_atoms + n_bonds:
        found = f"{len(rows)} follow" if len(rows) < n_atoms else f"only {len(lines) - 4 - n_atoms} of {n_bonds} bonds follow"
        raise SourceProblem(f"cut off: {n_atoms} atoms are announced, {found}")


def _missing_hydrogens(molecule: Chem.Mol) -> int:
    """Hydrogen atoms that the valences ask for and the record does not hold."""
    copy = Chem.Mol(molecule)
    with rdBase.BlockLogs():
        copy.UpdatePropertyCache(strict=False)
        if any(bond.GetIsAromatic() or bond.GetBondType() == Chem.BondType.AROMATIC for bond in copy.GetBonds()):
            try:
                Chem.SanitizeMol(copy)
            except Chem.MolSanitizeException:
                return 0
    return sum(atom.GetNumImplicitHs() for atom in copy.GetAtoms()) if copy.GetNumBonds() else 0


def _fields(record: Record, lines: list[str]) -> None:
    """Data fields of a record: columns, atom lists, and what we noted about them when writing."""
    fields: dict[str, list[str]] = {}
    key = None
    for line in lines:
        if line.startswith(">") and (found := _field_name(line)) is not None:
            key = found
            fields[key] = []
        elif not line.strip():
            key = None
        elif key is not None:
            fields[key].append(line)
    meta = _notes(fields.pop(_META, []))
    record.name = str(meta.get("name", record.name))
    record.reference = str(meta["reference"]) if "reference" in meta else None
    record.units = {str(name): str(unit) for name, unit in meta.get("units", {}).items()}
    size = 0 if record.numbers is None else len(record.numbers)
    for key, content in fields.items():
        match = _ATOM_LIST.match(key)
        if match and len(tokens := " ".join(content).split()) == size:
            record.arrays[match["name"]] = _list(match["kind"], tokens)
        else:
            text = record.texts[key] = "\n".join(content)
            record.info[key] = values.parse(text) if key in UNITS else _value_of(text)
    for name, shape in meta.get("shapes", {}).items():
        parts = [record.arrays.pop(f"{name}.{i}", None) for i in range(math.prod(shape))]
        whole = [part for part in parts if part is not None]
        if whole and len(whole) == len(parts):
            record.arrays[name] = np.stack(whole, axis=1).reshape(size, *shape)


def _field_name(line: str) -> str | None:
    """The name in a data field's first line, ``>  <name>``."""
    start, end = line.find("<"), line.rfind(">")
    return line[start + 1 : end] if 0 < start < end else None


def _value_of(text: str) -> Any:
    """A field's value: a number or truth value where its text is just how it would be written, otherwise the text as it is.

    So 000123, 1E5 and 1.10 stay what they are: most fields are names, codes and lists, not quantities like `UNITS`.
    """
    value = values.parse(text)
    if isinstance(value, str) or text.startswith("_JSON ") or values.text_of(value) == text:
        return value
    return text


def _notes(lines: list[str]) -> dict[str, Any]:
    """What we noted about the fields when writing; nothing where it is not what we write."""
    found = values.parse("_JSON " + "".join(lines))
    meta = found if isinstance(found, dict) else {}
    kept: dict[str, Any] = {key: meta[key] for key in ("name", "reference") if isinstance(meta.get(key), str)}
    kept |= {key: meta[key] for key in ("units", "shapes") if isinstance(meta.get(key), dict)}
    shapes = {}
    for name, shape in kept.get("shapes", {}).items():
        sound = isinstance(shape, list) and all(isinstance(n, int) and 0 < n <= _MAX_COMPONENTS for n in shape)
        if sound and math.prod(shape) <= _MAX_COMPONENTS:
            shapes[name] = shape
    return kept | ({"shapes": shapes} if "shapes" in kept else {})


def _electrons(record: Record, molecule: Chem.Mol, lines: list[str]) -> None:
    """Charge and unpaired electrons of the atom and property lines, checked against a data field that says the same.

    Raises
    ------
    SourceProblem
        If they contradict each other.
    """
    charge = Chem.GetFormalCharge(molecule)
    charged = charge != 0 or any(line.startswith("M  CHG") for line in lines)
    radicals = [int(n) for line in lines if (match := _RAD_LINE.match(line)) for n in match[1].split()[1::2]]
    radicals += [int(match[1]) for line in lines if (match := _RAD_V3000.match(line))]
    unpaired = sum(_RADICALS.get(n, 0) for n in radicals)
    if not any(line.startswith(("M  RAD", "M  CHG")) for line in lines):
        unpaired += sum(line[36:39].strip() == "4" for line in lines[4 : 4 + molecule.GetNumAtoms()])
    for name, block, stated in (("charge", charge, charged), ("unpaired", unpaired, bool(unpaired))):
        try:
            field = whole_number(record.info.get(name, ""))
        except ValueError:
            field = None  # a field of this name that says something else
        if stated and field is not None and field != block:
            raise SourceProblem(f"its atoms say {name} {block:+d}, its data field {name} says {field:+d}")
        known = block if stated else field
        setattr(record, name, known)
        if field is None and name in record.info:
            record.info[f"{name}_"] = record.info.pop(name)
            record.texts[f"{name}_"] = record.texts.pop(name)


def _list(kind: str, tokens: list[str]) -> NDArray:
    """Values of an RDKit atom list: dprop numbers, iprop whole numbers, bprop truth values, prop texts; n/a is no value."""
    try:
        if kind == "dprop":
            return np.array([np.nan if token == "n/a" else float(token) for token in tokens])
        if kind == "iprop":
            return np.array([int(token) for token in tokens])
        if kind == "bprop":
            return np.array([{"1": True, "0": False}[token] for token in tokens])
    except (ValueError, KeyError):
        pass
    return np.array(tokens)


# --------------------------------------------------------------------- writing


def write_sdf(
    path: str | os.PathLike[str],
    structures: Structures,
    templates: Mapping[str, Any] | None = None,
    columns: bool = True,
    bond_orders: bool = True,
    carried: Mapping[str, Carried] | None = None,
) -> None:
    """Write an SDF, which appears only when it is complete; "-" is standard output.

    Parameters
    ----------
    path
        The file.
    structures
        The molecules; coordinates get 4 digits after the point (Å), the format's own precision.
    templates
        RDKit molecules by id (`Reading.templates`) whose bonds, charges and orders are written as they are, with new coordinates.
    columns
        Write columns as data fields, and per-atom columns as RDKit's atom lists (one for each component). Charges and unpaired
        electrons are written either way.
    bond_orders
        Without a template, bonds come from distances; let RDKit find their orders (a molecule of total charge 0, or the column
        ``charge``) or leave single bonds. Where it finds none, single bonds are written.
    carried
        What their sources said of the molecules, by id (`Reading.carried`); texts are written as they were.

    A column whose name means something else in this format gets an underscore behind it; blanks in per-atom texts become
    underscores.
    """
    write_text(path, sdf_records(structures, templates or {}, columns, bond_orders, carried or {}))


def sdf_records(
    structures: Structures, templates: Mapping[str, Any], columns: bool, bond_orders: bool, carried: Mapping[str, Carried]
) -> Iterator[str]:
    """The text of each molecule, as `write_sdf` writes it."""
    bonds = molecule_bonds(structures)
    charges = structures.charges.tolist()
    each = rows(structures, carried, _allowed, forbidden="<>\n\r", columns=columns)
    for m, (molecule, row) in enumerate(zip(structures, each, strict=True)):
        template = templates.get(molecule.id)
        if template is None or [a.GetAtomicNum() for a in template.GetAtoms()] != molecule.numbers.tolist():
            pairs = bonds.atoms[bonds.offsets[m] : bonds.offsets[m + 1]] - structures.offsets[m]
            template = _from_geometry(molecule.numbers, molecule.positions, pairs, charges[m], bond_orders)
        yield _mol_block(template, molecule.id, molecule.positions) + _data_fields(structures, row, m) + "$$$$\n"


def _from_geometry(
    numbers: NDArray[np.uint8], positions: NDArray[np.floating], pairs: NDArray[np.int64], charge: int, bond_orders: bool
) -> Chem.Mol:
    """A molecule with the bonds given [E, 2]; orders by RDKit where it finds them."""
    molecule = Chem.RWMol()
    for number in numbers.tolist():
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    for i, j in pairs.tolist():
        molecule.AddBond(i, j, Chem.BondType.SINGLE)
    _place(molecule, positions)
    if not bond_orders or not len(pairs):
        return molecule
    ordered = Chem.RWMol(molecule)
    with rdBase.BlockLogs():
        try:
            rdDetermineBonds.DetermineBondOrders(ordered, charge=charge, embedChiral=False, maxIterations=_MAX_ORDER_STEPS)
        except (RuntimeError, ValueError):
            return molecule
    return ordered


def _place(molecule: Chem.RWMol, positions: NDArray[np.floating], flat: bool = False) -> None:
    conformer = Chem.Conformer(molecule.GetNumAtoms())
    conformer.Set3D(not flat)
    for i, point in enumerate(positions.tolist()):
        conformer.SetAtomPosition(i, Geometry.Point3D(*point))
    molecule.RemoveAllConformers()
    molecule.AddConformer(conformer)


def _mol_block(template: Chem.Mol, name: str, positions: NDArray[np.floating]) -> str:
    molecule = Chem.RWMol(template)
    flat = _is_drawing(template, positions)
    _place(molecule, positions, flat)
    molecule.SetProp("_Name", _title(name))
    large = max(molecule.GetNumAtoms(), molecule.GetNumBonds()) > _MAX_V2000
    with rdBase.BlockLogs():
        molecule.UpdatePropertyCache(strict=False)
        return Chem.MolToMolBlock(molecule, includeStereo=flat, kekulize=False, forceV3000=large)


#: RDKit's name of a block's second line, which says in its columns 21 and 22 whether it is a drawing.
_INFO = "_MolFileInfo"


def _is_drawing(template: Chem.Mol, positions: NDArray[np.floating]) -> bool:
    """Whether a template is a drawing whose atoms are still where they are drawn."""
    if not template.GetNumConformers() or not template.HasProp(_INFO) or template.GetProp(_INFO)[20:22] != "2D":
        return False
    return np.allclose(template.GetConformer().GetPositions(), positions, atol=1e-3)


def _title(name: str) -> str:
    """A name as the first line can hold it; empty where it would end the record before."""
    return "" if name.startswith("$$$$") else " ".join(name.split())[:_TITLE_LENGTH]


def _data_fields(structures: Structures, row: Row, m: int) -> str:
    name, reference = structures.ids[m].decode(), structures.references[m].decode()
    meta: dict[str, Any] = {}
    if _title(name) != name or not name:
        meta["name"] = name
    if reference != name:
        meta["reference"] = reference
    if row.units:
        meta["units"] = row.units
    if shapes := {key: array.shape[1:] for key, array in row.arrays.items() if array.ndim > 1}:
        meta["shapes"] = shapes
    fields = [(key, _field_lines(value, row.texts.get(key))) for key, value in row.info.items()]
    for key, array in row.arrays.items():
        kind = _LISTS.get(array.dtype.kind, "prop")
        for i, component in enumerate(array.reshape(len(array), math.prod(array.shape[1:])).T.tolist()):
            tokens = [_token(value) for value in component]
            fields.append((f"atom.{kind}.{key}{f'.{i}' if array.ndim > 1 else ''}", _wrapped(tokens)))
    if meta:
        fields.append((_META, [json.dumps(meta, ensure_ascii=False)]))
    return "".join(f">  <{key}>\n" + "".join(line + "\n" for line in lines) + "\n" for key, lines in fields)


def _allowed(name: str, per_atom: bool) -> bool:
    return name != _META and (per_atom or not _ATOM_LIST.match(name))


def _field_lines(value: Any, text: str | None) -> list[str]:
    """A value as lines that neither end its field nor begin another: as its source wrote it, and a text as it is."""
    if text is None and isinstance(value, (str, np.str_)) and _value_of(str(value)) == str(value):
        text = str(value)
    if text is not None:
        if not text:
            return []
        lines = text.split("\n")
        if all(line.strip() and not line.startswith((">", "$$$$")) and "\r" not in line for line in lines):
            return lines
    text = values.text_of(value)
    return ["_JSON " + json.dumps(text) if text != text.strip() or text.startswith((">", "$$$$")) else text]


def _token(value: Any) -> str:
    """One atom's value in an RDKit atom list."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, str):
        return atom_text(value)
    return "n/a" if value != value else repr(value)


def _wrapped(tokens: list[str]) -> list[str]:
    """Tokens on lines that are not too long for RDKit's atom lists."""
    lines, line = [], ""
    for token in tokens:
        if line and len(line) + 1 + len(token) > _LIST_WIDTH:
            lines.append(line)
            line = token
        else:
            line = f"{line} {token}" if line else token
    return [*lines, line]
