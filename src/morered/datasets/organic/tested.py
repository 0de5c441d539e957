"""The inputs of the test molecules, and the minima of the reference that each of them falls into.

Each test molecule has two inputs, from the same conformer: ``etkdg``, as RDKit's ETKDGv3 embeds it, and ``mmff94``, the same
after RDKit's MMFF94 (only for molecules that this has parameters for).

Shapes: M inputs. Units: Å, eV, eV/Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdForceFieldHelpers

from morered.datasets.organic import minima
from morered.datasets.organic.choice import Entry
from morered.datasets.organic.minima import Settings, Start
from morered.relaxation.entry import relax
from morered.resumable import Built
from morered.structures import Column, Structures

#: Raised by hand when what is built changes.
VERSION = 2
#: The inputs of a molecule, as the last part of their names.
ETKDG, MMFF94 = "etkdg", "mmff94"
MMFF94_STEPS = 10_000
#: Kinds of validation molecules that have such inputs: all but dimers, which are no one molecule that can be embedded.
KINDS = ("listed", "first", "qm9", "qm7", "ion", "exchange", "isomer")


class Tested(NamedTuple):
    """Inputs of test molecules and their minima.

    Attributes
    ----------
    inputs
        M structures ``<molecule>/etkdg`` and ``<molecule>/mmff94``. Columns, [M]: ``charge``, ``unpaired``, ``smiles``, ``kind``.
        Failures: molecules that cannot be embedded, inputs that cannot be made, and why.
    minima
        The reference minimum of each input from which one was reached, under the name of the input. Columns besides: ``energy``
        (eV) and ``calls``, the gradients that the relaxation took. Failures: inputs that led to no minimum of their molecule.
    """

    inputs: Built
    minima: Built


def build(entries: Sequence[Entry], settings: Settings | None = None, progress: bool = False) -> Tested:
    """Make the inputs of some test molecules, and relax each with the reference."""
    settings = settings or Settings()
    starts: list[Start] = []
    failures: dict[str, str] = {}
    for entry in entries:
        made, unmade = started(entry)
        starts += made
        failures |= unmade
    inputs = Structures.build(
        [start.numbers for start in starts], [start.positions for start in starts], [start.name for start in starts]
    ).with_electrons([Chem.GetFormalCharge(start.molecule) for start in starts])
    texts = {"smiles": [start.entry.smiles for start in starts], "kind": [start.entry.kind for start in starts]}
    columns = {
        name: Column(np.array([v.encode() for v in values] or [], dtype="S" if values else "S1"))
        for name, values in texts.items()
    }
    inputs = inputs.with_columns(columns).centred()
    if not starts:
        return Tested(Built(inputs, failures), Built(inputs))
    bare = inputs.without_columns()
    relaxed = relax(inputs, settings.method(), batch_size=settings.batch_size, progress=progress).structures
    problems = minima.problems_of(starts, bare, relaxed)
    kept = np.array([m for m, problem in enumerate(problems) if problem is None], dtype=np.int64)
    found = inputs[kept].with_positions(relaxed[kept].positions).centred()
    found = found.with_columns(
        {
            "energy": Column(minima.energies_of(found), "eV"),
            "calls": Column(relaxed.column("steps")[kept].astype(np.int32) + 1),
        }
    )
    lost = {starts[m].name: problem for m, problem in enumerate(problems) if problem is not None}
    return Tested(Built(inputs, failures), Built(found, lost))


def select(
    inputs: Structures,
    minima: Structures,
    *,
    of: str | None = None,
    start: str = ETKDG,
    molecules: int | None = None,
    seed: int = 0,
) -> tuple[Structures, int]:
    """A test set: inputs of one kind and one start, each with its own minimum as reference.

    Parameters
    ----------
    inputs, minima
        As `build` makes them.
    of
        The ``kind`` of the molecules; None: any.
    start
        `ETKDG` or `MMFF94`.
    molecules
        A random sample of so many; None: all. A larger sample of the same seed contains a smaller one, whatever the start.
    seed
        Of the sample.

    Returns
    -------
    (Structures, int)
        The inputs, in the order of ``inputs``, and how many of this kind and start have no minimum and are left out.

    Raises
    ------
    ValueError
        If none is left.
    """
    names = inputs.names
    kinds = np.char.decode(inputs.column("kind"), "ascii")
    wanted = np.array([name.endswith(f"/{start}") for name in names], dtype=bool) & ((kinds == of) if of else True)
    there = np.isin(inputs.ids, minima.ids)
    order = sorted({name.rpartition("/")[0] for name in names})
    order = [order[k] for k in np.random.default_rng([seed, 1]).permutation(len(order))]
    rank = {name: place for place, name in enumerate(order)}
    found = sorted(np.flatnonzero(wanted & there).tolist(), key=lambda m: rank[names[m].rpartition("/")[0]])[:molecules]
    if not found:
        raise ValueError(f"no input of {of or 'any kind'} by {start} has a minimum at the reference")
    chosen = inputs[np.array(sorted(found), dtype=np.int64)]
    chosen = Structures(chosen.numbers, chosen.positions, chosen.offsets, chosen.ids, chosen.ids, dict(chosen.columns))
    return chosen, int((wanted & ~there).sum())


def started(entry: Entry) -> tuple[list[Start], dict[str, str]]:
    """The inputs of a molecule, and why any of them cannot be made, by name."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(entry.smiles))
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)

    def start(name: str) -> Start:
        return Start(entry, molecule, numbers, np.array(molecule.GetConformer().GetPositions()), f"{entry.name}/{name}")

    try:
        minima.embed(molecule, 1, minima.seed_of(entry))
    except (ValueError, RuntimeError) as error:  # the latter are RDKit's
        return [], {entry.name: str(error).strip().split("\n")[0]}
    made = [start(ETKDG)]
    with rdBase.BlockLogs():
        if not rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            return made, {f"{entry.name}/{MMFF94}": "MMFF94 has no parameters for it"}
        try:
            ended = rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, maxIters=MMFF94_STEPS)
        except RuntimeError as error:
            return made, {f"{entry.name}/{MMFF94}": f"RDKit's MMFF94 failed: {str(error).strip().splitlines()[-1]}"}
    if ended != 0:
        return made, {f"{entry.name}/{MMFF94}": f"RDKit's MMFF94 was not at rest after {MMFF94_STEPS} steps"}
    return [*made, start(MMFF94)], {}
