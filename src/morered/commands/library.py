"""`morered relax` of a library. It writes molecules as they are finished, and its memory does not grow with their number."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from morered.commands.arguments import supplements, usage
from morered.commands.messages import say, tell
from morered.formats import format_of, kind_of

if TYPE_CHECKING:  # imported where they are used: most calls are of a few molecules
    import torch

    from morered.library.run import Summary
    from morered.relaxation import Method

#: Bytes of the inputs from which on they are taken for a library: some thousand molecules, and fewer bytes where compressed.
LARGE = 8_000_000
LARGE_COMPRESSED = 1_000_000

_TOLD = 20  # molecules that cannot be read


def reason_to_stream(arguments: argparse.Namespace, stages: Sequence[Method]) -> str | None:
    """Why these inputs are relaxed as a library; None where they are not.

    They are where ``--resume`` or processes for networks are asked for, an input is a list of SMILES, or the inputs are large,
    and nothing else is asked for that needs all molecules at once.
    """
    from morered.settings.relaxation import PhysicalMethod

    if arguments.resume:
        return "--resume"
    if _whole(arguments) is not None:
        return None
    batched = not all(isinstance(method, PhysicalMethod) for method in stages)
    if arguments.workers is not None and arguments.workers > 1 and batched:
        return "--workers"
    if any(kind_of(source, arguments.format) == "smiles" for source in arguments.inputs):
        return "a list of SMILES"
    sizes = [(source, os.path.getsize(source)) for source in arguments.inputs if os.path.isfile(source)]
    weights = [size * (LARGE / LARGE_COMPRESSED if source.endswith((".gz", ".bz2", ".xz")) else 1) for source, size in sizes]
    return "a large input" if sum(weights) >= LARGE else None


def _whole(arguments: argparse.Namespace) -> str | None:
    """What is asked for that a stream does not give; None where nothing is."""
    for name in ("html", "trajectory", "seeds"):
        if getattr(arguments, name, None):
            return f"--{name}"
    kind = "extxyz" if arguments.output == "-" else format_of(arguments.output)
    return None if kind in ("sdf", "extxyz") else f"the format of {arguments.output}"


def run(arguments: argparse.Namespace, stages: Sequence[Method], device: torch.device, reason: str) -> int:
    """Relax a library; returns the exit code."""
    from morered.library.journal import JournalProblem, path_of
    from morered.library.outputs import OutputProblem
    from morered.library.run import LibraryOptions, relax_library
    from morered.models.weights import WeightsError

    if (whole := _whole(arguments)) is not None:
        return usage("relax", f"{reason} needs an output that grows: {whole} takes all molecules at once")
    if any(os.path.realpath(arguments.output) == os.path.realpath(source) for source in arguments.inputs if source != "-"):
        return usage("relax", f"{arguments.output}: is an input, which is read while it would be written: give another name")
    problems = _Problems(bool(arguments.table))
    try:
        summary = relax_library(
            arguments.inputs,
            arguments.output,
            stages,
            smiles=arguments.smiles,
            table=arguments.table,
            options=LibraryOptions(
                format=arguments.format,
                seed=arguments.seed,
                supplements=supplements(arguments),
                device=str(device),
                workers=arguments.workers,
                resume=arguments.resume,
                progress=not arguments.quiet and sys.stderr.isatty(),
            ),
            tell=problems.tell,
        )
    except (JournalProblem, WeightsError, ValueError) as error:
        return usage("relax", str(error))
    except OutputProblem as problem:
        say(f"morered relax: {problem}")
        if os.path.exists(path_of(arguments.output)):
            say(f"morered relax: what {path_of(arguments.output)} tells of is kept: once that is mended, --resume goes on")
        return 1
    problems.end()
    tell("relax", summary.remarks)
    if summary.interrupted:
        further = ", and --resume goes on" if os.path.exists(path_of(arguments.output)) else ""
        say(f"morered relax: interrupted; what was done by then has been written{further}")
    if not arguments.quiet:
        _summarise(summary, bool(arguments.table))
    return int(summary.interrupted or set(summary.done.verdicts) != {"converged"})


def _summarise(summary: Summary, table: bool) -> None:
    """Counts and rate, the first molecules that did not converge, and a warning of sizes."""
    done = summary.done
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(done.verdicts.items(), key=lambda one: -one[1]))
    rate = f"{summary.molecules / summary.seconds:.3g} a second" if summary.seconds > 0 else "at once"
    before = f", {done.molecules - summary.molecules} of them before" if done.molecules > summary.molecules else ""
    say(f"{done.molecules} molecules: {counts} ({summary.seconds:.0f} s, {rate}{before})")
    for name, verdict, reason in done.others:
        say(f"  {name}: {verdict}: {reason}")
    unlike = done.molecules - done.verdicts.get("converged", 0)
    if unlike > len(done.others):
        say(f"  and {unlike - len(done.others)} more; {'the table' if table else '--table'} lists all")
    if done.n_strange:
        more = f" and {done.n_strange - 1} more" if done.n_strange > 1 else ""
        say(f"warning: the model has seen no molecules of this size: {done.strange[0]}{more}; the reason of each tells")


class _Problems:
    """Tells the first molecules that cannot be read, and how many follow."""

    def __init__(self, table: bool) -> None:
        self._table = table
        self._count = 0

    def tell(self, sentence: str) -> None:
        self._count += 1
        if self._count <= _TOLD:
            tell("relax", [sentence])

    def end(self) -> None:
        if self._count > _TOLD:
            where = "the table" if self._table else "--table"
            say(f"morered relax: {self._count - _TOLD} more molecules cannot be read; {where} lists all")
