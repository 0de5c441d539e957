"""Cuts files into molecules one after another, without reading more than a few at a time.

A list of SMILES and an SDF are cut into molecules without being read, which is left to whoever relaxes them; xyz is read here. No
more than a few molecules are in memory. Files of other formats are read as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from morered import formats
from morered.formats import Record
from morered.formats.records import as_text
from morered.formats.smiles import smiles_lines
from morered.formats.sources import STDIN, SourceProblem, label_of, stem_of, stream_lines
from morered.formats.xyz import XyzParser
from morered.unique_names import UniqueNames

#: Formats that are read molecule by molecule.
STREAMED = ("smiles", "sdf", "extxyz")

_MAX_LINES = 2_000_000  # of one molecule


@dataclass(frozen=True)
class Item:
    """One molecule of a source: where it stands, a name that no other has, and its SMILES, its lines of an SDF, or its record."""

    source: str
    index: int
    name: str
    content: str | list[str] | Record

    def record(self, seed: int = 0) -> Record:
        """The molecule itself, good or broken; of a SMILES a conformer embedded with this seed."""
        if isinstance(self.content, Record):
            record = self.content
        elif isinstance(self.content, str):
            record = embedded(self.content, self.index, seed, self.name, self.source)
        else:
            from morered.formats.sdf import read_block

            record = read_block(self.content, self.source, stem_of(self.source), self.index)
        record.name = self.name
        return record


def embedded(smiles: str, index: int, seed: int, name: str | None = None, source: str = "SMILES") -> Record:
    """A SMILES with one conformer, as unrelaxed as distance geometry makes it, and with its bonds and charge.

    It is called after its SMILES unless it has a ``name``; then its SMILES stands among its values.
    """
    from morered.datasets.smiles import SmilesError, conformers, drawing  # RDKit, which few inputs need

    record = Record(name or smiles, index, source)
    if name is not None:
        record.info["smiles"] = record.texts["smiles"] = smiles
    try:
        numbers, positions = conformers(smiles, 1, seed, ions=True)
        record.numbers, record.positions = np.asarray(numbers, np.uint8), positions[0]
        record.template, record.charge, record.unpaired = drawing(smiles)
    except SmilesError as error:
        several = str(error).endswith(" molecules")
        record.fail(
            f"{error}; morered relax --conformers 1 takes it, and with --desalt its largest one" if several else str(error)
        )
    return record


def items(
    sources: Sequence[str], smiles: Iterable[str] = (), format: str | None = None, remarks: list[str] | None = None
) -> Iterator[Item]:
    """The molecules of all sources, then the SMILES, in order; each has a name of its own.

    A source that cannot be read, or not to its end, gives a broken one that says so.

    Parameters
    ----------
    sources
        Files; "-" is standard input.
    smiles
        Molecules as SMILES.
    format
        As for `morered.formats.read`.
    remarks
        Takes up sentences on what was ignored in a source, once it has been read.
    """
    remarks = [] if remarks is None else remarks
    names = UniqueNames()
    for source in sources:
        for item in of_source(source, remarks, format):
            yield Item(item.source, item.index, names.unique(item.name), item.content)
    for index, text in enumerate(smiles):
        yield Item("SMILES", index, names.unique(text), text)


def of_source(source: str, remarks: list[str], format: str | None = None) -> Iterator[Item]:
    """The molecules of one source, under the names that they have there."""
    label, stem = label_of(source), stem_of(source)
    kind = formats.kind_of(source, format)
    count = 0
    try:
        if kind not in STREAMED or (source == STDIN and kind != "smiles"):
            reading = formats.read(source, format)
            remarks += reading.remarks
            for record in reading.records:
                yield Item(label, record.index, record.name, record)
            return
        for item in _streamed(source, kind, label, stem, remarks):
            count += 1
            yield item
        if not count:
            raise SourceProblem("holds no molecule")
    except SourceProblem as problem:
        rest = "" if not count else f" after {count} molecules"
        broken = Record(stem if not count else f"{stem}/rest", count, label, problem=f"{label}{rest}: {problem}")
        yield Item(label, count, broken.name, broken)


def _streamed(source: str, kind: str, label: str, stem: str, remarks: list[str]) -> Iterator[Item]:
    lines = stream_lines(source)
    if kind == "smiles":
        for index, line in enumerate(smiles_lines(lines)):
            yield Item(label, index, as_text(line.name or f"{stem}/{index + 1}"), line.smiles)
    elif kind == "sdf":
        from morered.formats.sdf import name_of, sdf_blocks

        for index, block in enumerate(sdf_blocks(_modest(lines))):
            yield Item(label, index, as_text(name_of(block) or f"{stem}/{index + 1}"), block)
    else:
        parser = XyzParser(lines, label, stem)
        for record in parser.records():
            yield Item(label, record.index, as_text(record.name), record)
        remarks += parser.remarks()


def _modest(lines: Iterable[str]) -> Iterator[str]:
    """The lines of an SDF, whose molecules must end some day: without $$$$ all would be one."""
    since = 0
    for line in lines:
        since = 0 if line.startswith("$$$$") else since + 1
        if since > _MAX_LINES:
            raise SourceProblem(f"has a molecule of more than {_MAX_LINES} lines: the line $$$$ is missing")
        yield line


def counted(sources: Sequence[str], smiles: Sequence[str] = (), format: str | None = None) -> int:
    """How many molecules `items` will give, found by a quick look at the files: exactly, but where an xyz or SDF is broken."""
    return len(smiles) + sum(_count(source, formats.kind_of(source, format)) for source in sources)


def _count(source: str, kind: str | None) -> int:
    if source == STDIN or kind not in STREAMED or not os.path.isfile(source):
        return 0
    try:
        lines = stream_lines(source)
        if kind == "smiles":
            return sum(1 for _ in smiles_lines(lines))
        if kind == "sdf":
            count, open_since = 0, False
            for line in lines:
                ended = line.startswith("$$$$")
                count += ended
                open_since = not ended and (open_since or bool(line.strip()))
            return count + open_since
        count = 0
        for line in lines:
            if line.strip().isdecimal():
                count += 1
                for _, _ in zip(range(int(line) + 1), lines, strict=False):
                    pass
        return count
    except SourceProblem:
        return 0
