"""The Python interface: `relax` for molecules of any origin, and `MoreRed`, which is used like one of ASE's optimisers.

    >>> import ase.build, morered
    >>> ethanol = ase.build.molecule("CH3CH2OH")
    >>> ethanol.rattle(0.1)
    >>> relaxed = morered.relax(ethanol)
    >>> relaxed.info["verdict"]
    'converged'

RDKit's molecules are relaxed in the same way, conformer by conformer (`morered.rdkit_molecules`).

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, overload

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from morered.calculators import Calculator
from morered.calculators.given import AseLike, BatchFunction
from morered.formats import Record, electronic
from morered.frozen import FreezeProblem, fixed_by_ase
from morered.inputs import complete, set_electrons, set_frozen, with_statements
from morered.properties import is_of_geometry
from morered.relaxation import Method, Recording, RelaxationInterrupted, Result
from morered.relaxation import relax as relax_structures
from morered.relaxation.methods import preset, resolve
from morered.relaxation.samplers.frames import GRID, own_frames, turned
from morered.relaxation.stages import relax_stages
from morered.relaxation.verdicts.columns import COLUMNS, OF_METHODS
from morered.relaxation.verdicts.geometry import BEFORE
from morered.settings.presets import DEFAULT
from morered.settings.relaxation import Model
from morered.structures import ELECTRONIC, Column, Structures
from morered.unique_names import UniqueNames

if TYPE_CHECKING:  # slow to import: whoever gives RDKit's molecules has imported it
    from rdkit.Chem import Mol

MethodLike = Method | Mapping[str, Any] | str | Calculator | AseLike | BatchFunction
"""A name (see `morered.settings.presets.PRESETS` and `morered.plugins`), a mapping as in a config, a method, or a potential."""


@overload
def relax(molecules: Atoms, method: MethodLike = ..., **options: Any) -> Atoms: ...
@overload
def relax(molecules: Mol, method: MethodLike = ..., **options: Any) -> Mol: ...
@overload
def relax(molecules: Structures, method: MethodLike = ..., **options: Any) -> Result: ...
@overload
def relax(molecules: Sequence[Atoms], method: MethodLike = ..., **options: Any) -> list[Atoms]: ...
@overload
def relax(molecules: Sequence[Mol], method: MethodLike = ..., **options: Any) -> list[Mol]: ...
def relax(  # type: ignore[misc]  # the overloads' options are these
    molecules: Atoms | Mol | Sequence[Atoms] | Sequence[Mol] | Structures,
    method: MethodLike = DEFAULT,
    *,
    weights: Model | Mapping[str, Model] | None = None,
    finish: MethodLike | None = None,
    charge: int | None = None,
    unpaired: int | None = None,
    conformers: Sequence[int] | None = None,
    freeze: str | None = None,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    batch_size: int | None = None,
    workers: int | None = None,
    compile: Literal["auto", "always", "never"] = "auto",
    recording: Recording | None = None,
    progress: bool = False,
) -> Atoms | Mol | list[Atoms] | list[Mol] | Result:
    """Relax one molecule or many; every one comes back, in order, with a verdict.

    Parameters
    ----------
    molecules : Atoms, RDKit molecule, sequence of either, or Structures
        Without periodic boundaries. Atoms that ASE's FixAtoms holds keep their coordinates exactly, and the others relax around
        them; the result then stands where these are, and is not superposed on the input.
    method
        A name ("auto", "fast", "balanced", "accurate", "jt", "itp", "as", "mlff", "aimnet2", "so3lr", "gfn2", "gfn1", "mmff94",
        "mmff94-openbabel", or a name that another package brings, `morered.plugins`), a mapping as in a config's ``methods``, or
        a `morered.relaxation.Method`. Or a potential: an ASE calculator, or a function that takes `Structures` of M molecules
        with A atoms and returns energies [M] in eV and forces [A, 3] in eV/Å. Molecules go down it side by side by L-BFGS to
        0.001 eV/Å; ``{"relaxer": potential, "fmax": 0.01}`` sets other values, those of
        `morered.relaxation.PotentialMethod`.
    weights
        A weights file or the name of shipped weights, in place of the method's own; with "auto", in place of those of "fast".
    finish
        A second method or potential, such as "gfn2": it goes on from each result, and from the input where the first method
        refused or failed.
    charge, unpaired
        Total charge in e and unpaired electrons of molecules that state none: Atoms state them as ``info["charge"]`` (or by their
        initial charges) and ``info["unpaired"]`` or ``info["multiplicity"]``, Structures by the columns ``charge`` and
        ``unpaired``, and an RDKit molecule by its atoms. One that states another is refused.
    conformers
        Ids of the conformers of RDKit molecules that are relaxed; all by default.
    freeze
        Atoms that keep their coordinates, in every molecule: a list of numbers from 1, such as "1-4,7", or, for RDKit molecules,
        a SMARTS pattern. Structures have the column `morered.frozen.FROZEN` for that.
    seed, device, batch_size, workers, compile, recording, progress
        See `morered.relaxation.relax`.

    Returns
    -------
    Atoms, RDKit molecule, list of either, or Result
        As given: copies of the Atoms in their own pose, with the columns of `morered.relaxation.verdicts.columns` in ``info``,
        the method's energy and forces as results of a calculator where it has them, and nothing that belongs to the old geometry;
        copies of the RDKit molecules with these columns and ``energy`` (eV) as properties of each conformer; for Structures a
        `morered.relaxation.Result`.

    Raises
    ------
    morered.relaxation.RelaxationInterrupted
        On Ctrl-C; it carries what is done.
    ValueError
        If the method or its settings are wrong, Atoms are periodic or have other constraints, Structures have another charge
        than that given, or there is no conformer of a chosen id.
    """
    if isinstance(molecules, str):
        raise TypeError(f"{molecules!r} is a text: give Atoms, RDKit molecules or Structures; search_conformers takes a SMILES")
    if freeze is not None and not isinstance(freeze, str):
        raise TypeError("freeze is a text: a list of atoms from 1, such as '1-4,7', or a SMARTS pattern")
    for name, number in (("workers", workers), ("batch_size", batch_size)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")
    chosen = _method(method, weights)
    options: dict[str, Any] = {
        "seed": seed,
        "device": device,
        "batch_size": batch_size,
        "workers": workers,
        "compile": compile,
        "recording": recording,
        "progress": progress,
    }
    if isinstance(molecules, Structures):
        if freeze is not None:
            raise ValueError("freeze: Structures have a column for frozen atoms, see morered.frozen.with_frozen")
        return _relax(_with_electrons(molecules, charge, unpaired), chosen, finish, options)
    alone = isinstance(molecules, Atoms) or _is_rdkit(molecules)
    given: list[Any] = [molecules] if alone else list(molecules)
    copies: list[Any]
    if any(map(_is_rdkit, given)):
        if not all(map(_is_rdkit, given)):
            raise ValueError("give RDKit molecules or Atoms, not both in one list")
        copies = _relax_rdkit(given, conformers, (charge, unpaired, freeze), chosen, finish, options)
    else:
        records = _records(given, charge, unpaired, freeze)
        relaxed = complete(records, _relax(_structures(records), chosen, finish, options).structures)
        copies = [_copy(atoms, relaxed, m) for m, atoms in enumerate(given)]
    return copies[0] if alone else copies


def _relax(structures: Structures, method: Method, finish: MethodLike | None, options: Mapping[str, Any]) -> Result:
    if finish is None:
        return relax_structures(structures, method, **options)
    done = relax_stages(structures, [method, _method(finish, None)], **options)
    if done.interrupted:
        raise RelaxationInterrupted(done)
    return done


def search_conformers(
    molecule: Mol | str,
    count: int,
    method: MethodLike = DEFAULT,
    *,
    finish: MethodLike | None = None,
    energy: str | None = None,
    same: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    workers: int | None = None,
    **preparation: bool,
) -> list[Mol]:
    """Conformers of a molecule: embedded by ETKDGv3, relaxed, without duplicates, the lowest first.

    Parameters
    ----------
    molecule
        An RDKit molecule, whose own conformers do not count, or a SMILES.
    count
        Conformers that are embedded.
    method, finish, device, workers
        As for `relax`.
    energy
        What ranks them: the name of a calculator ("aimnet2", "gfn2", "mmff94"). None: the method's own energy, else "mmff94".
    same
        Å: conformers are one whose heavy atoms and polar hydrogens lie nearer, equal atoms exchanged (0.3 by default).
    seed
        Of embedding and noise.
    **preparation
        ``desalt``, ``neutralize``, ``canonical_tautomer``, ``enumerate_stereo``: see `morered.conformers.Preparation`.

    Returns
    -------
    list of RDKit molecules
        One for each stereoisomer; see `morered.conformers.Ensemble.molecules`.

    Raises
    ------
    ValueError
        If it is no molecule, the method or the calculator is wrong, or ``preparation`` has another name.
    morered.relaxation.RelaxationInterrupted
        On Ctrl-C.
    """
    from morered import conformers  # RDKit, which few need
    from morered.datasets.smiles import parse

    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    known = list(conformers.Preparation.__dataclass_fields__)
    if unknown := [name for name in preparation if name not in known]:
        raise ValueError(f"{unknown[0]}: unknown; there are: {', '.join(known)}")
    drawing = parse(molecule, ions=True, several=True) if isinstance(molecule, str) else molecule
    name = molecule if isinstance(molecule, str) else molecule.GetProp("_Name") if molecule.HasProp("_Name") else "molecule"
    isomers, _ = conformers.isomers(drawing, name or "molecule", conformers.Preparation(**preparation))
    stages = [_method(method, None), *([] if finish is None else [_method(finish, None)])]
    same = conformers.SAME if same is None else same
    found = conformers.search(isomers, count, stages, energy=energy, same=same, seed=seed, device=device, workers=workers)
    if found.interrupted:
        raise RelaxationInterrupted(found.result)
    return found.molecules(isomers)


def _is_rdkit(molecule: object) -> bool:
    """Whether it is an RDKit molecule; RDKit is not imported to find out."""
    chem = sys.modules.get("rdkit.Chem")
    return chem is not None and isinstance(molecule, chem.Mol)


def _relax_rdkit(
    molecules: list[Mol],
    conformers: Sequence[int] | None,
    stated: tuple[int | None, int | None, str | None],
    method: Method,
    finish: MethodLike | None,
    options: Mapping[str, Any],
) -> list[Mol]:
    from morered.rdkit_molecules import Ensembles

    ensembles = Ensembles(molecules, conformers, _content)
    set_electrons(ensembles.records, *stated[:2])
    set_frozen(ensembles.records, stated[2])
    relaxed = _relax(_structures(ensembles.records), method, finish, options).structures
    return ensembles.with_results(complete(ensembles.records, relaxed))


class MoreRed:
    """Relaxes one Atoms object in place, in the manner of ASE's optimisers.

    Parameters
    ----------
    atoms : Atoms
        What is relaxed; its calculator, if any, is not used.
    method, weights, charge, unpaired, freeze, seed, device, compile, progress
        As for `relax`.
    logfile
        A line on the result goes there: a path, an open file, "-" for standard output, None for nowhere.
    trajectory
        An ASE trajectory file to write with all steps.

    Attributes
    ----------
    nsteps : int
        Steps taken so far.
    verdict, reason : str
        Of the last run, "" before it.
    """

    def __init__(
        self,
        atoms: Atoms,
        method: MethodLike = DEFAULT,
        *,
        weights: Model | Mapping[str, Model] | None = None,
        charge: int | None = None,
        unpaired: int | None = None,
        freeze: str | None = None,
        seed: int | None = None,
        device: torch.device | str = "cpu",
        compile: Literal["auto", "always", "never"] = "auto",
        progress: bool = False,
        logfile: str | Path | TextIO | None = "-",
        trajectory: str | Path | None = None,
    ) -> None:
        self.atoms = atoms
        self.nsteps = 0
        self.verdict = ""
        self.reason = ""
        self._method = method
        self._weights = weights
        self._stated = charge, unpaired, freeze
        self._logfile = logfile
        self._trajectory = trajectory
        self._options: dict[str, Any] = {"seed": seed, "device": device, "compile": compile, "progress": progress}

    def run(self, fmax: float | None = None, steps: int | None = None) -> bool:
        """Relax; whether it converged.

        Parameters
        ----------
        fmax : float, optional
            Largest force in eV/Å at convergence, for methods that have forces.
        steps : int, optional
            Cap on the steps of each try.

        Raises
        ------
        ValueError
            If the method knows no forces and is given ``fmax``.
        """
        changes = {name: value for name, value in (("fmax", fmax), ("steps", steps)) if value is not None}
        method = _method(self._method, self._weights, changes)
        recording = None if self._trajectory is None else Recording(frames=True)
        records = _records([self.atoms], *self._stated)
        relaxation = relax_structures(_structures(records), method, recording=recording, **self._options)
        relaxed = complete(records, relaxation.structures)
        self.verdict, self.reason = (relaxed.column(name)[0].decode() for name in ("verdict", "reason"))
        self.nsteps += int(relaxed.column("steps")[0])
        _put(self.atoms, relaxed, 0)
        if self._trajectory is not None and relaxation.trajectories is not None and len(relaxation.structures):
            from ase.io.trajectory import Trajectory as AseTrajectory  # slow to import

            frames = relaxation.trajectories.trajectory(0).frames
            with AseTrajectory(str(self._trajectory), "w") as file:
                for frame in [*(() if frames is None else frames), relaxed.positions]:
                    file.write(Atoms(self.atoms.numbers, frame))
        self._log(f"MoreRed: {self.verdict} after {relaxed.column('steps')[0]} steps: {self.reason}\n")
        return self.converged()

    def converged(self) -> bool:
        """Whether the last run converged."""
        return self.verdict == "converged"

    def _log(self, line: str) -> None:
        if self._logfile is None:
            return
        if isinstance(self._logfile, (str, Path)) and str(self._logfile) != "-":
            with open(self._logfile, "a") as file:
                file.write(line)
        else:
            (sys.stdout if isinstance(self._logfile, (str, Path)) else self._logfile).write(line)


def _method(method: MethodLike, weights: Model | Mapping[str, Model] | None, changes: Mapping[str, Any] | None = None) -> Method:
    changes = dict(changes or {})
    if isinstance(method, str):
        return preset(method, weights, **changes)
    if weights is not None:
        raise ValueError("weights go with a method that is given by name")
    return resolve(method, changes)


def _with_electrons(structures: Structures, charge: int | None, unpaired: int | None) -> Structures:
    """Structures with this charge and these unpaired electrons where they state none."""
    for name, wanted in (("charge", charge), ("unpaired", unpaired)):
        if wanted is None:
            continue
        stated = structures.charges if name == "charge" else structures.unpaired
        if name in structures.columns and (other := stated != wanted).any():
            raise ValueError(
                f"molecule {int(other.argmax()) + 1} has another {name} than the {wanted} given: give one of the two"
            )
        structures = structures.with_columns({name: Column(np.full(len(structures), wanted), ELECTRONIC[name])})
    return structures


def _records(given: list[Atoms], charge: int | None, unpaired: int | None, freeze: str | None = None) -> list[Record]:
    """What is relaxed of each of the Atoms, and which have a charge, a multiplicity or frozen atoms that cannot be."""
    records: list[Record] = []
    names = UniqueNames()
    for i, atoms in enumerate(given):
        if atoms.pbc.any():
            raise ValueError(
                f"molecule {i + 1} is periodic: only molecules in free space are relaxed; set pbc to False if it is one"
            )
        try:
            frozen = fixed_by_ase(atoms)
        except FreezeProblem as problem:
            raise ValueError(f"molecule {i + 1}: {problem}") from None
        record = Record(
            names.unique(_name(atoms)),
            i,
            "Atoms",
            numbers=np.where((z := atoms.numbers) < 256, z, 0).astype(np.uint8),
            positions=np.array(atoms.positions, dtype=np.float64),
            frozen=frozen,
        )
        try:
            record.charge = electronic.charge_of(atoms.info, atoms.arrays)
            record.unpaired = electronic.unpaired_of(atoms.info)
        except electronic.ElectronsProblem as problem:
            record.fail(str(problem))
        records.append(record)
    set_electrons(records, charge, unpaired)
    set_frozen(records, freeze)
    return records


def _structures(records: Sequence[Record]) -> Structures:
    """The good ones, with charges, unpaired electrons, bonds and frozen atoms where one of them states any."""
    good = [record for record in records if record.problem is None and record.numbers is not None]
    structures = Structures.build(
        [record.numbers for record in good if record.numbers is not None],
        [record.positions for record in good if record.positions is not None],
        [record.name for record in good],
    )
    if any(record.charge is not None or record.unpaired is not None for record in good):
        structures = structures.with_electrons([r.charge or 0 for r in good], [r.unpaired or 0 for r in good])
    return with_statements(structures, good)


def _name(atoms: Atoms) -> str:
    """``info["name"]``, or `_content`."""
    return str(atoms.info["name"]) if atoms.info.get("name") else _content(atoms.numbers, atoms.positions)


def _content(numbers: NDArray[np.integer], positions: NDArray[np.floating]) -> str:
    """A name of what the atoms are, numbers [N] and positions [N, 3] in Å, however turned.

    Noise is keyed by it, so a result depends neither on the place in the list nor on the frame.
    """
    one = Structures.build([np.where(numbers < 256, numbers, 0)], [positions], ["molecule"])
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.round(turned(one, own_frames(one)).positions / GRID)
    content = np.asarray(numbers, np.int64).tobytes() + (steps + 0.0).tobytes()  # -0 becomes 0
    return f"atoms/{blake2b(content, digest_size=8).hexdigest()}"


def _copy(atoms: Atoms, relaxed: Structures, m: int) -> Atoms:
    copy = atoms.copy()
    setattr(copy, BEFORE, atoms.get_positions())
    _put(copy, relaxed, m)
    return copy


def _put(atoms: Atoms, relaxed: Structures, m: int) -> None:
    """Take over position, verdict, charge and results of molecule ``m``; what belongs to the old geometry of a moved one goes."""
    positions = relaxed.molecule(m).positions
    if not np.array_equal(atoms.positions, positions):
        for values in (atoms.info, atoms.arrays):
            for name in [name for name in values if isinstance(name, str) and is_of_geometry(name)]:
                del values[name]
        if isinstance(atoms.calc, SinglePointCalculator):
            atoms.calc = None
    atoms.positions = positions
    atoms.info |= _verdict(relaxed, m)
    for name in ELECTRONIC:
        if name in relaxed.columns and (relaxed.column(name)[m] or name in atoms.info):
            atoms.info[name] = int(relaxed.column(name)[m])
    if "energy" in relaxed.columns and np.isfinite(energy := relaxed.column("energy")[m]):
        forces = relaxed.column("forces")[int(relaxed.offsets[m]) : int(relaxed.offsets[m + 1])]
        if atoms.calc is None:
            atoms.calc = SinglePointCalculator(atoms, energy=float(energy), forces=np.array(forces))


def _verdict(relaxed: Structures, m: int) -> dict[str, str | int | float]:
    """The columns of the verdict as plain values, with those that the method adds."""
    there = [*COLUMNS, *(name for name in OF_METHODS if name in relaxed.columns)]
    values = {name: relaxed.column(name)[m] for name in there}
    return {name: value.decode() if isinstance(value, bytes) else value.item() for name, value in values.items()}
