"""Searches conformers of molecules: it embeds them by ETKDGv3, relaxes them, removes duplicates and ranks the rest by an energy.

A molecule is taken as it is drawn, salts, charges, tautomer and stereochemistry included, unless it is asked for otherwise
(`Preparation`). Where its drawing leaves stereochemistry open, one isomer is taken, or all of them, each with conformers of its
own.

Shapes: M conformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import EnumerateStereoisomers, rdMolAlign
from rdkit.Chem.MolStandardize import rdMolStandardize

from morered import calculators
from morered.datasets.smiles import SmilesError, clean_up, embedded
from morered.formats import Record
from morered.inputs import complete, with_statements
from morered.relaxation.result import Result
from morered.relaxation.stages import relax_stages
from morered.settings.auto import AutoMethod
from morered.settings.relaxation import DiffusionMethod, Method
from morered.structures import Column, Structures, as_names
from morered.unique_names import UniqueNames
from morered.units import EV_PER_KCAL_MOL

#: Å. Conformers whose heavy atoms and polar hydrogens lie nearer than this are one, whichever equal atoms are exchanged.
SAME = 0.3
#: Isomers of one drawing, at most.
MAX_ISOMERS = 64
#: What the energy is taken from where neither the caller nor the method says.
LEVEL = "mmff94"

_MAX_MATCHES = 10_000  # ways of exchanging equal atoms that are tried


@dataclass(frozen=True)
class Preparation:
    """What is done to a drawing before it is embedded; nothing by default.

    Attributes
    ----------
    desalt
        Keep the largest organic fragment.
    neutralize
        Take away charges that protons make.
    canonical_tautomer
        Draw RDKit's canonical tautomer.
    enumerate_stereo
        All isomers that the drawing leaves open, in place of one of them.
    """

    desalt: bool = False
    neutralize: bool = False
    canonical_tautomer: bool = False
    enumerate_stereo: bool = False


@dataclass(frozen=True, eq=False)
class Isomer:
    """One molecule with its stereochemistry: name, SMILES, and the RDKit molecule with its hydrogens."""

    name: str
    smiles: str
    molecule: Chem.Mol


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What a search found.

    Attributes
    ----------
    conformers : Structures
        All M that were tried, isomer after isomer, with the columns of `morered.relaxation.verdicts.columns` and

            molecule          bytes            the isomer's name
            smiles            bytes            its SMILES
            rank              int32            from 1, by energy, of those that are kept; 0 for the others
            duplicate_of      bytes            the name of the conformer that it is a copy of
            relative_energy   float64 kcal/mol above the lowest conformer of the isomer, NaN where there is no energy
            ranking_energy    float64 eV       by ``energy_method``
            energy_method     bytes            the level of theory, empty where it gave no energy

    templates : dict
        RDKit molecules with the bonds, by name of the conformer.
    notes : list
        Sentences on what was chosen.
    result : Result
        Their relaxation: those of ``conformers`` that could be embedded.
    """

    conformers: Structures
    templates: dict[str, Chem.Mol]
    notes: list[str]
    result: Result

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.result.interrupted

    @property
    def kept(self) -> NDArray[np.int64]:
        """Those that are kept, by isomer and rank."""
        rank, isomers = self.conformers.column("rank"), self.conformers.column("molecule")
        first = {name: k for k, name in reversed(list(enumerate(isomers.tolist())))}
        place = np.array([first[name] for name in isomers.tolist()], np.int64)
        order = np.lexsort((rank, place))
        return order[rank[order] > 0]

    def molecules(self, isomers: Sequence[Isomer]) -> list[Chem.Mol]:
        """Each isomer with the conformers that are kept, the lowest first.

        A conformer has the properties ``rank``, ``relative_energy`` (kcal/mol), ``energy_method`` and ``name``; the molecule
        ``smiles`` and its name.
        """
        made = {}
        for isomer in isomers:
            made[isomer.name.encode()] = molecule = Chem.Mol(isomer.molecule)
            molecule.SetProp("_Name", isomer.name)
            molecule.SetProp("smiles", isomer.smiles)
        for m in self.kept.tolist():
            found = self.conformers.molecule(m)
            conformer = Chem.Conformer(len(found.numbers))
            conformer.SetPositions(np.ascontiguousarray(found.positions, np.float64))
            conformer.SetProp("name", found.id)
            conformer.SetIntProp("rank", int(self.conformers.column("rank")[m]))
            conformer.SetDoubleProp("relative_energy", float(self.conformers.column("relative_energy")[m]))
            conformer.SetProp("energy_method", self.conformers.column("energy_method")[m].decode())
            made[self.conformers.column("molecule")[m]].AddConformer(conformer, assignId=True)
        return list(made.values())


def isomers(molecule: Chem.Mol, name: str, preparation: Preparation) -> tuple[list[Isomer], list[str]]:
    """The molecules that a drawing stands for, and what was chosen of what it leaves open.

    Parameters
    ----------
    molecule
        The drawing, with or without hydrogens; conformers are not looked at.
    name
        Its name; of several isomers each gets a number behind it.
    preparation
        What is done to it.

    Raises
    ------
    SmilesError
        If RDKit cannot prepare it.
    """
    notes: list[str] = []
    with rdBase.BlockLogs():
        try:
            bare = Chem.RemoveHs(molecule)
            if preparation.desalt:
                bare = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(bare)
            if preparation.neutralize:
                bare = rdMolStandardize.Uncharger().uncharge(bare)
            if preparation.canonical_tautomer:
                bare = rdMolStandardize.TautomerEnumerator().Canonicalize(bare)
            options = EnumerateStereoisomers.StereoEnumerationOptions(onlyUnassigned=True, unique=True, maxIsomers=MAX_ISOMERS)
            found = sorted(EnumerateStereoisomers.EnumerateStereoisomers(bare, options=options), key=Chem.MolToSmiles)
        except (RuntimeError, ValueError) as error:
            raise SmilesError(f"RDKit cannot prepare it: {error}") from None
    if len(found) > 1 and not preparation.enumerate_stereo:
        smiles = Chem.MolToSmiles(found[0])
        notes.append(f"{name}: {len(found)} stereoisomers fit its drawing; {smiles} is taken, --enumerate-stereo takes all")
        found = found[:1]
    numbered = len(found) > 1
    made = [Isomer(f"{name}-{k}" if numbered else name, Chem.MolToSmiles(one), Chem.AddHs(one)) for k, one in enumerate(found, 1)]
    return made, notes


def search(
    isomers: Sequence[Isomer],
    count: int,
    stages: Sequence[Method],
    *,
    energy: str | None = None,
    same: float = SAME,
    seed: int = 0,
    **options: Any,
) -> Ensemble:
    """Conformers of isomers, relaxed, without duplicates, the lowest first.

    Parameters
    ----------
    isomers
        What is looked at.
    count
        Conformers embedded of each, by ETKDGv3 and with MMFF94 where it has the parameters.
    stages
        Methods one after another, see `morered.relaxation.stages.relax_stages`.
    energy
        Name of a calculator that ranks them. None: the last method's own energies where it has them, else `LEVEL`.
    same
        Å, RMSD below which two are one.
    seed
        Of embedding and noise.
    **options
        Those of `morered.relaxation.relax`.

    Raises
    ------
    ValueError
        If the calculator is not known; `morered.extras.MissingExtra` if what it needs is not installed.
    """
    calculator = None if energy is None else calculators.get(energy)
    owner: list[Isomer] = []
    records: list[Record] = []
    for isomer in isomers:
        for record in _embedded(isomer, count, seed, len(records)):
            owner.append(isomer)
            records.append(record)
    good = [record for record in records if record.problem is None]
    start = _structures(good)
    done = relax_stages(start, stages, seed=seed, **options)
    relaxed = complete(records, done.structures)
    templates = {record.name: record.template for record in good}
    if calculator is None and "energy" in relaxed.columns and not isinstance(stages[-1], DiffusionMethod | AutoMethod):
        energies, method = np.array(relaxed.column("energy"), np.float64), stages[-1].kind
    else:
        calculator = calculator or calculators.get(LEVEL)
        method = calculator.name
        try:
            energies = _energies(relaxed, templates, calculator)
        except KeyboardInterrupt:  # what was relaxed is kept, in no order
            energies, done = np.full(len(relaxed), np.nan), replace(done, interrupted=True)
    energies[relaxed.column("verdict") != b"converged"] = np.nan
    columns = _ranked(relaxed, owner, energies, same)
    columns["energy_method"] = Column(as_names([method if known else "" for known in np.isfinite(energies)]))
    notes = [record.problem for record in records if record.problem is not None]
    notes += _without_energies(owner, energies, columns["rank"].values > 0, method)
    conformers = relaxed.with_columns(columns)
    tried = np.flatnonzero([record.problem is None for record in records])
    return Ensemble(conformers, templates, notes, replace(done, structures=conformers[tried]))


def distinct(molecule: Chem.Mol, positions: Sequence[NDArray[np.floating]], same: float = SAME) -> list[int | None]:
    """Of each conformer, in order of preference, the earlier one that it is a copy of; None for one that is new.

    Parameters
    ----------
    molecule
        With its hydrogens; those on carbon do not count.
    positions
        Of each conformer, [N, 3] in Å.
    same
        Å, RMSD below which two are one, whichever equal atoms are exchanged.
    """
    skeleton = Chem.RWMol(molecule)
    skeleton.RemoveAllConformers()
    for points in positions:
        conformer = Chem.Conformer(molecule.GetNumAtoms())
        conformer.SetPositions(np.ascontiguousarray(points, np.float64))
        skeleton.AddConformer(conformer, assignId=True)
    for atom in reversed(list(skeleton.GetAtoms())):
        if atom.GetAtomicNum() == 1 and [other.GetAtomicNum() for other in atom.GetNeighbors()] == [6]:
            skeleton.RemoveAtom(atom.GetIdx())
    skeleton.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(skeleton)
    copies: list[int | None] = []
    for k in range(len(positions)):
        kept = [j for j, copy in enumerate(copies) if copy is None]
        copies.append(next((j for j in kept if _best_rms(skeleton, k, j) < same), None))
    return copies


def _best_rms(molecule: Chem.Mol, probe: int, reference: int) -> float:
    with rdBase.BlockLogs():
        return float(rdMolAlign.GetBestRMS(Chem.Mol(molecule), molecule, probe, reference, maxMatches=_MAX_MATCHES))


def _embedded(isomer: Isomer, count: int, seed: int, index: int) -> list[Record]:
    molecule = Chem.Mol(isomer.molecule)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)
    try:
        found = embedded(molecule, count, seed)
    except SmilesError as error:
        record = Record(f"{isomer.name}/1", index, "conformers")
        record.fail(str(error))
        return [record]
    clean_up(molecule)
    template = Chem.Mol(isomer.molecule)
    Chem.Kekulize(template, clearAromaticFlags=True)
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in template.GetAtoms())
    charge = Chem.GetFormalCharge(template)
    records = []
    for k, number in enumerate(found):
        positions = np.array(molecule.GetConformer(number).GetPositions(), dtype=np.float64)
        record = Record(f"{isomer.name}/{k + 1}", index + k, "conformers", numbers, positions, template=template)
        record.charge, record.unpaired = charge, unpaired
        records.append(record)
    return records


def _structures(good: Sequence[Record]) -> Structures:
    numbers, positions = [record.numbers for record in good], [record.positions for record in good]
    structures = Structures.build(numbers, positions, [record.name for record in good])  # type: ignore[arg-type]
    if any(record.charge or record.unpaired for record in good):
        structures = structures.with_electrons([r.charge or 0 for r in good], [r.unpaired or 0 for r in good])
    return with_statements(structures, good)


def _energies(relaxed: Structures, templates: Mapping[str, Chem.Mol], calculator: calculators.Calculator) -> NDArray[np.float64]:
    """In eV, [M], of the converged ones; NaN of the others and of those that the calculator cannot do."""
    energies = np.full(len(relaxed), np.nan)
    chosen = np.flatnonzero(relaxed.column("verdict") == b"converged")
    if len(chosen):
        structures = relaxed.without_columns()[chosen]
        names = structures.names
        records = [Record(name, k, "", template=templates[name]) for k, name in enumerate(names)]
        energies[chosen] = calculator.compute(with_statements(structures, records), forces=False).energies
    return energies


def _without_energies(owner: Sequence[Isomer], energies: NDArray[np.float64], kept: NDArray[np.bool_], method: str) -> list[str]:
    """A sentence on each isomer whose conformers are in no order, as they have no energies."""
    lost = dict.fromkeys(owner[m].name for m in np.flatnonzero(kept & ~np.isfinite(energies)).tolist())
    return [
        f"{name}: {method} gives no energies of its conformers, so that their ranks say nothing: another --energy may know it"
        for name in lost
    ]


def _ranked(relaxed: Structures, owner: Sequence[Isomer], energies: NDArray[np.float64], same: float) -> dict[str, Column]:
    """The columns of `Ensemble` but the level of theory."""
    rank, copies = np.zeros(len(relaxed), np.int32), [""] * len(relaxed)
    relative = np.full(len(relaxed), np.nan)
    converged = relaxed.column("verdict") == b"converged"
    for isomer in dict.fromkeys(owner):
        members = np.array([m for m, one in enumerate(owner) if one is isomer and converged[m]], np.int64)
        if not len(members):
            continue
        members = members[np.argsort(energies[members], kind="stable")]  # those without energy last
        if np.isfinite(lowest := energies[members[0]]):
            relative[members] = (energies[members] - lowest) / EV_PER_KCAL_MOL
        copy_of = distinct(isomer.molecule, [relaxed.molecule(int(m)).positions for m in members], same)
        new = 0
        for m, copy in zip(members.tolist(), copy_of, strict=True):
            if copy is None:
                new += 1
                rank[m] = new
            else:
                copies[m] = relaxed.ids[members[copy]].decode()
    return {
        "molecule": Column(as_names([isomer.name for isomer in owner])),
        "smiles": Column(as_names([isomer.smiles for isomer in owner])),
        "rank": Column(rank),
        "duplicate_of": Column(as_names(copies)),
        "relative_energy": Column(relative, "kcal/mol"),
        "ranking_energy": Column(energies, "eV"),
    }


def prepared(
    molecules: Sequence[tuple[str, Chem.Mol]], preparation: Preparation
) -> tuple[list[Isomer], list[str], list[tuple[str, str]]]:
    """Isomers of named drawings, each with a name of its own; notes on them, and names of the others with what is wrong."""
    made: list[Isomer] = []
    notes: list[str] = []
    problems: list[tuple[str, str]] = []
    names = UniqueNames()
    for name, molecule in molecules:
        unique = names.unique(name)
        try:
            found, said = isomers(molecule, unique, preparation)
        except SmilesError as error:
            problems.append((unique, f"{unique}: {error}"))
            continue
        made += found
        notes += said
    return made, notes, problems
