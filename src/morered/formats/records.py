"""What a reader gives: one record per molecule found, good or broken, in the order of the source.

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered.chemistry import COINCIDING, closest_contacts
from morered.formats import electronic
from morered.formats.columns import columns_of
from morered.structures import ELECTRONIC, Column, Structures, as_names, offsets_of
from morered.unique_names import UniqueNames

SYMBOLS: tuple[str, ...] = tuple(chemical_symbols)
"""Element symbol by atomic number; X at 0 is no atom."""

_NUMBERS = {symbol.lower(): number for number, symbol in enumerate(SYMBOLS) if number} | {"d": 1, "t": 1}
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
_LABEL = re.compile(r"([A-Za-z]{1,2})\d+$")  # C1, H12: an atom's label
_FLAT_HEADER = (
    "a flat drawing (its header says 2D), no geometry. --embed makes one (in Python RDKit's EmbedMolecule), or give its SMILES "
    "with -s"
)

Lack = Literal["hydrogens", "geometry"]
"""What a molecule's source does not have."""


@dataclass
class Record:
    """One molecule of a source.

    ``index`` counts from 0, sentences from 1. ``problem`` is a sentence that names source, molecule and reason, or None for a
    good record; numbers [N] and positions [N, 3] (Å) are there where they could be read. ``info`` holds per-molecule values,
    ``arrays`` per-atom ones [N, ...], ``units`` their units where known; ``template`` is an RDKit molecule with the source's
    own bonds (SDF). ``charge`` (e) and ``unpaired`` electrons are None where nothing states them; ``texts`` holds values of
    ``info`` as the source wrote them. ``frozen`` atoms, [N] bool, keep their places; None for none. ``lack`` is what a broken
    record needs to be a molecule (see `morered.mending`).
    """

    name: str
    index: int
    source: str
    numbers: NDArray[np.uint8] | None = None
    positions: NDArray[np.float64] | None = None
    problem: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    reference: str | None = None
    template: Any = None
    charge: int | None = None
    unpaired: int | None = None
    texts: dict[str, str] = field(default_factory=dict)
    frozen: NDArray[np.bool_] | None = None
    lack: Lack | None = None

    @property
    def where(self) -> str:
        """Source, place and name, for sentences."""
        return f"{self.source}, molecule {self.index + 1} ({self.name})"

    def fail(self, reason: str) -> None:
        """Mark the record as broken; the first reason stays."""
        self.problem = self.problem or f"{self.where}: {reason}"

    def lack_hydrogens(self, count: int) -> None:
        """Mark the record as broken for want of hydrogens."""
        self.lack = "hydrogens"
        number = f"{count} hydrogen atoms are" if count > 1 else "1 hydrogen atom is"
        way_out = "--add-hydrogens adds them (in Python RDKit's AddHs with addCoords=True), or give its SMILES with -s"
        self.fail(f"{number} missing. {way_out}")

    def lack_geometry(self) -> None:
        """Mark the record as broken because it is a drawing by its header."""
        self.lack = "geometry"
        self.fail(_FLAT_HEADER)


@dataclass
class Reading:
    """Everything found in a source: records in order, and remarks on what was ignored. Names are made unique ("water#2")."""

    source: str
    records: list[Record]
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = UniqueNames()
        for record in self.records:
            record.name = as_text(record.name)
            if _UNREADABLE in record.name:
                self.remarks.append(f"{record.where}: what is no text in its name is shown as {_UNREADABLE}")
            if record.reference is not None:
                record.reference = as_text(record.reference)
            record.name = names.unique(record.name)
        examine(self.records)
        for record in self.records:
            settle_electrons(record)

    @property
    def good(self) -> list[Record]:
        """The records without a problem."""
        return [record for record in self.records if record.problem is None]

    @property
    def problems(self) -> list[str]:
        """One sentence for each broken record, in order."""
        return [record.problem for record in self.records if record.problem is not None]

    @property
    def notes(self) -> list[str]:
        """Sentences on what was ignored: lines between molecules, cells, values that are no columns."""
        return self.remarks + self._assembled[1]

    @property
    def templates(self) -> dict[str, Any]:
        """RDKit molecules with the source's own bonds, by name, broken ones too; for `write_sdf`."""
        return {record.name: record.template for record in self.records if record.template is not None}

    @property
    def carried(self) -> dict[str, Carried]:
        """What the source said of each molecule, by name, for the writers: it comes out as it went in."""
        return {record.name: Carried(record.info, record.arrays, record.units, record.texts) for record in self.records}

    def structures(self) -> Structures:
        """The good records as `Structures`: values as columns, names as ids, charges and unpaired electrons where stated.

        A column has a row for each molecule: NaN or an empty text where the source gave no value.
        """
        return self._assembled[0]

    @cached_property
    def _assembled(self) -> tuple[Structures, list[str]]:
        good = self.good
        structures = _joined(good)
        columns, notes = columns_of(good, self.source)
        for name, unit in ELECTRONIC.items():
            stated = [getattr(record, name) for record in good]
            if all(value is None for value in stated):
                continue
            if name in columns:
                notes.append(f"{self.source}: '{name}' is given per molecule and per atom: the values per atom are left out")
            columns[name] = Column(np.array([value or 0 for value in stated], np.int64), unit)
        references = [record.reference or record.name for record in good]
        structures.references = as_names(references)
        return structures.with_columns(columns), notes


@dataclass(frozen=True)
class Carried:
    """Values that travel with a molecule from its source to where it is written; see `Record`."""

    info: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def without(self, unwanted: Callable[[str], bool]) -> Carried:
        """What is left without the values of these names."""
        return Carried(
            {name: value for name, value in self.info.items() if not unwanted(name)},
            {name: value for name, value in self.arrays.items() if not unwanted(name)},
            self.units,
            self.texts,
        )


def file_problem(source: str, stem: str, reason: str) -> Reading:
    """The reading of a source from which no molecule can be had: one record that says why."""
    return Reading(source, [Record(stem, 0, source, problem=f"{source}: {reason}")])


def atomic_number(token: str) -> int:
    """Atomic number of a symbol in any case, a label (C1), an isotope (D, T) or a number; 0 if it is none."""
    number = _NUMBERS.get(token.lower())
    if number is None and token.isdecimal() and 0 < int(token) < len(SYMBOLS):
        number = int(token)
    if number is None and (label := _LABEL.match(token)):
        number = _NUMBERS.get(label[1].lower())
    return number or 0


def examine(records: Sequence[Record]) -> None:
    """Mark records whose atoms cannot be a molecule: none, no element, coordinates that are not finite, coinciding atoms."""
    whole = []
    for record in records:
        if record.problem is not None:
            continue
        if record.numbers is None or record.positions is None or not len(record.numbers):
            record.fail("it has no atoms")
        elif (unknown := np.flatnonzero((record.numbers == 0) | (record.numbers >= len(SYMBOLS)))).size:
            record.fail(f"atom {unknown[0] + 1} is of no element (atomic number {record.numbers[unknown[0]]})")
        elif (lost := np.flatnonzero(~np.isfinite(record.positions).all(axis=1))).size:
            point = " ".join(f"{x:g}" for x in record.positions[lost[0]])
            others = f" and {lost.size - 1} more" if lost.size > 1 else ""
            record.fail(f"the coordinates of atom {lost[0] + 1} are not finite ({point}){others}")
        else:
            whole.append(record)
    for record, closest in zip(whole, closest_contacts(_joined(whole)), strict=True):
        if closest < COINCIDING:
            assert record.positions is not None
            if not np.ptp(record.positions, axis=0).any():
                record.fail("it has no coordinates: all atoms are at one point")
            else:
                i, j = _nearest_pair(record.positions)
                record.fail(f"atoms {i + 1} and {j + 1} coincide ({closest:.4f} Å apart)")


def _nearest_pair(positions: NDArray[np.float64]) -> tuple[int, int]:
    """The nearest two atoms i < j."""
    from scipy.spatial import cKDTree  # slow to import, and good records do without

    distances, neighbours = cKDTree(positions).query(positions, k=2)
    i, j = sorted(neighbours[int(distances[:, 1].argmin())].tolist())  # of coinciding atoms, two that may both be others
    return i, j


def settle_electrons(record: Record) -> None:
    """Charge and unpaired electrons of a good record from its values, where its reader has not found them; or its problem."""
    if record.problem is not None or record.numbers is None:
        return
    try:
        loosely = record.template is None  # whoever states bonds states charges with them; other values may mean anything
        if record.charge is None:
            record.charge = electronic.charge_of(record.info, record.arrays, loosely)
        if record.unpaired is None:
            record.unpaired = electronic.unpaired_of(record.info, loosely)
        electronic.check(record.numbers, record.charge, record.unpaired)
    except electronic.ElectronsProblem as problem:
        record.fail(str(problem))


def as_text(name: str) -> str:
    """A name without what no UTF-8 text can hold (lone surrogates) or no name should (NUL)."""
    if name.isprintable():
        return name
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", _UNREADABLE)


def _joined(records: Sequence[Record]) -> Structures:
    numbers = [r.numbers for r in records if r.numbers is not None]
    positions = [r.positions for r in records if r.positions is not None]
    names = as_names([record.name for record in records])
    return Structures(
        numbers=np.concatenate([*numbers, np.empty(0, np.uint8)]).astype(np.uint8),
        positions=np.concatenate([*positions, np.empty((0, 3))]),
        offsets=offsets_of([len(z) for z in numbers]),
        ids=names,
        references=names.copy(),
    )
