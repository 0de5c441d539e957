"""Minima of chosen molecules at the reference: conformers by ETKDG, cleaned by a force field, relaxed with AIMNet2 in batches.

Each chunk of the entries is one file, and can be made again alone: what becomes of a molecule depends on its entry and the
settings, up to the rounding of batched products (positions to some 1e-4 Å).

Shapes: M minima. Units: Å, eV, eV/Å.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from morered.chemistry import bonds
from morered.datasets import qm7
from morered.datasets.organic.choice import Entry
from morered.metrics.rmsd import rmsd
from morered.metrics.stereo import stereo_kept
from morered.relaxation.entry import relax
from morered.resumable import Built
from morered.settings.relaxation import PotentialMethod
from morered.structures import Column, Structures

#: Raised by hand when what is built changes.
VERSION = 2
#: Of QM9, molecules of up to so many heavy atoms are essential.
ESSENTIAL_HEAVY = 4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """How minima are made.

    Attributes
    ----------
    fmax
        Largest force on an atom, eV/Å.
    steps
        Cap; what has not converged by then is a failure.
    same
        Å: a further conformer nearer than this to one before it is the same minimum.
    batch_size
        Molecules relaxed side by side.
    """

    fmax: float = 0.005
    steps: int = 600
    same: float = 0.05
    batch_size: int = 16

    def method(self) -> PotentialMethod:
        """The relaxation."""
        return PotentialMethod("aimnet2", fmax=self.fmax, steps=self.steps, initial_hessian="valence")


@dataclass(frozen=True)
class Start:
    """A geometry to start from: the entry, its molecule with explicit hydrogens, numbers [N], positions [N, 3] in Å, a name."""

    entry: Entry
    molecule: Chem.Mol
    numbers: NDArray[np.integer]
    positions: Floats
    name: str


def chunk_of(entries: Sequence[Entry], index: int, chunks: int) -> list[Entry]:
    """The entries of one chunk: every so many of an order by hash, so that each chunk is a sample of all.

    `essential` molecules of a chunk in the second half are moved to one in the first, so that a part of the dataset has them.
    """
    ordered = sorted(entries, key=lambda entry: hashlib.sha256(entry.name.encode()).digest())
    own, partner = ordered[index::chunks], index + (chunks + 1) // 2
    if partner < chunks:
        return own + [entry for entry in ordered[partner::chunks] if essential(entry)]
    return own if index < (chunks + 1) // 2 else [entry for entry in own if not essential(entry)]


def essential(entry: Entry) -> bool:
    """Whether a molecule belongs to those that everyone tries first, or is of QM9 with up to four heavy atoms."""
    if entry.kind == "qm9":
        return bool(Chem.MolFromSmiles(entry.smiles).GetNumHeavyAtoms() <= ESSENTIAL_HEAVY)
    return entry.kind == "first"


def build(entries: Sequence[Entry], settings: Settings | None = None, progress: bool = False) -> Built:
    """Minima of the entries.

    Returns
    -------
    Built
        Molecules ``<name>/<conformer>``. Columns, [M]: ``charge`` (e), ``unpaired``, ``smiles``, ``kind``, ``part`` and
        ``skeleton`` (bytes, as in `Entry`), ``energy`` (eV, reference), ``fmax`` (eV/Å), ``calls`` (gradients that the relaxation
        took). Failures by the same names, with their reasons.
    """
    settings = settings or Settings()
    starts: list[Start] = []
    failures: dict[str, str] = {}
    for entry in entries:
        try:
            starts += started(entry)
        except (ValueError, RuntimeError) as error:  # the latter are RDKit's
            failures[entry.name] = str(error).strip().split("\n\t")[-1].split("\n")[0]
    if not starts:
        return Built(Structures.build([], [], []), failures)
    charges = [Chem.GetFormalCharge(start.molecule) for start in starts]
    inputs = Structures.build(
        [start.numbers for start in starts], [start.positions for start in starts], [start.name for start in starts]
    ).with_electrons(charges)
    relaxed = relax(inputs, settings.method(), batch_size=settings.batch_size, progress=progress).structures
    problems = problems_of(starts, inputs, relaxed)
    kept: list[int] = []
    for m, start in enumerate(starts):
        if problems[m] is None and any(_same(relaxed, m, k, settings.same) for k in kept if starts[k].entry is start.entry):
            problems[m] = "the same minimum as another conformer"
        if (problem := problems[m]) is None:
            kept.append(m)
        else:
            failures[start.name] = problem
    minima = relaxed.without_columns()[np.array(kept, dtype=np.int64)].centred()
    energies = energies_of(minima)
    texts = {
        "smiles": [starts[m].entry.smiles.encode() for m in kept],
        "kind": [starts[m].entry.kind.encode() for m in kept],
        "part": [starts[m].entry.part.encode() for m in kept],
        "skeleton": [starts[m].entry.skeleton.encode() for m in kept],
    }
    columns = {name: Column(np.array(values, dtype=np.bytes_) if values else np.empty(0, "S1")) for name, values in texts.items()}
    columns["energy"] = Column(energies, "eV")
    columns["fmax"] = Column(relaxed.column("last_fmax")[kept], "eV/Å")
    columns["calls"] = Column(relaxed.column("steps")[kept].astype(np.int32) + 1)
    return Built(minima.with_columns(columns), failures)


def started(entry: Entry) -> list[Start]:
    """Starting geometries of an entry: its conformers, or the minimum at PBE0 of a molecule of QM7.

    Raises
    ------
    ValueError
        If there is none; the message is the reason.
    """
    if entry.kind == "qm7":
        structures = qm7.load()
        known = structures.molecule(int(structures.index_of([entry.name])[0]))
        molecule = Chem.AddHs(Chem.MolFromSmiles(entry.smiles))
        return [Start(entry, molecule, known.numbers, np.array(known.positions), f"{entry.name}/0")]
    seed = seed_of(entry)
    parts = [Chem.AddHs(Chem.MolFromSmiles(smiles)) for smiles in entry.smiles.split(".")]
    molecule = parts[0] if len(parts) == 1 else Chem.CombineMols(*parts)
    numbers: NDArray[np.integer] = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)
    embedded = [conformers(part, entry.conformers, seed) for part in parts]
    count = min(len(points) for points in embedded)
    if len(parts) == 1:
        geometries = embedded[0][:count]
    else:
        rng = np.random.default_rng(seed)
        geometries = [beside(embedded[0][k], embedded[1][k], rng) for k in range(count)]
    return [Start(entry, molecule, numbers, points, f"{entry.name}/{k}") for k, points in enumerate(geometries)]


def seed_of(entry: Entry) -> int:
    """The seed of an entry's conformers."""
    return int.from_bytes(hashlib.sha256(entry.name.encode()).digest()[:4]) & 0x7FFFFFFF


def conformers(molecule: Chem.Mol, count: int, seed: int) -> list[Floats]:
    """Conformers [N, 3] of a molecule with explicit hydrogens: ETKDGv3, then MMFF94, or UFF where that has no parameters.

    Raises
    ------
    ValueError
        If none can be embedded.
    """
    if molecule.GetNumAtoms() == 1:
        return [np.zeros((1, 3))] * count
    embed(molecule, count, seed)
    with rdBase.BlockLogs():
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(molecule, numThreads=1, maxIters=1000)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.UFFOptimizeMoleculeConfs(molecule, numThreads=1, maxIters=1000)
    return [np.array(conformer.GetPositions()) for conformer in molecule.GetConformers()]


def embed(molecule: Chem.Mol, count: int, seed: int) -> None:
    """Give a molecule with explicit hydrogens so many conformers by ETKDGv3, in place of those it has.

    Raises
    ------
    ValueError
        If none can be embedded.
    """
    settings: Any = rdDistGeom.ETKDGv3()  # its stubs take its numbers for parameter sets
    settings.randomSeed = seed
    settings.useSmallRingTorsions = True
    settings.numThreads = 1
    settings.maxIterations = 50
    with rdBase.BlockLogs():
        found = list(rdDistGeom.EmbedMultipleConfs(molecule, count, settings))
        if not found:
            settings.useRandomCoords = True
            found = list(rdDistGeom.EmbedMultipleConfs(molecule, count, settings))
    if not found:
        raise ValueError("no conformer can be embedded")


def beside(first: Floats, second: Floats, rng: np.random.Generator, gap: float = 2.4) -> Floats:
    """Two molecules side by side, turned at random, with ``gap`` Å between their nearest atoms; [N1 + N2, 3]."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    second = second @ _rotation(rng).T
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    near, far = 0.0, 60.0
    for _ in range(40):  # the distance at which the nearest atoms are ``gap`` apart, by bisection
        middle = (near + far) / 2
        distances = np.linalg.norm(first[:, None] - (second + middle * direction)[None], axis=-1)
        near, far = (middle, far) if distances.min() < gap else (near, middle)
    return np.concatenate([first, second + far * direction])


def _rotation(rng: np.random.Generator) -> Floats:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def problems_of(starts: Sequence[Start], before: Structures, after: Structures) -> list[str | None]:
    """Why a relaxed structure is no minimum of its molecule; None where it is."""
    verdicts, stereo = after.column("verdict"), stereo_kept(before, after)
    problems: list[str | None] = []
    for m, start in enumerate(starts):
        drawn = {(min(b.GetBeginAtomIdx(), b.GetEndAtomIdx()), max(b.GetBeginAtomIdx(), b.GetEndAtomIdx()))
                 for b in start.molecule.GetBonds()}  # fmt: skip
        _, numbers, positions = after.molecule(m)
        found = {(int(i), int(j)) for i, j in bonds(numbers, positions)}
        if verdicts[m] != b"converged":
            problems.append(f"{verdicts[m].decode()}: {after.column('reason')[m].decode()}")
        elif start.entry.kind != "qm7" and found != drawn:
            problems.append("bonds differ from the SMILES")
        elif start.entry.kind == "qm7" and found != {(int(i), int(j)) for i, j in bonds(numbers, before.molecule(m).positions)}:
            problems.append("bonds changed")
        elif stereo[m] == 0:
            problems.append("stereochemistry changed")
        else:
            problems.append(None)
    return problems


def _same(structures: Structures, a: int, b: int, limit: float) -> bool:
    one, other = structures.without_columns()[[a]], structures.without_columns()[[b]]
    return bool(rmsd(one, other)[0] < limit)


def energies_of(minima: Structures) -> Floats:
    """Energies [M] of minima at the reference, in float64, eV."""
    from morered import calculators

    return calculators.get("aimnet2", dtype="float64").compute(minima, forces=False).energies
