"""Molecules from files, standard input and SMILES in one list, and what becomes of those that cannot be relaxed at all.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from morered import formats
from morered.checks.known import with_stated_bonds
from morered.datasets.smiles import SmilesError, conformers, parse
from morered.formats import Reading, Record
from morered.relaxation.codes import Code
from morered.relaxation.verdicts import Outcome, judge
from morered.structures import Column, Structures


@dataclass(frozen=True)
class Intake:
    """Everything that was given, in order: good molecules, and broken ones with a problem each."""

    reading: Reading
    notes: list[str]

    @cached_property
    def structures(self) -> Structures:
        """The good molecules, with the values that came with them, and the bonds that their source states, as columns."""
        return with_stated_bonds(self.reading.structures(), self.reading.templates)

    @property
    def problems(self) -> list[str]:
        """One sentence for each broken molecule."""
        return self.reading.problems

    def complete(self, relaxed: Structures) -> Structures:
        """All molecules in the order given: the relaxed ones, and the broken ones as refused, for the reason they are broken.

        A broken molecule keeps what atoms and coordinates could be read, maybe none.
        """
        broken = [record for record in self.reading.records if record.problem is not None]
        if not broken:
            return relaxed
        verdicts = _refused(broken)
        columns = {name: verdicts.columns.get(name) or _missing(column, verdicts) for name, column in relaxed.columns.items()}
        together = Structures.concatenate([relaxed, verdicts.without_columns().with_columns(columns)])
        good = iter(range(len(relaxed)))
        bad = iter(range(len(relaxed), len(together)))
        return together[[next(good) if record.problem is None else next(bad) for record in self.reading.records]]


def gather(sources: Sequence[str], smiles: Sequence[str] = (), format: str | None = None, seed: int = 0) -> Intake:
    """Read all sources ("-" is standard input) and embed all SMILES; names are made unique over all of them."""
    readings = [formats.read(source, format) for source in sources]
    if smiles:
        readings.append(Reading("SMILES", [_embedded(text, index, seed) for index, text in enumerate(smiles)]))
    notes = [note for reading in readings for note in reading.notes]
    records = [record for reading in readings for record in reading.records]
    return Intake(readings[0] if len(readings) == 1 else Reading("all inputs", records), notes)


def _embedded(smiles: str, index: int, seed: int) -> Record:
    """A SMILES with one conformer, as unrelaxed as distance geometry makes it."""
    record = Record(smiles, index, "SMILES")
    try:
        numbers, positions = conformers(smiles, 1, seed)
        record.numbers, record.positions = np.asarray(numbers, np.uint8), positions[0]
        record.template = parse(smiles)  # in the order of the conformer's atoms
    except SmilesError as error:
        record.fail(str(error))
    return record


def _refused(broken: Sequence[Record]) -> Structures:
    numbers, positions = [], []
    for record in broken:
        z, x = record.numbers, record.positions
        readable = z is not None and x is not None and len(z) == len(x)
        numbers.append(z if readable and z is not None else np.empty(0, np.uint8))
        positions.append(x if readable and x is not None else np.empty((0, 3)))
    structures = Structures.build(numbers, positions, [record.name for record in broken])
    outcome = Outcome.empty(structures)
    outcome.code[:] = int(Code.REFUSED)
    outcome.reasons = [record.problem for record in broken]
    return judge(structures, outcome, positions_matter=False)


def _missing(column: Column, structures: Structures) -> Column:
    """A column of the same kind that has no value for these molecules: NaN, an empty text, zero."""
    values = np.zeros((structures.n_atoms if column.per_atom else len(structures), *column.values.shape[1:]), column.values.dtype)
    if np.issubdtype(values.dtype, np.floating):
        values[:] = np.nan
    return Column(values, column.unit, column.per_atom)
