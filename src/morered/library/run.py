"""Relaxes a library batch by batch, here or in worker processes, and writes the results in order.

A batch is some molecules that lie one after another in the library, however many processes there are: so neither their number nor
an interruption changes a result.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import batched, chain, islice
from pathlib import Path
from typing import Any

import cloudpickle

from morered import calculators, resumable
from morered.formats import format_of
from morered.formats.sources import STDIN as STDOUT
from morered.inputs import Supplements
from morered.items import Item, counted, items
from morered.library import journal
from morered.library.batch import Format, Relaxing, Texts, head
from morered.library.journal import Done, JournalProblem
from morered.library.outputs import GrowingFile, OutputProblem
from morered.parallel import TaskFailure, available_cores, map_processes
from morered.relaxation.methods import preset
from morered.relaxation.stages import relax_stages
from morered.settings.auto import AutoMethod
from morered.settings.relaxation import TIMEOUT, DiffusionMethod, Method, PhysicalMethod, PotentialMethod
from morered.structures import Structures
from morered.worker import describe

#: Formats that a library is written in.
FORMATS: tuple[Format, ...] = ("sdf", "extxyz")

#: Molecules of a batch: by networks, by force fields in batches, by programs that take one at a time. A batch is what is lost
#: when the run is killed, and what waits for its slowest molecule.
BATCH = {"network": 64, "potential": 8, "program": 1}
#: The same on a GPU.
BATCH_GPU = {"network": 2048, "potential": 512, "program": 1}

_BATCHES_AHEAD = 8  # of each worker: how far it may be before the others
_SECONDS_BETWEEN_SAVES = 1.0


@dataclass(frozen=True)
class LibraryOptions:
    """How a library is relaxed.

    Attributes
    ----------
    format
        Of the inputs where their ending does not tell it.
    seed, supplements, device
        See `morered.library.batch.Relaxing`.
    workers
        Processes of one thread each; None: one for each core, or this one alone with a GPU. One is this process, where no
        molecule has a time limit.
    resume
        Go on where an unfinished run stopped; from the beginning where there is none.
    window
        First molecule of the library that is relaxed, and the first that is not any more; None: all.
    progress
        Show a bar with molecules done, their rate, and the time left.
    """

    format: str | None = None
    seed: int = 0
    supplements: Supplements = field(default_factory=Supplements)
    device: str = "cpu"
    workers: int | None = None
    resume: bool = False
    window: tuple[int, int] | None = None
    progress: bool = False


@dataclass
class Summary:
    """What became of a library.

    Attributes
    ----------
    done
        Counts of all molecules, and the first that did not converge.
    seconds, molecules
        That this run took, and that it did.
    interrupted
        Whether Ctrl-C ended it.
    """

    done: Done
    seconds: float = 0.0
    molecules: int = 0
    interrupted: bool = False
    remarks: list[str] = field(default_factory=list)


def relax_library(
    sources: Sequence[str],
    output: str,
    stages: Sequence[Method],
    *,
    smiles: Sequence[str] = (),
    table: str | None = None,
    options: LibraryOptions | None = None,
    tell: Callable[[str], None] | None = None,
) -> Summary:
    """Relax all molecules of some files and write them in their order, in memory that does not grow with their number.

    Parameters
    ----------
    sources, smiles
        See `morered.items.items`.
    output
        SDF or extended xyz, maybe compressed, or "-" for standard output (extended xyz). It grows while the run goes on.
    stages
        Methods one after another.
    table
        A CSV file with one line for each molecule (`morered.library.batch.TABLE`).
    options
        See `LibraryOptions`.
    tell
        Gets a sentence on each molecule that cannot be read.

    Returns
    -------
    Summary
        Also after Ctrl-C; a run that was ended so, or killed, goes on with ``resume``.

    Raises
    ------
    ValueError
        If the output is of no format that can grow, or a method or its weights are wrong.
    morered.library.journal.JournalProblem
        If there is no run that could be continued, or one that must not be lost.
    morered.library.outputs.OutputProblem
        If a file cannot be written; a run that was ended so goes on with ``resume`` as well.
    """
    options = options or LibraryOptions()
    relaxing = Relaxing(tuple(stages), format_written(output), options.seed, options.supplements, options.device)
    require(stages, options.device)
    paths = [output, *([table] if table else [])]
    settings = _settings(sources, smiles, stages, paths, options)
    summary = Summary(_begun(output, settings, resume=options.resume))
    with ExitStack() as stack:
        files = [stack.enter_context(GrowingFile(path)) for path in paths]
        if files[0].lasting:
            journal.save(output, summary.done)
        for file in files:
            file.start(summary.done.positions.get(file.path, 0))
        if table and not files[1].position:
            files[1].append(head())
            summary.done.positions = {file.path: file.position for file in files}
        before, start = summary.done.molecules, time.monotonic()
        try:
            _relax_all(relaxing, sources, smiles, options, files, summary, tell)
        except KeyboardInterrupt:
            summary.interrupted = True
        except OutputProblem:
            with suppress(OSError, OutputProblem):  # the journal may find no room either: what it told of before still holds
                _settle(files, summary.done)
            raise
        _settle(files, summary.done)
        summary.molecules, summary.seconds = summary.done.molecules - before, time.monotonic() - start
        if files[0].lasting and not summary.interrupted:
            journal.remove(output)
    return summary


def relax_chunk(
    source: str,
    molecules: str,
    table: str,
    *,
    chunk: tuple[int, int],
    count: int,
    method: str,
    finish: str | None = None,
    seed: int = 0,
    workers: int = 1,
) -> Summary:
    """Relax one chunk of a library to files that are complete or not there; one that was killed goes on where it was.

    Parameters
    ----------
    source
        The library.
    molecules, table
        Outputs, see `relax_library`. Until they are complete they lie in a folder beside ``molecules``; what other settings
        left there is made anew.
    chunk
        Which of how many.
    count
        Molecules of the library.
    method, finish
        Names of `morered.settings.presets`.
    seed, workers
        See `LibraryOptions`.
    """
    stages = [preset(name) for name in (method, finish) if name]
    part = resumable.chunk(count, *chunk)
    folder = Path(f"{molecules}.pieces")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = [str(folder / Path(path).name) for path in (molecules, table)]
    options = LibraryOptions(
        seed=seed, workers=workers, window=(part.start, part.stop), resume=not _complete(unfinished), progress=True
    )
    relax = partial(relax_library, [source], unfinished[0], stages, table=unfinished[1], tell=print)
    try:
        summary = relax(options=options)
    except JournalProblem as problem:  # the pieces are of another config, and nobody is there to be asked
        print(f"{problem}. They are made anew")
        resumable.discard(folder)
        folder.mkdir(parents=True)
        summary = relax(options=replace(options, resume=False))
    if summary.interrupted:
        raise KeyboardInterrupt
    for made, final in zip(unfinished, (molecules, table), strict=True):
        os.replace(made, final)
    resumable.discard(folder)
    return summary


def _complete(unfinished: Sequence[str]) -> bool:
    """Whether a chunk was completed but not moved to its place, which is too seldom to be worth more than doing it again."""
    return os.path.exists(unfinished[0]) and not os.path.exists(journal.path_of(unfinished[0]))


def format_written(output: str) -> Format:
    """The format of an output that can grow.

    Raises
    ------
    ValueError
        If it is none; the message says which are.
    """
    kind = "extxyz" if output == STDOUT else format_of(output)
    for name in FORMATS:
        if kind == name:
            return name
    raise ValueError(f"{output}: a library is written as it is relaxed, to .sdf, .xyz or .extxyz (also .gz, .bz2, .xz)")


def require(stages: Sequence[Method], device: str) -> None:
    """Find out what is wrong with methods before a library is touched.

    Raises
    ------
    ValueError, morered.extras.MissingExtra
        If a method, its weights, or what it needs is wrong or not there.
    """
    for method in stages:
        if isinstance(method, PhysicalMethod):
            calculators.get(method.program)
    relax_stages(Structures.build([], [], []), stages, device=device, workers=1)


def batch_size(stages: Sequence[Method], device: str) -> int:
    """Molecules of a batch, by the slowest method."""
    sizes = BATCH if device == "cpu" else BATCH_GPU
    return min(sizes[_kind(method)] for method in stages)


def _kind(method: Method) -> str:
    if isinstance(method, PhysicalMethod):
        return "program"
    return "network" if isinstance(method, DiffusionMethod | AutoMethod) else "potential"


def _settings(
    sources: Sequence[str], smiles: Sequence[str], stages: Sequence[Method], paths: Sequence[str], options: LibraryOptions
) -> dict[str, Any]:
    """What decides the results of a run, as plain values; the number of processes does not."""
    own = {key: value for key, value in asdict(options).items() if key in ("format", "seed", "window")}
    own |= asdict(options.supplements)
    methods = {("method", "finish")[k] if k < 2 else f"method {k + 1}": _told(method) for k, method in enumerate(stages)}
    return {**methods, **own, "outputs": list(paths), **journal.inputs_of(sources, smiles)}


def _told(method: Method) -> str:
    """All settings of a method; of a potential that the user brings the name, which is the same in every process."""
    if isinstance(method, PotentialMethod) and not isinstance(method.potential, str):
        method = replace(method, potential=method.kind)
    return repr(method)


def _travels(stages: Sequence[Method]) -> bool:
    """Whether the methods can be sent to another process, which not every potential that a user brings can."""
    if all(not isinstance(method, PotentialMethod) or isinstance(method.potential, str) for method in stages):
        return True
    try:
        cloudpickle.dumps(stages)
    except Exception:  # whatever its parts raise
        return False
    return True


def _begun(output: str, settings: dict[str, Any], *, resume: bool) -> Done:
    """The run to be continued, or a new one."""
    there = os.path.exists(journal.path_of(output))
    if there and not resume:
        raise JournalProblem(
            f"{output}: holds an unfinished run: --resume goes on with it; delete {journal.path_of(output)} to begin anew"
        )
    if resume and output == STDOUT:
        raise JournalProblem("--resume needs an output file (-o)")
    if resume and not there and os.path.isfile(output) and os.path.getsize(output):
        raise JournalProblem(
            f"{output}: holds no unfinished run: it is complete, or was not written by one. Without --resume it is written anew"
        )
    return journal.load(output, settings) or Done(settings)


def _relax_all(
    relaxing: Relaxing,
    sources: Sequence[str],
    smiles: Sequence[str],
    options: LibraryOptions,
    files: Sequence[GrowingFile],
    summary: Summary,
    tell: Callable[[str], None] | None,
) -> None:
    done = summary.done
    first, last = options.window or (0, sys.maxsize)
    all_items = items(sources, smiles, options.format, summary.remarks)
    left = islice(all_items, first + done.molecules, max(last, first + done.molecules))
    size = batch_size(relaxing.stages, options.device)
    total = None if not options.progress else last - first if options.window else counted(sources, smiles, options.format)
    saved = time.monotonic()
    with _bar(options.progress, total, done.molecules) as advance:
        for texts in _results(relaxing, batched(left, size), options):
            files[0].append(texts.molecules)
            if len(files) > 1:
                files[1].append(texts.table)
            # In one step, so that Ctrl-C finds the files before this batch or after it.
            summary.done = summary.done.after(texts, {file.path: file.position for file in files})
            for sentence in texts.problems:
                if tell is not None:
                    tell(sentence)
            advance(sum(texts.verdicts.values()))
            if files[0].lasting and time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                _save(files, summary.done)
                saved = time.monotonic()


def _settle(files: Sequence[GrowingFile], done: Done) -> None:
    """Take from the files what belongs to no finished batch, and write the journal."""
    for file in files:
        file.start(done.positions.get(file.path, 0))
    _save(files, done)


def _save(files: Sequence[GrowingFile], done: Done) -> None:
    """Write the journal, once what it tells of is on the disk."""
    if files[0].lasting:
        for file in files:
            file.sync()
        journal.save(files[0].path, done)


# --------------------------------------------------------------------- batches


def _results(relaxing: Relaxing, batches: Iterator[tuple[Item, ...]], options: LibraryOptions) -> Iterator[Texts]:
    """What became of each batch, in order."""
    workers = options.workers or (available_cores() if options.device == "cpu" else 1)
    workers = workers if _travels(relaxing.stages) else 1
    programs = any(isinstance(method, PhysicalMethod) for method in relaxing.stages)
    begin = list(islice(batches, 2))
    if (len(begin) < 2 or workers == 1) and not (programs and options.workers is None):  # no work for another process
        return _here(relaxing, chain(begin, batches))
    return _in_processes(relaxing, chain(begin, batches), workers)


def _here(relaxing: Relaxing, batches: Iterable[tuple[Item, ...]]) -> Iterator[Texts]:
    import torch

    threads = torch.get_num_threads()
    if relaxing.device == "cpu":
        torch.set_num_threads(1)  # as in a worker: sums of several threads may differ in their last digit
    try:
        for batch in batches:
            try:
                yield relaxing(batch)
            except Exception as error:
                if len(batch) == 1:
                    yield relaxing.lost(batch[0], describe(error))
                else:
                    yield from _here(relaxing, ([item] for item in batch))  # type: ignore[misc]  # one by one
    finally:
        torch.set_num_threads(threads)


def _in_processes(relaxing: Relaxing, batches: Iterable[tuple[Item, ...]], workers: int) -> Iterator[Texts]:
    sent: dict[int, tuple[Item, ...]] = {}
    finished: dict[int, Texts | TaskFailure] = {}

    def tasks() -> Iterator[tuple[Item, ...]]:
        for index, batch in enumerate(batches):
            sent[index] = batch
            yield batch

    run = partial(map_processes, relaxing, timeout=_timeout(relaxing.stages))
    turn = 0
    for index, result in run(tasks(), workers=workers, ahead=_BATCHES_AHEAD * workers):
        finished[index] = result
        while turn in finished:
            found, batch = finished.pop(turn), sent.pop(turn)
            turn += 1
            if not isinstance(found, TaskFailure):
                yield found
                continue
            if len(batch) == 1:
                yield relaxing.lost(batch[0], found.reason)
                continue
            for k, one in run([(item,) for item in batch], workers=1):  # which of them was it?
                yield relaxing.lost(batch[k], one.reason) if isinstance(one, TaskFailure) else one


def _timeout(stages: Sequence[Method]) -> float | None:
    """Seconds for a batch: those of the programs, of which a batch has one molecule; for networks it ends what hangs."""
    limits = [getattr(method, "timeout", None) or TIMEOUT for method in stages]
    return None if any(map(math.isinf, limits)) else sum(limits)


@contextmanager
def _bar(shown: bool, total: int | None, done: int) -> Iterator[Callable[[int], None]]:
    """A function to tell molecules to, which move a bar where it is shown."""
    if not shown:
        yield lambda molecules: None
        return
    from tqdm.auto import tqdm  # slow to import

    with tqdm(total=total, initial=done, unit="mol", file=sys.stderr, dynamic_ncols=True, smoothing=0.05) as bar:

        def advance(molecules: int) -> None:
            bar.update(molecules)

        yield advance
