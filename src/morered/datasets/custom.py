"""Molecules of your own: a file of minima, of structures to be relaxed, or of SMILES.

From SMILES: conformers by RDKit, each relaxed with the calculator named, duplicates removed. From extended xyz, SDF or an ASE
database: the structures as they are (``relax_with: null``) or relaxed. A molecule of which nothing can be made is listed with
its reason, the others go on. The minima are then split and displaced as those of any dataset.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from morered import formats, resumable, storage
from morered.datasets import splits
from morered.datasets.builder import BuildError, generator
from morered.datasets.duplicates import ENERGY_THRESHOLD, RMSD_THRESHOLD, duplicates
from morered.datasets.graphs import graphs, perceive
from morered.datasets.smiles import conformers, graph_of, parse, read_smiles
from morered.metrics.rmsd import superpose
from morered.parallel import Progress
from morered.relaxation.downhill.one_molecule import relax_one
from morered.relaxation.result import Result
from morered.resumable import Built
from morered.structures import Column, Structures

#: Of the minima; raise it when a result changes, so that pieces of the former version are not continued.
VERSION = 1


@dataclass(frozen=True)
class Making:
    """How minima are made of what a file holds.

    Attributes
    ----------
    relax_with, options
        Calculator and its options; None takes the structures for minima.
    fmax, steps
        Largest force at a minimum in eV/Å, and cap on the steps.
    conformers
        Tried for each SMILES.
    rmsd_threshold, energy_threshold
        Å and eV, below which two minima of a molecule are the same; see `morered.datasets.duplicates`.

    Raises
    ------
    ValueError
        If a number is not positive.
    """

    relax_with: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    fmax: float = 1.0e-3
    steps: int = 1000
    conformers: int = 10
    rmsd_threshold: float = RMSD_THRESHOLD
    energy_threshold: float = ENERGY_THRESHOLD

    def __post_init__(self) -> None:
        for name in ("fmax", "steps", "conformers", "rmsd_threshold", "energy_threshold"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")


@dataclass(frozen=True)
class Source:
    """What a file holds.

    Attributes
    ----------
    names
        Of the good molecules, with the dataset's name before a slash.
    molecules
        Their SMILES, or the structures.
    failures
        Name -> problem of the others, in sentences that name file and molecule.
    """

    names: list[str]
    molecules: Structures | list[str]
    failures: dict[str, str]

    @property
    def is_smiles(self) -> bool:
        """Whether there are SMILES instead of structures."""
        return not isinstance(self.molecules, Structures)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Minima:
    """A finished set of minima.

    Attributes
    ----------
    structures
        With the column ``graph``, and ``relaxation_energy`` (eV) and ``fmax`` (eV/Å) where they were relaxed.
    failures
        Name -> reason.
    removed
        Ids of the duplicates that were removed.
    """

    structures: Structures
    failures: dict[str, str]
    removed: list[str]


def read(file: str | os.PathLike[str], dataset: str) -> Source:
    """Read a file of minima, structures or SMILES; the ending decides.

    Parameters
    ----------
    file
        ``.smi`` or ``.smiles``, or what `morered.formats.read` knows.
    dataset
        Goes before the names: ids are ``<dataset>/<name>``.

    Raises
    ------
    ValueError
        If no molecule of the file is good; the message says what is wrong with the first ones.
    """
    if formats.format_of(file) == "smiles":
        entries = read_smiles(file)
        good = [entry for entry in entries if entry.problem is None]
        failures = {f"{dataset}/{entry.name}": entry.problem for entry in entries if entry.problem is not None}
        source = Source([f"{dataset}/{entry.name}" for entry in good], [entry.smiles for entry in good], failures)
    else:
        reading = formats.read(file)
        numbers, positions, names = [], [], []
        failures = {}
        for record in reading.records:
            if record.problem is None and record.charge:
                record.fail(f"it has the charge {record.charge:+d}; only neutral molecules are dealt with")
            if record.problem is None and record.unpaired:
                record.fail(f"it has {record.unpaired} unpaired electrons; only closed shells are dealt with")
            if record.problem is not None:
                failures[f"{dataset}/{record.name}"] = record.problem
        for record in reading.good:
            assert record.numbers is not None
            assert record.positions is not None
            numbers.append(record.numbers)
            positions.append(record.positions)
            names.append(f"{dataset}/{record.name}")
        source = Source(names, Structures.build(numbers, positions, names), failures)
    if not len(source):
        raise ValueError(f"{file}: no molecule in it can be used: " + "; ".join(list(failures.values())[:3]))
    return source


def make_minima(
    source: Source,
    settings: Making,
    *,
    seed: int = 0,
    chunk: tuple[int, int] = (0, 1),
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Built:
    """Minima of the molecules of a source, or of one chunk of them; `finish` what all chunks gave together.

    Parameters
    ----------
    source
        From `read`.
    settings
        How.
    seed
        Of the conformers.
    chunk
        Which of how many; the first one also lists what could not be read.
    folder, workers, timeout, progress
        See `morered.resumable.build`. Molecules of unknown origin are best done in workers: quantum chemistry may hang or
        crash.

    Returns
    -------
    Built
        Structures ``<dataset>/<name>``, or ``<dataset>/<name>-c1``, ... (lowest energy first) from SMILES.

    Raises
    ------
    ValueError
        If there are SMILES and no calculator to relax them with.
    """
    if source.is_smiles and settings.relax_with is None:
        raise ValueError("conformers of SMILES are no minima: relax_with must name a calculator")
    part = resumable.chunk(len(source), *chunk)
    function = (
        partial(_from_smiles, settings=settings, seed=seed) if source.is_smiles else partial(_from_structure, settings=settings)
    )
    items: Any = (
        source.molecules[part]
        if isinstance(source.molecules, Structures)
        else list(zip(source.names, source.molecules, strict=True))[part]
    )
    built = resumable.build(
        items,
        function,
        names=source.names[part],
        key=["custom minima", asdict(settings), seed],
        version=VERSION,
        folder=folder,
        workers=workers,
        timeout=timeout,
        progress=progress,
    )
    return Built(built.structures, {**(source.failures if chunk[0] == 0 else {}), **built.failures})


def finish(parts: Sequence[Built], settings: Making) -> Minima:
    """Join the chunks, name the molecular graphs and remove duplicates (the first one stays).

    Raises
    ------
    ValueError
        If there is no minimum at all.
    """
    built = Built.concatenate(list(parts))
    if not len(built.structures):
        raise ValueError(
            "there is no minimum: " + "; ".join(f"{name}: {reason}" for name, reason in list(built.failures.items())[:3])
        )
    names = graphs(built.structures)
    energies = built.structures.column("relaxation_energy") if "relaxation_energy" in built.structures.columns else None
    repeated = duplicates(built.structures, names, energies, settings.rmsd_threshold, settings.energy_threshold)
    kept = np.flatnonzero(~repeated)
    graph = Column(np.array([names[m].encode() for m in kept]))
    structures = built.structures[kept].with_columns({"graph": graph})
    removed = [built.structures.ids[m].decode() for m in np.flatnonzero(repeated)]
    return Minima(structures, built.failures, removed)


def prepare(
    parts: Sequence[str | os.PathLike[str]],
    minima_out: str | os.PathLike[str],
    split_out: str | os.PathLike[str],
    *,
    train: int,
    validation: int,
    seed: int = 0,
    settings: Making | None = None,
) -> Minima:
    """Write the minima of the files of all chunks (`morered.resumable.save`), and their split by molecular graph.

    The provenance names the failures and the duplicates that were removed.

    Raises
    ------
    ValueError
        If there is no minimum, or there are too few graphs for the split.
    """
    minima = finish([resumable.load(path) for path in parts], settings or Making())
    graph_names = [name.decode() for name in minima.structures.column("graph").tolist()]
    parts_of = splits.make(minima.structures.names, graph_names, train=train, validation=validation, seed=seed)
    splits.save(split_out, parts_of)
    made_by = storage.provenance(prepare, parents=parts, failures=minima.failures, duplicates=minima.removed)
    storage.write(minima_out, minima.structures, made_by)
    return minima


# --------------------------------------------------------------------- one molecule


def _from_structure(structure: Structures, settings: Making) -> Structures:
    if settings.relax_with is None:
        return structure
    relaxed = _relaxed(structure.numbers, structure.positions, settings)
    before = perceive(structure.numbers, structure.positions)[0]
    if perceive(structure.numbers, relaxed.positions)[0] != before:
        raise BuildError(f"its relaxation with {settings.relax_with} changed its bonds")
    moved = structure.with_positions(superpose(relaxed.positions, structure.positions))
    return _with_results(moved, [relaxed])


def _from_smiles(entry: tuple[str, str], settings: Making, seed: int) -> Structures:
    name, smiles = entry
    drawn = graph_of(parse(smiles))
    start = int(generator(seed, name, "conformers").integers(2**31))
    numbers, geometries = conformers(smiles, settings.conformers, start)
    relaxed: list[Result] = []
    problems: list[str] = []
    for positions in geometries:
        try:
            one = _relaxed(numbers, positions, settings)
        except BuildError as error:
            problems.append(str(error))
            continue
        if perceive(numbers, one.positions)[0] != drawn:
            problems.append(f"its relaxation with {settings.relax_with} does not keep the bonds of {smiles}")
            continue
        relaxed.append(one)
    if not relaxed:
        raise BuildError(f"none of its {len(geometries)} conformers gave a minimum: {problems[0]}")
    relaxed.sort(key=_energy)
    structures = Structures.build([numbers] * len(relaxed), [one.positions for one in relaxed], [name] * len(relaxed)).centred()
    energies = np.array([_energy(one) for one in relaxed])
    repeated = duplicates(structures, [drawn] * len(relaxed), energies, settings.rmsd_threshold, settings.energy_threshold)
    kept = np.flatnonzero(~repeated)
    unique = structures[kept]
    named = Structures.build(
        [m.numbers for m in unique], [m.positions for m in unique], [f"{name}-c{k}" for k in range(1, len(kept) + 1)]
    )
    return _with_results(named, [relaxed[m] for m in kept])


def _relaxed(numbers: Any, positions: Any, settings: Making) -> Result:
    """The minimum; a BuildError says why there is none."""
    assert settings.relax_with is not None
    options = dict(settings.options)
    if settings.relax_with == "mmff94":
        options.setdefault("variant", "rdkit")  # the paper's stops before it is at a minimum
    one = relax_one(numbers, positions, program=settings.relax_with, fmax=settings.fmax, steps=settings.steps, **options)
    if one.verdicts != ["converged"]:
        raise BuildError(f"no minimum by {settings.relax_with}: {one.reasons[0]}")
    return one


def _energy(one: Result) -> float:
    return float(one.structures.column("energy")[0])


def _with_results(structures: Structures, relaxed: Sequence[Result]) -> Structures:
    return structures.with_columns(
        {
            "relaxation_energy": Column(np.array([_energy(one) for one in relaxed]), "eV"),
            "fmax": Column(np.array([one.values("last_fmax")[0] for one in relaxed]), "eV/Å"),
        }
    )
