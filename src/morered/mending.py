"""Adds hydrogens and geometries to molecules that lack them, if this is asked for and their source states the bonds.

RDKit adds hydrogens where the bonds leave room for them, and embeds drawings by ETKDGv3 with the stereochemistry of their wedges.
What has no stated bonds cannot be mended: which bonds are double is not told by heavy atoms alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from morered.checks.known import with_stated_bonds
from morered.checks.proper import FLAT_REASON, improper
from morered.formats import Record
from morered.formats.records import Lack, examine, settle_electrons
from morered.structures import Structures


def mend(records: Sequence[Record], *, add_hydrogens: bool, embed: bool, seed: int = 0) -> list[str]:
    """Mend records that lack something, in place; sentences on what was left out on the way.

    Parameters
    ----------
    records
        Good and broken ones.
    add_hydrogens
        Add hydrogens to what has a geometry.
    embed
        Make geometries of flat drawings, with their hydrogens.
    seed
        Of the embedding.
    """
    notes: list[str] = []
    if not (add_hydrogens or embed):
        return notes
    for record in records:
        lack = record.lack or _lack_of(record)
        if lack == "hydrogens" and embed and record.positions is not None and not np.ptp(record.positions[:, 2]):
            lack = "geometry"  # a drawing whose header does not say so
        if not {"hydrogens": add_hydrogens, "geometry": embed, None: False}[lack]:
            continue
        record.problem = None
        if record.template is None:
            option = "--embed" if lack == "geometry" else "--add-hydrogens"
            record.fail(f"{option} needs bonds, and its source states none: an SDF, a mol2 file or a SMILES does")
            continue
        if record.arrays:
            notes.append(
                f"{record.where}: hydrogens are added, and the values of its atoms are left out: {', '.join(record.arrays)}"
            )
        _mend(record, embed=lack == "geometry", seed=seed)
        record.lack = None
        examine([record])
        settle_electrons(record)
    return notes


def _lack_of(record: Record) -> Lack | None:
    """What a record lacks that its reader did not see: a drawing without a header, atoms without bonds."""
    if record.problem is not None or record.numbers is None or record.positions is None or len(record.numbers) < 2:
        return None
    one = Structures.build([record.numbers], [record.positions], [record.name])
    if record.template is not None:
        one = with_stated_bonds(one, {record.name: record.template})
    (reason,) = improper(one)
    if reason is None:
        return None
    return "geometry" if reason == FLAT_REASON else "hydrogens"


def _mend(record: Record, *, embed: bool, seed: int) -> None:
    from rdkit import Chem, rdBase  # slow to import, and few need it

    from morered.datasets.smiles import SmilesError, embedded

    molecule = Chem.Mol(record.template)
    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(molecule)
        except Chem.MolSanitizeException as error:
            record.fail(f"its bonds make no molecule that could be completed: {error}")
            return
        if embed:
            Chem.AssignChiralTypesFromBondDirs(molecule)
            Chem.DetectBondStereochemistry(molecule)
            Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
        molecule = Chem.AddHs(molecule, addCoords=not embed)
        try:
            found = embedded(molecule, 1, seed) if embed else [molecule.GetConformer().GetId()]
        except SmilesError as error:
            record.fail(str(error))
            return
        positions = np.array(molecule.GetConformer(found[0]).GetPositions(), dtype=np.float64)
        Chem.Kekulize(molecule, clearAromaticFlags=True)
    record.numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)
    record.positions, record.template, record.arrays, record.frozen = positions, molecule, {}, None
