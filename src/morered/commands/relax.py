"""Relax molecules. They come back in their order and their own pose, each with a verdict and a reason: converged, changed,
step-cap, refused or failed.

A result has converged if it passes all checks, which are listed below. It is changed if it is another molecule than the input.
A molecule that cannot be read or relaxed, or ends at an impossible geometry, keeps its coordinates. It never stops the others.
Ctrl-C ends the run early and writes what is done. The exit code is 0 if all converged, 1 if some did not, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from morered.checks.table import CHECKS
from morered.commands import conformers
from morered.commands.arguments import add_reading, electrons, mending, one_of, positive, supplements, usage
from morered.commands.messages import say, tell
from morered.commands.outputs import problem_of, rescue, write_each
from morered.settings.presets import DEFAULT, PRESETS

if TYPE_CHECKING:  # imported where they are used, so that --help is there at once
    from morered.inputs import Inputs
    from morered.relaxation import Method
    from morered.relaxation.result import Result
    from morered.structures import Structures

EXAMPLES = """examples:
  morered relax in.xyz -o out.xyz                       each molecule by the network that knows it
  morered relax a.sdf b.xyz -o out.sdf --table t.csv    several files, and a table of the verdicts
  morered relax in.xyz -o out.xyz --method gfn2         another method
  morered relax in.xyz -o out.xyz --finish gfn2         GFN2-xTB refines each result, and relaxes what MoreRed cannot
  morered relax in.xyz -o out.xyz --html page.html      before and after in 3D, steps and verdicts, in a browser
  morered relax in.xyz -o out.xyz --seeds 4             how far the results of four runs lie apart
  morered relax -s CCO -s c1ccccc1O -o out.sdf          from SMILES
  morered relax in.smi -o out.sdf --conformers 20       different conformers, ranked; --energy aimnet2, gfn2 or mmff94
  morered relax library.smi.gz -o out.sdf --resume      a library of any size, on all cores; goes on after a kill
  morered relax in.sdf -o out.sdf --freeze '[#6]'       carbons stay; --freeze 1-4,7 names atoms by number
  cat in.xyz | morered relax - > out.xyz                in a pipe

methods:
  auto         the default: fast for neutral molecules of H, C, N, O and S with up to seven heavy atoms, organic for all others,
               and mmff94 before it where a larger one is far from a minimum. The column auto_method tells
  fast         MoreRed-JT jumps to the predicted clean structure, with Anderson mixing, 10 to 20 evaluations.
               It tries again where a result lies far from the input, and takes the nearest one
  balanced     the same, but it tries again more readily, 15 to 35 evaluations
  accurate     the same to a tighter limit, 25 to 90 evaluations
  organic      jumps of which some are long, by the network for 14 elements, ions and molecules of up to 90 atoms, 17 evaluations
  jt, as, itp  MoreRed as in the paper: up to 1000 stochastic steps
  aimnet2      a network for 14 elements and ions at the level of wB97M-D3, L-BFGS in batches to 0.001 eV/Å
  mlff, so3lr  force fields, L-BFGS in batches to 0.00005 eV/Å
  gfn2, gfn1   tight binding (tblite, L-BFGS)
  mmff94       RDKit's MMFF94 force field;         mmff94-openbabel   Open Babel's
  others       that installed packages bring (docs/chemists.md); any ASE calculator or function of your own from Python

checks: each is a column of the table (1 passed, 0 not, -1 unknown or not asked). The second word is the verdict without it
""" + "\n".join(f"  {name:<15}{check.otherwise:<10}{check.meaning}" for name, check in CHECKS.items())

FINISHES = ("organic", "gfn2", "gfn1", "aimnet2", "so3lr", "mmff94")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="xyz, extxyz, SDF, a list of SMILES (.smi), all also .gz; PDB, mol2, or any file that ASE reads, such as outputs of "
        "Gaussian (--format gaussian-out) and ORCA (--format orca-output); - is standard input",
    )
    parser.add_argument(
        "-s", "--smiles", action="append", default=[], metavar="SMILES", help="a molecule as SMILES; may be repeated"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="OUT",
        help="extxyz, SDF, HDF5 or ASE database by ending; - (default) is standard output",
    )
    parser.add_argument(
        "--method",
        type=one_of(tuple(PRESETS)),
        metavar="NAME",
        default=DEFAULT,
        help="how to relax, see below (default: %(default)s)",
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="weights in place of the shipped ones; NOISE,TIME for as and itp; auto is then fast"
    )
    parser.add_argument(
        "--steps", type=positive, metavar="N", help="cap on the steps of each try of a molecule (default: the method's own)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the noise (default: 0)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes, each with one thread, for libraries and for methods that take one molecule at a time (default: one for "
        "each core; 1: this process alone)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="write molecules as they are finished, and go on where an earlier call was stopped or killed (docs/libraries.md)",
    )
    parser.add_argument(
        "--finish",
        type=one_of(FINISHES),
        metavar="NAME",
        help=f"refine each result with this method ({', '.join(FINISHES)}), and relax with it what the first method could not",
    )
    parser.add_argument("--table", metavar="CSV", help="write one line for each molecule: verdict, steps, ..., reason")
    parser.add_argument("--trajectory", metavar="FILE", help="write all steps: extxyz with a frame each, or HDF5 (.h5)")
    parser.add_argument(
        "--html", metavar="PAGE", help="write a page that shows each molecule before and after, its steps and verdict"
    )
    parser.add_argument(
        "--seeds",
        type=_several,
        metavar="K",
        help="relax K times, with K seeds or, for methods without noise, from inputs perturbed by 0.05 Å. The first run "
        "gives the result. Two columns are added: seed_spread is the mean RMSD in Å between the K results, time_spread how much "
        "the atoms of the result disagree on its diffusion time. Do not trust a result with a large seed_spread",
    )
    conformers.add_arguments(parser)
    mending(parser)
    electrons(parser)
    add_reading(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar and no summary; problems are still told")


def run(arguments: argparse.Namespace) -> int:
    """Read, relax, write, sum up; returns the exit code."""
    if not arguments.inputs and not arguments.smiles:
        return usage("relax", "give at least one INPUT or --smiles; morered relax --help has examples")
    from morered import devices, inputs
    from morered.commands import library
    from morered.models.weights import WeightsError
    from morered.relaxation import Recording
    from morered.relaxation.methods import missing, preset
    from morered.relaxation.stages import relax_stages

    problem = problem_of(
        arguments.output,
        steps=arguments.trajectory,
        table=arguments.table,
        others=[arguments.html],
        inputs=arguments.inputs,
    )
    if problem or (problem := conformers.misused(arguments)):
        return usage("relax", problem)
    if not arguments.weights and (absent := missing(arguments.method)):
        own = "NOISE,TIME" if len(absent) > 1 else "FILE"
        return usage(
            "relax",
            f"the method {arguments.method} needs the weights {' and '.join(absent)}, which do not come with this version: give "
            f"your own with --weights {own}, or take another method",
        )
    try:
        settings = {} if arguments.steps is None else {"steps": arguments.steps}
        stages = [preset(arguments.method, _weights(arguments.weights, arguments.method), **settings)]
        if arguments.finish:
            stages.append(preset(arguments.finish))
        device = devices.choose(arguments.device)
    except ValueError as error:
        return usage("relax", str(error))

    if not arguments.smiles and (lost := inputs.absent(arguments.inputs)) is not None:
        tell("relax", lost)
        return 1
    if arguments.conformers:
        return conformers.run(arguments, stages, device)
    if (reason := library.reason_to_stream(arguments, stages)) is not None:
        return library.run(arguments, stages, device, reason)
    given = inputs.gather(
        arguments.inputs,
        arguments.smiles,
        arguments.format,
        arguments.seed,
        arguments.max_unpacked,
        supplements(arguments),
    )
    tell("relax", (*given.notes, *given.problems))
    options: dict[str, Any] = {
        "seed": arguments.seed,
        "device": device,
        "workers": arguments.workers,
        "recording": Recording(frames=bool(arguments.trajectory)) if arguments.trajectory or arguments.html else None,
        "progress": not arguments.quiet and sys.stderr.isatty(),
    }
    try:
        if arguments.seeds:
            from morered.relaxation.uncertainty import relax_repeatedly

            done = relax_repeatedly(given.structures, stages, arguments.seeds, **options)
        else:
            done = relax_stages(given.structures, stages, **options)
    except (WeightsError, ValueError) as error:
        return usage("relax", str(error))
    everything = given.complete(done.structures)
    failures = _write(arguments, given, done, everything, stages)
    if done.interrupted:
        say("morered relax: interrupted; what was done by then has been written")
    verdicts = Counter(verdict.decode() for verdict in everything.column("verdict").tolist())
    if not arguments.quiet:
        _summarise(everything, verdicts)
    return int(done.interrupted or bool(failures) or set(verdicts) != {"converged"})


def _write(
    arguments: argparse.Namespace, given: Inputs, done: Result, everything: Structures, stages: Sequence[Method]
) -> list[str]:
    """Write what was asked for: molecules, table, steps, page; returns what failed, which is told with where the results are."""
    from morered import formats

    whole = everything[everything.sizes > 0]  # of a molecule without atoms there is nothing to write but its line in the table
    carried = given.carried(everything)

    def molecules() -> None:
        kind = formats.format_of(arguments.output)
        if kind in ("hdf5", "schnetpack"):
            formats.write(arguments.output, given.with_columns(whole))
        else:
            options: dict[str, Any] = {"templates": given.templates(whole)} if kind == "sdf" else {}
            formats.write(arguments.output, whole, carried=carried, **options)

    def steps() -> None:
        assert done.trajectories is not None
        if formats.format_of(arguments.trajectory) == "hdf5":
            done.trajectories.write(arguments.trajectory)
        else:
            formats.write(arguments.trajectory, done.trajectories.structures(given.structures))

    def page() -> None:
        from morered.pages import Stage, write_page

        recorded = [steps for steps in (done.trajectories, *done.further) if steps is not None]
        write_page(
            arguments.html,
            given.complete(given.structures),
            everything,
            [Stage.of(method, steps) for method, steps in zip(stages, recorded, strict=False)],  # fewer where interrupted
            method=", then ".join(filter(None, (arguments.method, arguments.finish))),
        )

    def table() -> None:
        from morered.metrics.tables import write_table  # pandas, which nothing else here needs
        from morered.relaxation.verdicts.columns import table_of

        write_table(table_of(everything), arguments.table)

    tasks: dict[str, Callable[[], None]] = {}
    if arguments.table:
        tasks[arguments.table] = table
    if arguments.trajectory and done.trajectories is not None:
        tasks[arguments.trajectory] = steps
    if arguments.html:
        tasks[arguments.html] = page
    if len(whole) or arguments.output == "-" or not os.path.isfile(arguments.output):  # a wrong input must not empty a file
        tasks[arguments.output] = molecules
    failures = write_each(tasks)
    tell("relax", failures)
    if failures:
        tell("relax", [rescue(whole, carried)])
    return failures


def _summarise(everything: Structures, verdicts: Counter[str]) -> None:
    """Counts of the verdicts, the reason of each molecule that did not converge (the first twenty), and a warning of sizes."""
    from morered.relaxation.verdicts.familiarity import is_noted

    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    say(f"{len(everything)} molecules: {counts}")
    others = [m for m, verdict in enumerate(everything.column("verdict").tolist()) if verdict != b"converged"]
    for m in others[:20]:
        verdict, reason = everything.column("verdict")[m].decode(), everything.column("reason")[m].decode()
        say(f"  {everything.ids[m].decode()}: {verdict}: {reason}")
    if len(others) > 20:
        say(f"  and {len(others) - 20} more; --table lists all")
    strange = [m for m, reason in enumerate(everything.column("reason").tolist()) if is_noted(reason.decode())]
    if strange:
        others_like_it = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        say(
            f"warning: the model has seen no molecules of this size: {everything.ids[strange[0]].decode()}{others_like_it}; "
            "the reason of each tells",
        )


def _weights(text: str | None, method: str):  # type: ignore[no-untyped-def]
    """One file, or the two of as and itp."""
    if text is None or method not in ("as", "itp"):
        return text
    noise, comma, time = text.partition(",")
    if not comma:
        raise ValueError(f"--weights: {method} needs two models, NOISE,TIME")
    return {"noise": noise, "time": time}


def _several(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f"must be at least 2, not {value}: the first run is the result, the others its measure")
    return value
