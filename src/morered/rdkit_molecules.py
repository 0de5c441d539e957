"""Takes conformers out of RDKit's molecules, and puts relaxed ones into copies of them.

A molecule keeps everything but the coordinates: its bonds, charges, stereochemistry, properties, and the conformers that were not
chosen. Its bonds are those that a result must have. Imported only where an RDKit molecule was given.

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from morered.formats import Record
from morered.properties import is_of_geometry
from morered.relaxation.verdicts.columns import COLUMNS, OF_METHODS
from morered.structures import ELECTRONIC, Structures
from morered.unique_names import UniqueNames

NO_CONFORMER = "it has no conformer: embed it first (rdkit.Chem.AllChem.EmbedMolecule, of the molecule with its hydrogens)"


class Ensembles:
    """Molecules with the conformers that are relaxed; ``records`` has one record for each of these, in order.

    Parameters
    ----------
    molecules
        RDKit molecules.
    chosen
        Ids of the conformers; all of each molecule if None.
    name
        Names a nameless molecule by its numbers [N] and positions [N, 3] in Å.

    Raises
    ------
    ValueError
        If a molecule has no conformer of a chosen id.
    """

    def __init__(
        self,
        molecules: Sequence[Chem.Mol],
        chosen: Sequence[int] | None,
        name: Callable[[NDArray[np.integer], NDArray[np.float64]], str],
    ) -> None:
        self.molecules = molecules
        self.records: list[Record] = []
        self._places: list[tuple[int, int]] = []  # molecule, and id of the conformer, -1 where there is none
        for m, molecule in enumerate(molecules):
            there = [conformer.GetId() for conformer in molecule.GetConformers()]
            wanted = there if chosen is None else list(chosen)
            if strange := [number for number in wanted if number not in there]:
                raise ValueError(f"molecule {m + 1} has no conformer {strange[0]}; it has {', '.join(map(str, there)) or 'none'}")
            for number in wanted or [-1]:
                self.records.append(_record(molecule, number, len(self.records), name))
                self._places.append((m, number))
        names = UniqueNames()
        for record in self.records:
            record.name = names.unique(record.name)

    def with_results(self, relaxed: Structures) -> list[Chem.Mol]:
        """Copies of the molecules with the relaxed conformers, of which ``relaxed`` has one for each of ``records``.

        The columns of the verdict, and ``energy`` (eV) where the method has it, are properties of the conformer, and of the
        molecule where it has no other. Properties of the molecule that belong to its old geometry go.
        """
        copies = [Chem.Mol(molecule) for molecule in self.molecules]
        count = np.bincount([m for m, _ in self._places], minlength=len(copies))
        for k, (m, number) in enumerate(self._places):
            copy, values = copies[m], _values(relaxed, k)
            holders: list[Any] = [copy] if count[m] == 1 else []
            if number >= 0:
                conformer = copy.GetConformer(number)
                positions = np.ascontiguousarray(relaxed.molecule(k).positions, dtype=np.float64)
                if not np.array_equal(conformer.GetPositions(), positions):
                    for name in [name for name in copy.GetPropNames() if is_of_geometry(name)]:
                        copy.ClearProp(name)
                    conformer.SetPositions(positions)
                holders.append(conformer)
            for holder in holders:
                for name, value in values.items():
                    _set(holder, name, value)
        return copies


def _record(
    molecule: Chem.Mol, number: int, index: int, name: Callable[[NDArray[np.integer], NDArray[np.float64]], str]
) -> Record:
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)
    title = molecule.GetProp("_Name") if molecule.HasProp("_Name") else ""
    record = Record(title or "molecule", index, "Mol", numbers=numbers, template=molecule)
    record.charge = Chem.GetFormalCharge(molecule) or None
    record.unpaired = sum(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()) or None
    if number < 0:
        record.fail(NO_CONFORMER)
        return record
    conformer = molecule.GetConformer(number)
    record.positions = np.array(conformer.GetPositions(), dtype=np.float64).reshape(-1, 3)
    record.name = f"{title}/{number}" if title else name(numbers, record.positions)
    if not conformer.Is3D() and len(numbers) > 1 and not np.any(record.positions[:, 2]):
        record.lack_geometry()
    elif absent := _hydrogens_left_out(molecule):
        record.lack_hydrogens(absent)
    return record


def _hydrogens_left_out(molecule: Chem.Mol) -> int:
    """Hydrogens that the atoms have and that are no atoms themselves."""
    copy = Chem.Mol(molecule)
    with rdBase.BlockLogs():
        copy.UpdatePropertyCache(strict=False)
    return sum(atom.GetTotalNumHs() for atom in copy.GetAtoms())


def _values(relaxed: Structures, k: int) -> dict[str, str | int | float]:
    names = [*COLUMNS, *(name for name in (*OF_METHODS, "energy", *ELECTRONIC) if name in relaxed.columns)]
    values = {name: relaxed.column(name)[k] for name in names}
    plain = {name: value.decode() if isinstance(value, bytes) else value.item() for name, value in values.items()}
    return {name: value for name, value in plain.items() if name != "energy" or np.isfinite(value)}


def _set(holder: Any, name: str, value: str | float) -> None:
    if isinstance(value, str):
        holder.SetProp(name, value)
    elif isinstance(value, int):
        holder.SetIntProp(name, value)
    else:
        holder.SetDoubleProp(name, value)
