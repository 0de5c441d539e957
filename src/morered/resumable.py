"""Builds over many molecules that survive a kill: finished parts are kept in files beside the result.

A piece holds what became of some consecutive molecules. Its file is named by a digest of those molecules, of the settings and of
the version of the function that builds. So a build that continues takes exactly the pieces that it would make itself. The version
is raised by hand when the function's results change, and only then: an edit of the code costs no finished hours. The result of a
whole build says what code finished it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from morered import storage
from morered.parallel import Progress, TaskFailure, map_processes
from morered.structures import Structures

#: Molecules in a piece: what is lost at most, for each worker, when a build is killed.
PIECE = 16


@dataclass(frozen=True)
class Built:
    """What became of the molecules.

    Attributes
    ----------
    structures
        What was built, in the order of the molecules.
    failures
        Id -> reason, of the molecules from which nothing was built.
    """

    structures: Structures
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def concatenate(cls, parts: list[Built]) -> Built:
        """All parts, in order."""
        filled = [part.structures for part in parts if len(part.structures)]
        return cls(Structures.concatenate(filled), {name: reason for part in parts for name, reason in part.failures.items()})


class _Task[T](NamedTuple):
    """A molecule and what to do with it, as sent to a worker."""

    function: Callable[[T], Structures]
    molecule: T


def build[T](
    molecules: Structures | Sequence[T],
    function: Callable[[T], Structures],
    *,
    names: Sequence[str] | None = None,
    key: Any = None,
    version: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
    piece: int = PIECE,
) -> Built:
    """Apply a function to each molecule.

    Parameters
    ----------
    molecules
        M molecules; the function gets them one by one, as `Structures` with M = 1. Or M other things that molecules are made of.
    function
        A molecule -> what is built from it. Any exception is a failure of that molecule alone, its message the reason. It must be
        importable where ``workers`` are used.
    names
        What failures are listed by, [M]; the ids where ``molecules`` are `Structures`.
    key
        Settings (JSON) that, with the molecules and the function, decide the result.
    version
        Of the function, raised by hand whenever it gives other results for the same molecules and settings; needed where there is
        a ``folder``.
    folder
        Where pieces are kept; None keeps none. Delete it with `discard` once the result is safe.
    workers
        Processes; None works in this one, where ``timeout`` does not hold and a crash takes all along.
    timeout
        Seconds for one molecule. A piece in which one took longer is made anew where more time is given.
    progress
        Called with (molecules done, all molecules).
    piece
        Molecules in a piece.

    Returns
    -------
    Built
        In the order of ``molecules``, whichever worker was first.

    Raises
    ------
    ValueError
        If pieces are to be kept of a function that has no version.
    """
    if folder is not None and version is None:
        raise ValueError("pieces are kept of a function that has a version: without one they would outlive its results")
    items: Sequence[Any] = _Singles(molecules) if isinstance(molecules, Structures) else molecules
    if names is None:
        names = molecules.names if isinstance(molecules, Structures) else [str(item) for item in items]
    slices = [slice(start, min(start + piece, len(items))) for start in range(0, len(items), piece)]
    files = [None if folder is None else Path(folder) / f"{_digest(items, names, part, [key, version])}.h5" for part in slices]
    pieces: list[Built | None] = [None if file is None else _load(file, timeout) for file in files]
    done = sum(part.stop - part.start for part, there in zip(slices, pieces, strict=True) if there is not None)
    if progress is not None and done:
        progress(done, len(items))
    todo = [(k, m) for k, part in enumerate(slices) if pieces[k] is None for m in range(part.start, part.stop)]
    outcomes: list[dict[int, Structures | TaskFailure]] = [{} for _ in slices]
    tasks = (_Task(function, items[m]) for _, m in todo)
    results = ((i, _attempt(task)) for i, task in enumerate(tasks)) if workers is None else _in_workers(tasks, workers, timeout)
    for index, outcome in results:
        k, m = todo[index]
        outcomes[k][m] = outcome
        done += 1
        if progress is not None:
            progress(done, len(items))
        part = slices[k]
        if len(outcomes[k]) == part.stop - part.start:
            made = pieces[k] = _piece(names, outcomes[k])
            kinds = {outcome.kind for outcome in outcomes[k].values() if isinstance(outcome, TaskFailure)}
            if (file := files[k]) is not None and "killed" not in kinds:  # that is nothing of the molecule's: it is tried again
                save(file, made, {"over_time": timeout} if "timeout" in kinds else None)
            outcomes[k] = {}
    return Built.concatenate([there for there in pieces if there is not None])


def save(path: str | os.PathLike[str], built: Built, provenance: Mapping[str, Any] | None = None, float32: bool = False) -> None:
    """Write what was built as one file of structures; the failures stand in its provenance."""
    storage.write(path, built.structures, {**(provenance or {}), "failures": built.failures}, float32=float32)


def load(path: str | os.PathLike[str]) -> Built:
    """Read what `save` wrote; a file without failures in its provenance has none. Raises as `morered.storage.read` does."""
    return Built(storage.read(path), dict(storage.read_provenance(path).get("failures", {})))


def gather(paths: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str], **extra: Any) -> Built:
    """Join the files of a build's chunks in their order, failures included; ``extra`` goes into the provenance.

    Raises
    ------
    ValueError
        If there is not one structure in them; the message gives some of the reasons.
    """
    paths = list(paths)
    built = Built.concatenate([load(path) for path in paths])
    if not len(built.structures):
        reasons = "".join(f"; {name}: {reason}" for name, reason in list(built.failures.items())[:3])
        raise ValueError(f"{out}: nothing could be built, all of {len(built.failures)} molecules failed{reasons}")
    save(out, built, storage.provenance(gather, parents=paths, **extra))
    return built


def discard(folder: str | os.PathLike[str]) -> None:
    """Delete the pieces of a finished build."""
    shutil.rmtree(folder, ignore_errors=True)


def chunk(count: int, index: int, chunks: int) -> slice:
    """The consecutive items of ``count`` that chunk ``index`` of ``chunks`` has; sizes differ by one at most.

    Raises
    ------
    ValueError
        If there is no such chunk.
    """
    if not 0 <= index < chunks:
        raise ValueError(f"no chunk {index} of {chunks}")
    edges = np.linspace(0, count, chunks + 1).round().astype(int)
    return slice(int(edges[index]), int(edges[index + 1]))


def _in_workers(tasks: Any, workers: int, timeout: float | None) -> Any:
    yield from map_processes(_attempt, tasks, workers=workers, timeout=timeout)


def _attempt(task: _Task[Any]) -> Structures | TaskFailure:
    """What was built, or why it could not be."""
    try:
        return task.function(task.molecule)
    except Exception as error:
        text = " ".join(str(error).split())
        # an exception made for people speaks for itself; another one's kind is part of the reason
        plain = type(error).__module__.startswith("morered.") and text
        return TaskFailure(text if plain else f"{type(error).__name__}: {text}", "raised")


def _piece(names: Sequence[str], outcomes: dict[int, Structures | TaskFailure]) -> Built:
    built = [outcome for _, outcome in sorted(outcomes.items()) if isinstance(outcome, Structures) and len(outcome)]
    failures = {names[m]: outcome.reason for m, outcome in sorted(outcomes.items()) if isinstance(outcome, TaskFailure)}
    return Built(Structures.concatenate(built), failures)


def _load(file: Path, timeout: float | None) -> Built | None:
    """A piece of an earlier run; None where there is none that can be read, or one that lacked the time that there is now."""
    try:
        made = storage.read_provenance(file)
        if "over_time" in made and (timeout is None or timeout > made["over_time"]):
            return None
        return Built(storage.read(file, mmap=False), made["failures"])
    except (FileNotFoundError, storage.StorageError, KeyError):
        return None


def _digest(items: Sequence[Any], names: Sequence[str], part: slice, key: Any) -> str:
    """Name of a piece: molecules, settings and version."""
    digest = hashlib.sha256(json.dumps([key, list(names[part])], sort_keys=True, default=str).encode())
    for m in range(part.start, part.stop):
        item = items[m]
        if isinstance(item, Structures):
            digest.update(np.ascontiguousarray(item.numbers).data)
            digest.update(np.ascontiguousarray(item.positions, dtype=np.float64).data)
            if item.charges.any() or item.unpaired.any():  # the names of neutral molecules' pieces stay as they were
                digest.update(np.stack([item.charges, item.unpaired]).data)
        else:
            digest.update(json.dumps(item).encode())
    return digest.hexdigest()[:24]


class _Singles(Sequence[Structures]):
    """Molecules one by one, as containers of one each."""

    def __init__(self, molecules: Structures) -> None:
        self._molecules = molecules.without_columns()

    def __len__(self) -> int:
        return len(self._molecules)

    def __getitem__(self, m: Any) -> Any:
        return self._molecules[m]
