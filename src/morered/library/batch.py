"""Relaxes one batch of a library, and makes the texts that are appended to its files.

The texts depend on the molecules and the method alone, not on the process, the time or the neighbours: an interrupted run that
goes on gives the same bytes as one that was left alone.

Shapes: M molecules.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from morered.escaping import cell
from morered.formats import Reading, Record
from morered.formats.xyz import extxyz_frames
from morered.inputs import Inputs, Supplements, supply
from morered.items import Item
from morered.relaxation.codes import Code
from morered.relaxation.result import Result
from morered.relaxation.stages import relax_stages
from morered.relaxation.verdicts.columns import COLUMNS, OF_METHODS
from morered.relaxation.verdicts.familiarity import is_noted
from morered.relaxation.verdicts.judge import judge
from morered.settings.relaxation import Method
from morered.structures import Structures

#: What differs from run to run, and is in no file of a library.
_TIMES = ("seconds",)
#: Columns of the table.
TABLE = ("name", "n_atoms", *(name for name in COLUMNS[:-1] if name not in _TIMES), *OF_METHODS, "reason")

Format = Literal["sdf", "extxyz"]


@dataclass(frozen=True)
class Texts:
    """What one batch adds to the files, and what is to be said of it.

    Attributes
    ----------
    molecules, table
        Text of the molecules that have atoms, and lines of the table without its head.
    verdicts
        Verdict -> number of molecules.
    others
        (name, verdict, reason) of each that did not converge.
    problems
        Sentences on molecules that could not be read.
    strange
        Names of those of a size that the model has never seen.
    """

    molecules: str
    table: str
    verdicts: dict[str, int]
    others: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


class BatchInterrupted(KeyboardInterrupt):
    """Ctrl-C during a batch, of which nothing is kept."""


@dataclass(frozen=True)
class Relaxing:
    """Relaxes a batch; a task of `morered.parallel`.

    Attributes
    ----------
    stages
        Methods one after another, see `morered.relaxation.stages.relax_stages`.
    format
        Of the molecules.
    seed
        Of embedding and noise.
    supplements
        What is said of all molecules.
    device
        Where networks run.
    """

    stages: tuple[Method, ...]
    format: Format
    seed: int = 0
    supplements: Supplements = field(default_factory=Supplements)
    device: str = "cpu"

    def __call__(self, batch: Sequence[Item]) -> Texts:
        """Relax the molecules of a batch, in this process.

        Raises
        ------
        BatchInterrupted
            On Ctrl-C.
        """
        given = self._inputs([item.record(self.seed) for item in batch])
        done = relax_stages(given.structures, self.stages, seed=self.seed, device=self.device, workers=1)
        if done.interrupted:
            raise BatchInterrupted
        return self._texts(given, given.complete(done.structures))

    def lost(self, item: Item, reason: str) -> Texts:
        """What is said of a molecule whose process was lost: it failed, and keeps the coordinates that its source gives."""
        record = Record(item.name, item.index, item.source) if isinstance(item.content, str) else item.record()
        numbers, positions = record.numbers, record.positions
        if numbers is None or positions is None or len(numbers) != len(positions):
            numbers, positions = np.empty(0, np.uint8), np.empty((0, 3))
        structures = Structures.build([numbers], [positions], [record.name])
        result = Result.begin(structures)
        result.code[:], result.reasons = int(Code.FAILED), [reason]
        return self._texts(self._inputs([record]), judge(structures, result, positions_matter=False).structures)

    def _inputs(self, records: list[Record]) -> Inputs:
        supply(records, self.supplements, self.seed)
        return Inputs(Reading(records[0].source if records else "", records), [])

    def _texts(self, given: Inputs, everything: Structures) -> Texts:
        kept = {name: column for name, column in everything.columns.items() if name not in _TIMES}
        everything = everything.without_columns().with_columns(kept)
        verdicts, reasons = ([text.decode() for text in everything.column(name).tolist()] for name in ("verdict", "reason"))
        told = list(zip(everything.names, verdicts, reasons, strict=True))
        return Texts(
            self._molecules(given, everything),
            _rows(everything),
            dict(Counter(verdicts)),
            [one for one in told if one[1] != "converged"],
            given.problems,
            [name for name, _, reason in told if is_noted(reason)],
        )

    def _molecules(self, given: Inputs, everything: Structures) -> str:
        whole = everything[everything.sizes > 0]
        carried = given.carried(everything)
        if self.format == "extxyz":
            return "".join(extxyz_frames(whole, carried=carried))
        from morered.formats.sdf import sdf_records

        return "".join(sdf_records(whole, given.templates(whole), True, True, carried))


def _rows(everything: Structures) -> str:
    """A line of the table for each molecule, as `morered.metrics.tables.write_table` writes them."""
    columns: list[list[Any]] = [[cell(name) for name in everything.names], everything.sizes.tolist()]
    for name in TABLE[2:]:
        there = everything.columns.get(name)
        columns.append([""] * len(everything) if there is None else [_shown(value) for value in there.values.tolist()])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return cell(value.decode())
    return "" if value != value else value


def head() -> str:
    """The first line of the table."""
    return ",".join(TABLE) + "\n"
