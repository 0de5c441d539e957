"""Generate molecules of a composition from pure noise. Each one has a verdict on the process (converged, step-cap, refused or
failed) and is looked at: valid or not and why, its SMILES, its geometry.

What comes out is a sample of what the model has learned, not a list of all isomers, and not all of it is valid. A process that
failed leaves no structure: it is in the table alone. Ctrl-C ends it early: what is done by then is written. Exit code: 0 all
converged, 1 some not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from morered.commands.arguments import positive, usage
from morered.commands.messages import say, tell
from morered.commands.outputs import problem_of, rescue

if TYPE_CHECKING:  # imported where they are used, so that --help is there at once
    import pandas as pd

    from morered.structures import Structures

EXAMPLES = """examples:
  morered generate C7H10O2 -n 100 -o out.sdf             MoreRed: time steps predicted, at most 2000 steps a molecule
  morered generate C7H10O2 -n 100 -o out.sdf --method ddpm   the fixed schedule of 1000 steps
  morered generate C6H6 C5H5N -n 20 -o out.xyz           several compositions
  morered generate C7H10O2 -n 100 -o out.sdf --valid     only what is valid, once each
  morered generate C7H10O2 -o out.sdf --table t.csv      one line for each: verdict, valid, SMILES, why not

methods:
  jt    MoreRed-JT, as in the paper: from noise until the predicted time step is 0
  ddpm  the fixed schedule, with a network that predicts noise. Give it no joint network (--weights): such a one was trained
        with the times that it predicts itself, and many of its processes break off at the times of the schedule
"""

#: Method -> the shipped weights that it takes.
METHODS = {"jt": "morered-jt", "ddpm": "morered-noise"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("formulas", nargs="+", metavar="FORMULA", help="composition, such as C7H10O2")
    parser.add_argument(
        "-n", "--number", type=positive, default=10, metavar="N", help="molecules of each composition (default: 10)"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="OUT",
        help="SDF, extxyz, HDF5 or ASE database by ending; - (default) is standard output",
    )
    parser.add_argument("--method", choices=list(METHODS), default="jt", help="how to generate (default: jt)")
    parser.add_argument("--weights", metavar="FILE", help="weights in place of the shipped ones")
    parser.add_argument("--steps", type=positive, metavar="N", help="cap on the steps (default: 2000; ddpm: its schedule)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the noise (default: 0)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")
    parser.add_argument(
        "--perception",
        choices=("rdkit", "openbabel"),
        default="rdkit",
        help="what perceives bonds, validity and names: RDKit (default), or Open Babel as in the paper (extra mmff)",
    )
    parser.add_argument("--valid", action="store_true", help="write valid molecules only, each once")
    parser.add_argument("--table", metavar="CSV", help="write one line for each molecule, also for one without a structure")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar and no summary; problems are still told")


def run(arguments: argparse.Namespace) -> int:
    """Generate, look, write, sum up; returns the exit code."""
    from ase.data import chemical_symbols

    from morered import devices
    from morered.generation.compositions import repeated
    from morered.generation.examine import examine
    from morered.generation.formula import FormulaError, formula_of, numbers_of
    from morered.generation.sampling import generate, preset
    from morered.models import weights
    from morered.relaxation import RelaxationInterrupted
    from morered.structures import Structures

    if problem := problem_of(arguments.output, table=arguments.table):
        return usage("generate", problem)
    source = arguments.weights or METHODS[arguments.method]
    try:
        compositions = [numbers_of(formula) for formula in arguments.formulas]
        device = devices.choose(arguments.device)
        model = weights.load(source)
    except (FormulaError, weights.WeightsError, ValueError) as error:
        return usage("generate", str(error))
    known = model.network.elements
    for formula, numbers in zip(arguments.formulas, compositions, strict=True):
        if known and (strange := sorted(set(numbers.tolist()) - known)):
            there = ", ".join(chemical_symbols[z] for z in sorted(known))
            return usage(
                "generate",
                f"{formula}: the model has never seen {' or '.join(chemical_symbols[z] for z in strange)}; it knows {there}",
            )
    names = [formula_of(numbers) for numbers in compositions]
    if len(set(names)) < len(names):
        return usage("generate", f"{', '.join(arguments.formulas)}: a composition is given twice")

    wanted = Structures.concatenate(repeated(z, arguments.number, name) for z, name in zip(compositions, names, strict=True))
    interrupted = False
    try:
        method = preset(arguments.method, model, steps=arguments.steps, seed=arguments.seed)
        done = generate(wanted, method, checked=True, device=device, progress=not arguments.quiet and sys.stderr.isatty())
    except RelaxationInterrupted as stop:
        done, interrupted = stop.result, True
    except ValueError as error:  # a model that does not predict what the method needs
        return usage("generate", f"{source}: {error}")
    table = examine(done.structures, perception=arguments.perception)
    lost = False
    try:
        _write(arguments, done.structures, table)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        lost = True
        tell("generate", [str(error), rescue(done.structures)])
    if interrupted:
        say("morered generate: interrupted; what was done by then has been written")
    if not arguments.quiet:
        _summarise(table)
    return int(interrupted or lost or set(table["verdict"]) != {"converged"})


def _write(arguments: argparse.Namespace, structures: Structures, table: pd.DataFrame) -> None:
    """Write what has a structure, with what was found out about it, and the table of all."""
    import numpy as np

    from morered import formats
    from morered.generation.perception import by_rdkit
    from morered.metrics.tables import write_table
    from morered.perception import bonded
    from morered.structures import Column

    def texts(name: str, otherwise: str) -> Column:
        return Column(np.array([(text or otherwise).encode() for text in table[name]], dtype=np.bytes_).reshape(len(table)))

    found = {name: Column(table[name].to_numpy(np.int8)) for name in ("valid", "valid_rdkit", "stable")}
    found |= {"smiles": texts("smiles", "-"), "problem": texts("problem", "none"), "geometry": texts("geometry", "unknown")}
    own = {name: structures.columns[name] for name in ("verdict", "steps", "closest_contact", "seconds", "reason")}
    written = ~table["verdict"].isin(["failed", "refused"]).to_numpy()
    if arguments.valid:
        written &= (table["valid"] == 1) & ~table["smiles"].where(table["valid"] == 1).duplicated().to_numpy()
    chosen = structures.without_columns().with_columns(own | found)[np.flatnonzero(written)]
    options: dict[str, Any] = {}
    if formats.format_of(arguments.output) == "sdf":  # where there is no valid molecule, single bonds
        options["templates"] = {m.id: by_rdkit(m.numbers, m.positions) or bonded(m.numbers, m.positions) for m in chosen}
    formats.write(arguments.output, chosen, **options)
    if arguments.table:
        reasons = [reason.decode() for reason in structures.column("reason").tolist()]
        write_table(table.drop(columns="reference").assign(reason=reasons), arguments.table)


def _summarise(table: pd.DataFrame) -> None:
    """Verdicts, how many are valid and different, and the most frequent reasons of the others."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(table["verdict"]).most_common())
    valid = table[table["valid"] == 1]
    different = f", {valid['smiles'].nunique()} of them different" if len(valid) else ""
    say(f"{len(table)} molecules: {counts}; {len(valid)} valid{different}")
    for formula, part in table.groupby("formula", sort=False):
        if table["formula"].nunique() > 1:
            say(f"  {formula}: {int((part['valid'] == 1).sum())} of {len(part)} valid")
    if len(valid) < len(table):
        say("  --table tells of each why it is not valid")
