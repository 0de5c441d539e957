"""Gathers molecules from files, standard input and SMILES in one list, and refuses those that cannot be read.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from morered import formats
from morered.checks.known import with_stated_bonds
from morered.formats import Carried, Reading, Record
from morered.formats.electronic import ElectronsProblem, check
from morered.formats.sources import STDIN, SourceProblem, label_of, require_file
from morered.frozen import FreezeProblem, chosen_atoms, with_frozen
from morered.items import embedded, of_source
from morered.properties import is_of_geometry
from morered.relaxation.codes import Code
from morered.relaxation.result import Result
from morered.relaxation.verdicts.geometry import without_stale
from morered.relaxation.verdicts.judge import judge
from morered.structures import ELECTRONIC, Column, Structures, missing


@dataclass(frozen=True)
class Inputs:
    """Everything that was given, in order: good molecules, and broken ones with a problem each."""

    reading: Reading
    notes: list[str]

    @cached_property
    def structures(self) -> Structures:
        """The good molecules with the bonds that their source states, and frozen atoms; the rest stays in the records."""
        return with_statements(self.reading.structures().without_columns(), self.reading.good)

    @property
    def problems(self) -> list[str]:
        """One sentence for each broken molecule."""
        return self.reading.problems

    def complete(self, relaxed: Structures) -> Structures:
        """All molecules in the order given, see `complete`."""
        return complete(self.reading.records, relaxed)

    def carried(self, results: Structures) -> dict[str, Carried]:
        """What was said of each molecule, for the writers; of a moved one without what belongs to its old geometry.

        ``results`` are those of `complete`.
        """
        kept = self.reading.carried
        moved = {name for name, there in zip(results.names, self._moved(results).tolist(), strict=True) if there}
        return {name: values.without(is_of_geometry) if name in moved else values for name, values in kept.items()}

    def templates(self, results: Structures) -> dict[str, Any]:
        """Molecules with the bonds of their source, for `formats.write_sdf`; none of one that became another molecule.

        ``results`` are those of `complete`. The bonds of a molecule that changed come from its coordinates.
        """
        pairs = zip(results.names, results.column("bonds_kept").tolist(), results.column("verdict").tolist(), strict=True)
        changed = {name for name, kept, verdict in pairs if kept == 0 and verdict == b"changed"}
        return {name: template for name, template in self.reading.templates.items() if name not in changed}

    def with_columns(self, results: Structures) -> Structures:
        """``results`` of `complete` with what came with the molecules as columns, for formats that hold nothing else."""
        own = self.reading.structures()
        columns = {name: column for name, column in own.columns.items() if name not in ELECTRONIC}
        blank = results.without_columns()
        index = blank.index_of(own.ids) if len(own) else np.empty(0, np.int64)
        atoms = np.concatenate([np.empty(0, np.int64), *(np.arange(*blank.offsets[m : m + 2]) for m in index.tolist())])
        spread = {}
        for name, column in columns.items():
            values = missing(column, blank).values
            if values.dtype.kind in "biu" and len(own) < len(blank):
                values = np.full(values.shape, np.nan)
            values[atoms if column.per_atom else index] = column.values
            spread[name] = column._replace(values=values)
        merged = without_stale(blank.with_columns(spread), self._moved(results))
        for name in ("energy", "forces"):  # a method's stand above the source's, where it has them
            if name in results.columns and name in merged.columns and _alike(results.columns[name], merged.columns[name]):
                values = results.column(name)
                values = np.where(np.isnan(values), merged.column(name), values)
                results = results.with_columns({name: results.columns[name]._replace(values=values)})
        return merged.with_columns(results.columns)

    def _moved(self, results: Structures) -> np.ndarray:
        """Which molecules of `complete` are not where they were given, [M]."""
        given = {record.name: record.positions for record in self.reading.records}
        return np.array(
            [
                (start := given.get(molecule.id)) is None or not np.array_equal(start, molecule.positions, equal_nan=True)
                for molecule in results
            ],
            dtype=bool,
        )


@dataclass(frozen=True)
class Supplements:
    """What a call says of all molecules beyond their sources.

    Attributes
    ----------
    charge, unpaired
        Total charge in e and unpaired electrons of molecules that state none; one that states another is broken.
    freeze
        Atoms that keep their places (`morered.frozen.chosen_atoms`).
    add_hydrogens, embed
        See `morered.mending.mend`.
    """

    charge: int | None = None
    unpaired: int | None = None
    freeze: str | None = None
    add_hydrogens: bool = False
    embed: bool = False


def supply(records: Sequence[Record], supplements: Supplements, seed: int = 0) -> list[str]:
    """Complete records, in place, by what is said of all of them; sentences on what was left out on the way."""
    notes: list[str] = []
    if supplements.add_hydrogens or supplements.embed:
        from morered.mending import mend

        notes = mend(records, add_hydrogens=supplements.add_hydrogens, embed=supplements.embed, seed=seed)
    set_electrons(records, supplements.charge, supplements.unpaired)
    set_frozen(records, supplements.freeze)
    return notes


def gather(
    sources: Sequence[str],
    smiles: Sequence[str] = (),
    format: str | None = None,
    seed: int = 0,
    max_unpacked: int = formats.MAX_UNPACKED,
    supplements: Supplements | None = None,
) -> Inputs:
    """Read all sources ("-" is standard input) and embed all SMILES; names are made unique over all of them.

    ``format`` and ``max_unpacked`` are those of `morered.formats.read`, ``seed`` that of the embedding.
    """
    readings = [_read(source, format, seed, max_unpacked) for source in sources]
    if smiles:
        readings.append(Reading("SMILES", [embedded(text, index, seed) for index, text in enumerate(smiles)]))
    records = [record for reading in readings for record in reading.records]
    notes = supply(records, supplements or Supplements(), seed)
    notes = [*(note for reading in readings for note in reading.notes), *notes]
    return Inputs(readings[0] if len(readings) == 1 else Reading("all inputs", records), notes)


def absent(sources: Sequence[str]) -> list[str] | None:
    """A sentence on each source if none of them can be opened; None if one can, or is standard input."""
    problems = []
    for source in sources:
        if source == STDIN:
            return None
        try:
            require_file(source)
        except SourceProblem as problem:
            problems.append(f"{label_of(source)}: {problem}")
        else:
            return None
    return problems


def _read(source: str, format: str | None, seed: int, max_unpacked: int) -> Reading:
    """A source as `formats.read` reads it; the molecules of a list of SMILES are embedded."""
    if formats.kind_of(source, format) != "smiles":
        return formats.read(source, format, max_unpacked)
    remarks: list[str] = []
    records = [item.record(seed) for item in of_source(source, remarks, format)]
    return Reading(label_of(source), records, remarks)


def set_electrons(records: Sequence[Record], charge: int | None, unpaired: int | None) -> None:
    """Give good records that state none this charge and these unpaired electrons; one that states another is marked as broken."""
    for record in records:
        if record.problem is not None or record.numbers is None:
            continue
        for name, wanted in (("charge", charge), ("unpaired", unpaired)):
            stated = getattr(record, name)
            if wanted is not None and stated is not None and stated != wanted:
                record.fail(f"its source says {name} {stated:+d}, --{name} says {wanted:+d}")
            elif wanted is not None:
                setattr(record, name, wanted)
        try:
            check(record.numbers, record.charge, record.unpaired)
        except ElectronsProblem as problem:
            record.fail(str(problem))


def set_frozen(records: Sequence[Record], freeze: str | None) -> None:
    """Freeze atoms of good records: those that ASE's column ``move_mask`` holds, and those that ``freeze`` names.

    One in which they cannot be found is marked as broken.
    """
    for record in records:
        if record.problem is not None or record.numbers is None:
            continue
        held = np.zeros(len(record.numbers), bool) if record.frozen is None else record.frozen
        movable = record.arrays.get("move_mask")
        if movable is not None:
            if not np.isin(movable, (0, 1)).all():
                record.fail("its move_mask holds something else than 0 and 1, or F and T")
                continue
            movable = movable.astype(bool)
            if movable.ndim > 1 and (movable.any(axis=1) != movable.all(axis=1)).any():
                record.fail("its move_mask holds single coordinates of atoms, which cannot be honoured: only whole atoms can")
                continue
            held = held | ~movable.reshape(len(held), -1).all(axis=1)
        try:
            if freeze is not None:
                held = held | chosen_atoms(freeze, len(held), record.template)
        except FreezeProblem as problem:
            record.fail(str(problem))
            continue
        record.frozen = held if held.any() else None


def with_statements(structures: Structures, good: Sequence[Record]) -> Structures:
    """The molecules of good records with the bonds that their sources state, and with their frozen atoms."""
    structures = with_stated_bonds(structures, {record.name: record.template for record in good if record.template is not None})
    if all(record.frozen is None for record in good):
        return structures
    none = [np.zeros(n, bool) for n in structures.sizes.tolist()]
    frozen = [blank if record.frozen is None else record.frozen for blank, record in zip(none, good, strict=True)]
    return with_frozen(structures, np.concatenate(frozen))


def complete(records: Sequence[Record], relaxed: Structures) -> Structures:
    """All molecules in the order given: the relaxed ones, and the broken ones as refused, for the reason they are broken.

    A broken molecule keeps what atoms and coordinates could be read, maybe none.
    """
    broken = [record for record in records if record.problem is not None]
    if not broken:
        return relaxed
    verdicts = _refused(broken)
    columns = {name: verdicts.columns.get(name) or missing(column, verdicts) for name, column in relaxed.columns.items()}
    together = Structures.concatenate([relaxed, verdicts.without_columns().with_columns(columns)])
    good = iter(range(len(relaxed)))
    bad = iter(range(len(relaxed), len(together)))
    return together[[next(good) if record.problem is None else next(bad) for record in records]]


def _refused(broken: Sequence[Record]) -> Structures:
    numbers, positions = [], []
    for record in broken:
        z, x = record.numbers, record.positions
        readable = z is not None and x is not None and len(z) == len(x)
        numbers.append(z if readable and z is not None else np.empty(0, np.uint8))
        positions.append(x if readable and x is not None else np.empty((0, 3)))
    structures = Structures.build(numbers, positions, [record.name for record in broken])
    if any(record.charge or record.unpaired for record in broken):
        structures = structures.with_electrons([r.charge or 0 for r in broken], [r.unpaired or 0 for r in broken])
    result = Result.begin(structures)
    result.code[:] = int(Code.REFUSED)
    result.reasons = [record.problem for record in broken]
    return judge(structures, result, positions_matter=False).structures


def _alike(one: Column, other: Column) -> bool:
    return one.unit == other.unit and one.values.shape == other.values.shape and other.values.dtype.kind == "f"
