"""Compute energies of molecules as they are, at PBE0+MBD/def2-TZVP or in another basis. Each has converged or has a reason.

The table goes to standard output as CSV, a line for each molecule as soon as those before it are done. A molecule that cannot be
read or computed never stops the others. Ctrl-C ends it early: what is done by then is in the table. Exit code: 0 all converged, 1
some not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from morered.commands.arguments import add_reading, electrons, positive, usage
from morered.commands.messages import say, tell
from morered.commands.outputs import problem_of
from morered.escaping import cell, printable
from morered.streams import discard, is_gone

if TYPE_CHECKING:  # imported where they are used, so that --help is there at once
    from morered.dft.single_point import SinglePoint
    from morered.settings.level import Level

EXAMPLES = """examples:
  morered energy in.xyz                            PBE0+MBD/def2-TZVP, a line for each molecule
  morered energy a.sdf b.xyz --table out.csv       several files; the table in a file as well
  morered energy in.xyz --basis def2-svp           a smaller basis, about three times as fast
  morered energy in.xyz --exact --no-mbd           PBE0 with exact integrals
  morered relax in.xyz | morered energy -          in a pipe

columns:
  name, energy_eV (PBE0), mbd_eV (dispersion), total_eV (both), cycles of the self-consistent field, seconds,
  status (converged or failed), reason
"""

#: Columns of the table.
COLUMNS = ("name", "energy_eV", "mbd_eV", "total_eV", "cycles", "seconds", "status", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="xyz, extxyz, SDF or any file that ASE reads; - is standard input"
    )
    parser.add_argument(
        "-s", "--smiles", action="append", default=[], metavar="SMILES", help="a molecule as SMILES, unrelaxed; may be repeated"
    )
    parser.add_argument("--table", metavar="CSV", help="write the table to this file as well")
    parser.add_argument("--basis", default="def2-tzvp", help="basis set as PySCF names it (default: def2-tzvp)")
    parser.add_argument("--grid", type=int, default=3, metavar="N", help="PySCF's grid level, 0 to 9 (default: 3)")
    parser.add_argument("--exact", action="store_true", help="exact integrals instead of density fitting, seven times as slow")
    parser.add_argument("--no-mbd", action="store_true", help="without dispersion")
    parser.add_argument("--memory", type=int, metavar="MB", help="PySCF's limit for each process (default: PySCF's own)")
    parser.add_argument("--workers", type=positive, metavar="N", help="processes of one thread each (default: the cores)")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds that one molecule may take (default: no limit)")
    parser.add_argument("--gpu", action="store_true", help="compute on a GPU; needs the package gpu4pyscf")
    electrons(parser)
    add_reading(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar and no summary; problems are still told")


def run(arguments: argparse.Namespace) -> int:
    """Read, compute, print; returns the exit code."""
    if not arguments.inputs and not arguments.smiles:
        return usage("energy", "give at least one INPUT or --smiles; morered energy --help has examples")
    if problem := problem_of(table=arguments.table, inputs=arguments.inputs):
        return usage("energy", problem)
    if arguments.timeout is not None and not arguments.timeout > 0:
        return usage("energy", f"--timeout must be positive, not {arguments.timeout:g}")
    from morered import inputs
    from morered.energies import batch
    from morered.settings.level import Level

    try:
        level = Level(
            basis=arguments.basis,
            grid=arguments.grid,
            coarse_grid=min(1, arguments.grid),
            density_fitting=not arguments.exact,
            dispersion=not arguments.no_mbd,
            max_memory=arguments.memory,
            gpu=arguments.gpu,
        )
        _require(level)
    except ValueError as error:
        return usage("energy", str(error))
    given = inputs.gather(
        arguments.inputs,
        arguments.smiles,
        arguments.format,
        max_unpacked=arguments.max_unpacked,
        supplements=inputs.Supplements(arguments.charge, arguments.unpaired),
    )
    tell("energy", (*given.notes, *given.problems))

    rows: list[dict[str, Any]] = []
    points = _computed(given.structures, level, arguments)
    writer = _writer(sys.stdout)
    interrupted = False
    for record in given.reading.records:
        try:
            point = next(points) if record.problem is None else batch.failure(record.problem)
        except KeyboardInterrupt:
            interrupted = True
            break
        rows.append({"name": record.name, **batch.row(point)})
        try:
            writer.writerow(_printed(rows[-1]))
            sys.stdout.flush()
        except OSError as error:
            if not (is_gone(error) and arguments.table):
                raise
            discard(sys.stdout)  # the file is still wanted
    lost = False
    try:
        if arguments.table:
            _write(arguments.table, rows)
    except OSError as error:
        lost = True
        tell("energy", [f"{arguments.table}: {error}; the table stands on standard output"])
    if interrupted:
        say("morered energy: interrupted; what was done by then has been written")
    failures = [row for row in rows if row["status"] != "converged"]
    if not arguments.quiet:
        say(f"{len(rows)} molecules at {level.name}: {len(failures)} without an energy")
        for row in failures[:20]:
            say(f"  {row['name']}: {row['reason']}")
        if len(failures) > 20:
            say(f"  and {len(failures) - 20} more; --table lists all")
    return int(interrupted or lost or bool(failures))


def _require(level: Level) -> None:
    """Refuse at once what no molecule can be computed with."""
    from morered.dft.pbe0 import molecule

    if level.gpu:
        from importlib.util import find_spec

        if find_spec("gpu4pyscf") is None:
            raise ValueError("--gpu needs the package gpu4pyscf (pip install gpu4pyscf-cuda12x)")
    try:
        with warnings.catch_warnings(action="ignore"):  # PySCF advises packages to install
            molecule([1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]], level)
    except ValueError as error:
        raise ValueError(f"--basis {level.basis}: {error}") from None


def _computed(structures: Any, level: Level, arguments: argparse.Namespace) -> Iterator[SinglePoint]:
    """The single points in order, with a progress bar on a terminal."""
    from tqdm import tqdm

    from morered.energies import batch
    from morered.parallel import TaskFailure, available_cores, map_processes

    electronic = zip(structures.charges.tolist(), structures.unpaired.tolist(), strict=True)
    molecules = [(m.numbers, m.positions, *state) for m, state in zip(structures, electronic, strict=True)]
    workers = min(arguments.workers or (1 if arguments.gpu else available_cores()), max(1, len(molecules)))
    with tqdm(
        total=len(molecules), desc="energies", file=sys.stderr, disable=arguments.quiet or not sys.stderr.isatty()
    ) as progress:
        if workers == 1 and arguments.timeout is None:
            for task in molecules:
                yield _point(task, level=level)
                progress.update()
            return
        done: dict[int, SinglePoint] = {}
        following = 0
        for index, outcome in map_processes(partial(_point, level=level), molecules, workers=workers, timeout=arguments.timeout):
            progress.update()
            done[index] = batch.failure(outcome.reason) if isinstance(outcome, TaskFailure) else outcome
            while following in done:
                yield done.pop(following)
                following += 1


def _point(molecule: Any, level: Level) -> SinglePoint:
    """A task for a worker."""
    from morered.dft.single_point import single_point

    numbers, positions, charge, unpaired = molecule
    return single_point(numbers, positions, level, charge, unpaired)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table: energies to 1e-8 eV, nothing where there is no number, no text that a spreadsheet would compute."""
    digits = {"energy_eV": 8, "mbd_eV": 8, "total_eV": 8, "seconds": 3}
    shown = {
        name: ("" if value != value else f"{value:.{digits[name]}f}") if name in digits else value for name, value in row.items()
    }
    return {name: cell(value) if isinstance(row[name], str) else value for name, value in shown.items()}


def _printed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it goes to standard output: on a terminal without anything that the terminal would obey."""
    shown = _shown(row)
    if not sys.stdout.isatty():
        return shown
    return {name: printable(value) if isinstance(value, str) else value for name, value in shown.items()}


def _writer(stream: TextIO) -> csv.DictWriter[str]:
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    return writer


def _write(path: str, rows: list[dict[str, Any]]) -> None:
    from morered.files import atomic_path
    from morered.formats.sources import compressed

    text = io.StringIO(newline="")
    _writer(text).writerows(map(_shown, rows))
    with atomic_path(path) as temporary:
        temporary.write_bytes(compressed(path, text.getvalue()))
