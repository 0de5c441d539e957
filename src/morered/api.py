"""The Python interface: `relax` for molecules of any origin, and `MoreRed`, which is used like one of ASE's optimisers.

    >>> import ase.build, morered
    >>> ethanol = ase.build.molecule("CH3CH2OH")
    >>> ethanol.rattle(0.1)
    >>> relaxed = morered.relax(ethanol)
    >>> relaxed.info["verdict"]
    'converged'

Shapes: N atoms of one molecule.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, TextIO, overload

import numpy as np
import torch
from ase import Atoms
from ase.io.trajectory import Trajectory as AseTrajectory

from morered.relaxation import Method, Recording, Relaxation, RelaxationInterrupted, from_config
from morered.relaxation import relax as relax_structures
from morered.relaxation.frames import GRID, own_frames, turned
from morered.relaxation.methods import Model
from morered.relaxation.presets import DEFAULT, preset
from morered.relaxation.stages import relax_stages
from morered.relaxation.verdicts import COLUMNS
from morered.structures import Structures

MethodLike = Method | Mapping[str, Any] | str
"""A name (see `morered.relaxation.presets.PRESETS`), a mapping as in a config, or a method."""


@overload
def relax(molecules: Atoms, method: MethodLike = ..., **options: Any) -> Atoms: ...
@overload
def relax(molecules: Structures, method: MethodLike = ..., **options: Any) -> Relaxation: ...
@overload
def relax(molecules: Sequence[Atoms], method: MethodLike = ..., **options: Any) -> list[Atoms]: ...
def relax(  # type: ignore[misc]  # the overloads' options are these
    molecules: Atoms | Sequence[Atoms] | Structures,
    method: MethodLike = DEFAULT,
    *,
    weights: Model | Mapping[str, Model] | None = None,
    finish: MethodLike | None = None,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    batch_size: int | None = None,
    workers: int | None = None,
    compile: Literal["auto", "always", "never"] = "auto",
    recording: Recording | None = None,
    progress: bool = False,
) -> Atoms | list[Atoms] | Relaxation:
    """Relax one molecule or many; every one comes back, in order, with a verdict.

    Parameters
    ----------
    molecules : Atoms, sequence of Atoms, or Structures
        Without periodic boundaries and constraints, which this relaxation would not honour.
    method
        A name ("fast", "balanced", "accurate", "jt", "itp", "as", "mlff", "so3lr", "gfn2", "gfn1", "mmff94"),
        a mapping as in a config's ``methods``, or a `morered.relaxation.Method`.
    weights
        A weights file or the name of shipped weights, in place of the method's own.
    finish
        A second method, such as "gfn2": it goes on from each result, and from the input where the first method refused or failed.
    seed, device, batch_size, workers, compile, recording, progress
        See `morered.relaxation.relax`.

    Returns
    -------
    Atoms, list of Atoms, or Relaxation
        As given: copies of the Atoms in their own pose, with the columns of `morered.relaxation.verdicts` in ``info``; for
        Structures a `morered.relaxation.Relaxation`.

    Raises
    ------
    morered.relaxation.RelaxationInterrupted
        On Ctrl-C; it carries what is done.
    ValueError
        If the method or its settings are wrong, or Atoms are periodic or constrained.
    """
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
        return _relax(molecules, chosen, finish, options)
    given = [molecules] if isinstance(molecules, Atoms) else list(molecules)
    relaxed = _relax(_structures(given), chosen, finish, options).structures
    copies = [_copy(atoms, relaxed, m) for m, atoms in enumerate(given)]
    return copies[0] if isinstance(molecules, Atoms) else copies


def _relax(structures: Structures, method: Method, finish: MethodLike | None, options: Mapping[str, Any]) -> Relaxation:
    if finish is None:
        return relax_structures(structures, method, **options)
    done = relax_stages(structures, [method, _method(finish, None)], **options)
    if done.interrupted:
        raise RelaxationInterrupted(done)
    return done


class MoreRed:
    """Relaxes one Atoms object in place, in the manner of ASE's optimisers.

    Parameters
    ----------
    atoms : Atoms
        What is relaxed; its calculator, if any, is not used.
    method, weights, **options
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
        logfile: str | Path | TextIO | None = "-",
        trajectory: str | Path | None = None,
        **options: Any,
    ) -> None:
        self.atoms = atoms
        self.nsteps = 0
        self.verdict = ""
        self.reason = ""
        self._method = method
        self._weights = weights
        self._logfile = logfile
        self._trajectory = trajectory
        self._options = options

    def run(self, fmax: float | None = None, steps: int | None = None) -> bool:
        """Relax; whether it converged.

        Parameters
        ----------
        fmax : float, optional
            Largest force in eV/Å at convergence, for methods that have forces.
        steps : int, optional
            Cap on the steps.

        Raises
        ------
        ValueError
            If the method knows no forces and is given ``fmax``.
        """
        changes = {name: value for name, value in (("fmax", fmax), ("steps", steps)) if value is not None}
        method = _method(self._method, self._weights, changes)
        recording = None if self._trajectory is None else Recording(frames=True)
        structures = _structures([self.atoms])
        relaxation = relax_structures(structures, method, recording=recording, **self._options)
        relaxed = relaxation.structures
        self.verdict, self.reason = (relaxed.column(name)[0].decode() for name in ("verdict", "reason"))
        self.nsteps += int(relaxed.column("steps")[0])
        self.atoms.positions = relaxed.positions
        self.atoms.info |= _verdict(relaxed, 0)
        if self._trajectory is not None and relaxation.trajectories is not None:
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
    if isinstance(method, Mapping):
        return from_config({**method, **changes})
    if changes:
        raise ValueError(f"{', '.join(changes)}: set in the method itself, which is given complete")
    return method


def _structures(given: list[Atoms]) -> Structures:
    for i, atoms in enumerate(given):
        if atoms.pbc.any():
            raise ValueError(
                f"molecule {i + 1} is periodic: only molecules in free space are relaxed; set pbc to False if it is one"
            )
        if atoms.constraints:
            raise ValueError(f"molecule {i + 1} has constraints, which would not be honoured: remove them first")
    names = [_name(atoms) for atoms in given]
    seen: Counter[str] = Counter()
    ids = []
    for name in names:
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    numbers = [np.where((z := atoms.numbers) < 256, z, 0) for atoms in given]
    return Structures.build(numbers, [atoms.positions for atoms in given], ids)


def _name(atoms: Atoms) -> str:
    """``info["name"]``, or what the atoms are, however turned: noise is keyed by it, so a result depends neither on the place
    in the list nor on the frame.
    """
    if atoms.info.get("name"):
        return str(atoms.info["name"])
    one = Structures.build([np.where((z := atoms.numbers) < 256, z, 0)], [atoms.positions], ["molecule"])
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.round(turned(one, own_frames(one)).positions / GRID)
    content = np.asarray(atoms.numbers, np.int64).tobytes() + (steps + 0.0).tobytes()  # -0 becomes 0
    return f"atoms/{blake2b(content, digest_size=8).hexdigest()}"


def _copy(atoms: Atoms, relaxed: Structures, m: int) -> Atoms:
    copy = atoms.copy()
    copy.positions = relaxed.molecule(m).positions
    copy.info |= _verdict(relaxed, m)
    return copy


def _verdict(relaxed: Structures, m: int) -> dict[str, str | int | float]:
    """The columns of the verdict as plain values."""
    values = {name: relaxed.column(name)[m] for name in COLUMNS}
    return {name: value.decode() if isinstance(value, bytes) else value.item() for name, value in values.items()}
