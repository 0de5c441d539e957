"""Xyz and extended xyz: many molecules in one text, read so that a broken one does not touch the others.

A molecule is a count line, a comment line and as many atom lines. The comment may hold ``key=value`` pairs and, as
``Properties``, the columns of the atom lines (extended xyz, as ASE writes it); otherwise these are a symbol and three
coordinates in Å. After a broken molecule the reader looks for the next count line that is followed by a comment and an atom.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from morered.formats import values
from morered.formats.columns import atom_text
from morered.formats.records import SYMBOLS, Carried, Reading, Record, atomic_number
from morered.formats.rows import rows
from morered.formats.sources import SourceProblem, label_of, read_text, stem_of, write_text
from morered.structures import Structures

NAME_KEYS = ("name", "id")
NAME_LENGTH = 80
"""A longer comment is not taken for a molecule's name."""

_COUNT = re.compile(r"\s*[+-]?\d+\s*$")
_COUNT_DIGITS = 15
_LINES = 4096  # held at a time
_AHEAD = 16  # lines after a molecule that may decide where it ends
_ATOM = re.compile(r"([A-Za-z]{1,2}\d*|\d{1,3})$")
_OWN_KEYS = {"name", "Properties", "Lattice", "pbc", "units", "reference", "comment"}
_OWN_ARRAYS = {"species", "pos", "Z", "positions", "numbers", "symbols"}
_TRUTH = {"T": True, "F": False, "True": True, "False": False, "TRUE": True, "FALSE": False, "1": True, "0": False}


def _count(line: str) -> int:
    """The number of atoms that a count line announces; what has more digits than any file has atoms is not read to its end."""
    return int(line.strip()[:_COUNT_DIGITS])


class _Problem(Exception):
    """A reason why a frame cannot be read."""


class _Field(NamedTuple):
    """One property in the atom lines: its name, kind (R, I, S or L) and columns."""

    name: str
    kind: str
    columns: slice


_PLAIN = (_Field("species", "S", slice(0, 1)), _Field("pos", "R", slice(1, 4)))


# --------------------------------------------------------------------- reading


def read_xyz(source: str | os.PathLike[str]) -> Reading:
    """All molecules of an xyz or extended xyz file, or of standard input ("-").

    Per-molecule values go to ``info`` and become columns, as do further per-atom properties. A molecule is called after ``name=``
    or ``id=``, a short plain comment, or else after the source and its number in it.

    Raises
    ------
    SourceProblem
        If the source as a whole cannot be read; a broken molecule is a record with a problem.
    """
    return parse_xyz(read_text(source), label_of(source), stem_of(source))


def parse_xyz(text: str, label: str, stem: str) -> Reading:
    """As `read_xyz`, from the text itself; ``label`` names the source in sentences, ``stem`` nameless molecules.

    Raises
    ------
    SourceProblem
        If there is no molecule in it.
    """
    parser = XyzParser(text.split("\n"), label, stem)
    records = list(parser.records())
    if not records:
        raise SourceProblem("holds no molecule")
    return Reading(label, records, parser.remarks())


class XyzParser:
    """Walks through the lines of a source, one molecule at a time; of the lines it keeps those that it still needs.

    Parameters
    ----------
    lines
        Of the source, without their ends.
    label, stem
        See `parse_xyz`.
    """

    def __init__(self, lines: Iterable[str], label: str, stem: str) -> None:
        self.lines = _Window(lines)
        self.label, self.stem = label, stem
        self.found: list[Record] = []  # of the step at work
        self.count = 0  # records before it
        self.ignored: list[int] = []  # number of lines ignored, and the first of them
        self.cells: list[Any] = []  # number of molecules with a periodic cell, and what the first is called

    def records(self) -> Iterator[Record]:
        """The molecules in order, good or broken; then the `SourceProblem` of a source that breaks off."""
        i = 0
        while True:
            before = list(self.ignored), list(self.cells)
            self.found = []
            after = self.step(i) if i < len(self.lines) else i
            if after + _AHEAD > len(self.lines) and self.lines.extend():  # lines that follow may change what this step found
                self.ignored, self.cells = before
                continue
            if i >= len(self.lines):
                if self.lines.problem is not None:
                    raise self.lines.problem
                return
            if self.lines.problem is not None and after >= len(self.lines) and self.found and self.found[-1].problem is not None:
                self.found.pop()  # what the source breaks off within
            self.count += len(self.found)
            yield from self.found
            i = after
            self.lines.forget(i)

    def step(self, i: int) -> int:
        """Read what begins at line ``i``; returns the line after it."""
        if not self.lines[i].strip():
            return i + 1
        return self.frame(i) if _COUNT.match(self.lines[i]) else self.stray(i)

    def remarks(self) -> list[str]:
        """Sentences on what was ignored so far."""
        found = []
        if self.ignored:
            count, first = self.ignored
            lines = "1 line" if count == 1 else f"{count} lines"
            found.append(f"{self.label}: {lines} without atoms between molecules ignored (first: line {first + 1})")
        if self.cells:
            count, first = self.cells
            others = f" and {count - 1} more molecules" if count > 1 else ""
            found.append(f"{self.label}: the periodic cell of {first}{others} is ignored")
        return found

    def frame(self, start: int) -> int:
        """Read the molecule whose count line is ``start``; returns the line after it."""
        record = self.new_record()
        announced, body = _count(self.lines[start]), start + 2
        comment = self.lines[start + 1] if start + 1 < len(self.lines) else ""
        if _COUNT.match(comment) and self.starts(start + 1):
            record.fail(f"the count line says {announced} atoms, but none follows")
            return start + 1
        end = body
        while end < len(self.lines) and end - body < announced and self.lines[end].strip() and not self.starts(end):
            end += 1
        found = end - body
        try:
            if found < announced and _fits(comment, _PLAIN):
                raise _Problem(f"the comment line (line {start + 2}) is missing: an atom is there")
            layout = self.comment(record, comment)
            if found < announced:
                follow = f"{found} {'follows' if found == 1 else 'follow'}"
                if end >= len(self.lines):
                    raise _Problem(f"cut off: {announced} atoms are announced, {follow}")
                raise _Problem(f"the count line says {announced} atoms, but {follow}")
        except _Problem as problem:
            record.fail(str(problem))
            return self.next_start(end)
        while end < len(self.lines) and self.lines[end].lstrip().startswith("VEC"):  # cell vectors, as ADF writes them
            end += 1
        after = end
        while after < len(self.lines) and not self.starts(after) and _fits(self.lines[after], layout):
            after += 1
        try:
            if after > end:
                raise _Problem(f"the count line says {announced} atoms, but {found + after - end} follow")
            if announced < 1:
                raise _Problem("it has no atoms")
            self.atoms(record, layout, body, body + found)
        except _Problem as problem:
            record.fail(str(problem))
        return after

    def stray(self, start: int) -> int:
        """Pass over lines that begin no molecule (a broken one if atoms are there); returns the next molecule's first line."""
        end = self.next_start(start + 1)
        if any(_fits(line, _PLAIN) for line in self.lines[start:end]):
            record = self.new_record()
            record.fail(f"the count line (line {start + 1}) is not a whole number: {_short(self.lines[start])}")
        else:
            lines = [i for i in range(start, end) if self.lines[i].strip()]
            count, first = self.ignored or (0, lines[0])
            self.ignored = [count + len(lines), first]
        return end

    def new_record(self) -> Record:
        index = self.count + len(self.found)
        self.found.append(Record(f"{self.stem}/{index + 1}", index, self.label))
        return self.found[-1]

    def starts(self, i: int) -> bool:
        """Whether line ``i`` looks like a count line, and the line after it does not look more like one."""
        return self.may_start(i) and not (i + 1 < len(self.lines) and self.may_start(i + 1))

    def may_start(self, i: int) -> bool:
        """Whether line ``i`` is a whole number, with a comment and an atom (or the end of a cut file) after it."""
        if not _COUNT.match(self.lines[i]):
            return False
        if i + 2 >= len(self.lines):
            return i + 1 >= len(self.lines) or not _fits(self.lines[i + 1], _PLAIN)
        if "Properties=" in self.lines[i + 1]:
            return True
        return not _fits(self.lines[i + 1], _PLAIN) and any(_fits(line, _PLAIN) for line in self.lines[i + 2 : i + 5])

    def next_start(self, i: int) -> int:
        return next((k for k in range(i, len(self.lines)) if self.starts(k)), len(self.lines))

    def comment(self, record: Record, line: str) -> tuple[_Field, ...]:
        """Take name, values and units from the comment; returns what the atom lines hold."""
        if "=" not in line:
            text = line.strip()
            if text and ":" not in text and len(text) <= NAME_LENGTH:
                record.name = text
            return _PLAIN
        pairs = values.pairs_of(line)
        extended = "Properties" in pairs
        key = next((key for key in NAME_KEYS if pairs.get(key)), None)
        if key is not None:
            record.name = values.parse_text(pairs[key] or "") or record.name
        if pairs.get("reference"):
            record.reference = values.parse_text(pairs["reference"] or "")
        if _periodic(pairs):
            count, first = self.cells or (0, f"molecule {record.index + 1} ({record.name})")
            self.cells = [count + 1, first]
        units = values.parse(pairs.get("units") or "")
        if isinstance(units, dict):
            record.units = {str(name): str(unit) for name, unit in units.items()}
        for name, value in pairs.items():
            # Bare words are flags in extended xyz and prose elsewhere.
            if name not in _OWN_KEYS and name != key and (value is not None or extended):
                record.info[name] = True if value is None else values.parse(value)
                if value is not None:
                    record.texts[name] = value
        return _fields(pairs["Properties"] or "") if extended else _PLAIN

    def atoms(self, record: Record, layout: Sequence[_Field], start: int, end: int) -> None:
        """Numbers, positions and further properties of the atom lines from ``start`` to ``end``."""
        rows = [line.split() for line in self.lines[start:end]]
        width = max(entry.columns.stop for entry in layout)
        for k, row in enumerate(rows):
            if len(row) < width:
                raise _Problem(
                    f"atom {k + 1} (line {start + k + 1}) has {len(row)} of {width} columns: {_short(self.lines[start + k])}"
                )
        for entry in layout:
            tokens = [row[entry.columns] for row in rows]
            if entry.name in ("species", "Z"):
                record.numbers = _numbers(tokens, start)
            else:
                array = _array(entry, tokens, start)
                if entry.name == "pos":
                    record.positions = array
                else:
                    record.arrays[entry.name] = array


class _Window(Sequence[str]):
    """The lines of a source by their places in it: those before a place are forgotten, those after another are not yet there."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._coming = iter(lines)
        self._held: list[str] = []
        self._first = 0
        self._ended = False
        self.problem: SourceProblem | None = None  # why there are no more lines

    def __len__(self) -> int:
        return self._first + len(self._held)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._held[index.start - self._first : index.stop - self._first]
        return self._held[index - self._first]

    def extend(self) -> bool:
        """Hold twice as many lines, at least some thousand; False where none is left. Empty lines at the end are no lines."""
        if self._ended:
            return False
        more: list[str] = []
        try:
            for line in islice(self._coming, max(_LINES, len(self._held))):
                more.append(line.rstrip("\r"))
        except SourceProblem as problem:
            self.problem = problem
        if not more:
            self._ended = True
            while self._held and not self._held[-1].strip():
                self._held.pop()
            return True  # the end is news, too
        self._held += more
        return True

    def forget(self, before: int) -> None:
        """Let go of the lines before this place, once they are many."""
        if before - self._first >= _LINES:
            del self._held[: before - self._first]
            self._first = before


def _periodic(pairs: dict[str, str | None]) -> bool:
    """Whether a comment describes a periodic cell: ``pbc`` where it is given, otherwise ``Lattice``."""
    if "pbc" in pairs:
        return bool(np.any(values.parse(pairs["pbc"] or "F")))
    return "Lattice" in pairs


def _fields(text: str) -> tuple[_Field, ...]:
    """The layout of the atom lines from ``name:kind:columns:name:kind:columns...``."""
    parts = text.split(":")
    layout, column = [], 0
    for name, kind, count in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        if kind not in ("R", "I", "S", "L") or not count.isdecimal() or int(count) < 1:
            raise _Problem(f"Properties cannot be read: {_short(text)}")
        layout.append(_Field(name, kind, slice(column, column + int(count))))
        column += int(count)
    names = {entry.name: entry.columns.stop - entry.columns.start for entry in layout}
    if len(parts) % 3 or names.get("pos") != 3 or not (names.get("species") == 1 or names.get("Z") == 1):
        raise _Problem(f"Properties name no species and pos: {_short(text)}")
    return tuple(layout)


def _fits(line: str, layout: Sequence[_Field]) -> bool:
    """Whether a line could be an atom's in this layout: an element's token and three numbers in their places."""
    row = line.split()
    if len(row) < max(entry.columns.stop for entry in layout):
        return False
    for entry in layout:
        tokens = row[entry.columns]
        if entry.name in ("species", "Z") and not _ATOM.match(tokens[0]):
            return False
        if entry.name == "pos" and any(_number(token) is None for token in tokens):
            return False
    return True


def _numbers(tokens: Sequence[Sequence[str]], start: int) -> NDArray[np.uint8]:
    numbers = np.array([atomic_number(token) for (token,) in tokens], dtype=np.uint8)
    if (unknown := np.flatnonzero(numbers == 0)).size:
        k = int(unknown[0])
        raise _Problem(f"atom {k + 1} (line {start + k + 1}) is of no known element: {_short(tokens[k][0])}")
    return numbers


def _array(entry: _Field, tokens: Sequence[Sequence[str]], start: int) -> NDArray:
    """One property of all atoms, [N] or [N, columns]."""
    parsed: NDArray
    try:
        if entry.kind == "S":
            parsed = np.array(tokens, dtype=np.str_)
        elif entry.kind == "L":
            parsed = np.array([[_TRUTH[token] for token in row] for row in tokens])
        else:
            parsed = np.array(tokens, dtype=np.int64 if entry.kind == "I" else np.float64)
    except (ValueError, KeyError, OverflowError):
        if entry.kind != "R":
            raise _Problem(f"the atoms' {entry.name} cannot be read") from None
        parsed = _patient_numbers(entry, tokens, start)
    return parsed.reshape(len(tokens), -1) if entry.columns.stop - entry.columns.start > 1 else parsed.reshape(len(tokens))


def _patient_numbers(entry: _Field, tokens: Sequence[Sequence[str]], start: int) -> NDArray[np.float64]:
    """Numbers one by one: in Fortran's and QM9's notation too, and with a sentence for the first that is none."""
    rows = []
    for k, row in enumerate(tokens):
        numbers = [_number(token) for token in row]
        if None in numbers:
            raise _Problem(f"atom {k + 1} (line {start + k + 1}): {_short(row[numbers.index(None)])} is not a number")
        rows.append(numbers)
    return np.array(rows, dtype=np.float64)


def _number(token: str) -> float | None:
    """A number, also as Fortran (1.0D-3) and QM9 (1.0*^-3) write it; None if it is none."""
    for text in (token, re.sub(r"[dD]|\*\^", "e", token)):
        try:
            return float(text)
        except ValueError:
            continue
    return None


def _short(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 40 else text[:37] + "...")


# --------------------------------------------------------------------- writing


def write_extxyz(
    path: str | os.PathLike[str],
    structures: Structures,
    columns: bool = True,
    decimals: int = 8,
    carried: Mapping[str, Carried] | None = None,
) -> None:
    """Write extended xyz, which appears only when it is complete; "-" is standard output.

    Ids are written as ``name``, references where they differ, columns with their units (per molecule in the comment, per atom
    as further properties) where ``columns``, and what their sources said of them (``carried``, by id: `Reading.carried`) as it
    was given. Charges and unpaired electrons are written either way. Positions have ``decimals`` digits after the point (Å);
    other numbers are printed so that they come back exactly. Per-atom columns come back flat: [A, 3, 3] as [A, 9], [A, 1] as [A].

    A column whose name means something else in this format gets an underscore behind it; blanks in per-atom texts become
    underscores.
    """
    write_text(path, extxyz_frames(structures, columns, decimals, carried))


def extxyz_frames(
    structures: Structures, columns: bool = True, decimals: int = 8, carried: Mapping[str, Carried] | None = None
) -> Iterator[str]:
    """The text of each molecule, as `write_extxyz` writes it."""
    each = rows(structures, carried or {}, _allowed, forbidden=":", columns=columns)
    for m, (molecule, row) in enumerate(zip(structures, each, strict=True)):
        header = ["name=" + values.print_text(molecule.id)]
        if structures.references[m] != structures.ids[m]:
            header.append("reference=" + values.print_text(structures.references[m].decode()))
        header += [f"{values.print_key(key)}={_printed(value, row.texts.get(key))}" for key, value in row.info.items()]
        if row.units:
            header.append("units=" + values.print_value(row.units))
        properties = "species:S:1:pos:R:3"
        cells = [[SYMBOLS[z] if 0 < z < len(SYMBOLS) else "X" for z in molecule.numbers.tolist()]]
        cells += [[f"{x:.{decimals}f}" for x in axis] for axis in molecule.positions.T.tolist()]
        for name, array in row.arrays.items():
            flat = array.reshape(len(molecule.numbers), int(np.prod(array.shape[1:])))
            properties += f":{name}:{_kind(array)}:{flat.shape[1]}"
            cells += [[_cell(x) for x in column] for column in flat.T.tolist()]
        atoms = "".join(" ".join(row) + "\n" for row in zip(*cells, strict=True))
        yield f"{len(molecule.numbers)}\nProperties={values.print_key(properties)} {' '.join(header)}\n{atoms}"


def _printed(value: Any, text: str | None) -> str:
    """A value in a comment line; a number as its source wrote it, on one line."""
    if text is None or isinstance(value, str) or not text.isprintable():
        return values.print_value(value)
    return values.print_text(text)


def _allowed(name: str, per_atom: bool) -> bool:
    return name not in _OWN_ARRAYS if per_atom else name not in _OWN_KEYS


def _kind(array: NDArray) -> str:
    return {"b": "L", "i": "I", "u": "I", "f": "R"}.get(array.dtype.kind, "S")


def _cell(value: Any) -> str:
    return atom_text(value) if isinstance(value, str) else values.print_number(value)
