"""`morered relax --conformers N`: conformers of each molecule, relaxed, without duplicates, ranked by an energy."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from morered.commands.arguments import positive, usage
from morered.commands.messages import say, tell
from morered.commands.outputs import rescue, write_each

if TYPE_CHECKING:  # imported where they are used
    import torch
    from rdkit.Chem import Mol

    from morered.conformers import Ensemble
    from morered.relaxation import Method
    from morered.structures import Structures

#: Levels of theory that rank.
ENERGIES = ("aimnet2", "gfn2", "gfn1", "mmff94", "so3lr")
#: Options that go with ``--conformers`` alone, by their names here.
OWN = ("energy", "same", "enumerate_stereo", "desalt", "neutralize", "canonical_tautomer")
_OTHERS = ("html", "trajectory", "seeds", "resume", "freeze", "add_hydrogens", "embed", "charge", "unpaired")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a search for conformers."""
    group = parser.add_argument_group(
        "conformers", "of SMILES, and of molecules whose files state bonds (SDF, mol2): their own coordinates do not count"
    )
    group.add_argument("--conformers", type=positive, metavar="N", help="embed N by ETKDGv3, relax, drop duplicates, rank")
    group.add_argument(
        "--energy",
        choices=ENERGIES,
        help="what ranks them; relative_energy in kcal/mol stands in table and SDF (default: the method's own energy where it "
        "has one, else mmff94)",
    )
    group.add_argument(
        "--same",
        type=float,
        metavar="RMSD",
        help="Å: conformers are one whose heavy atoms and polar hydrogens lie nearer, equal atoms exchanged (default: 0.3)",
    )
    group.add_argument("--enumerate-stereo", action="store_true", help="all stereoisomers that a drawing leaves open, not one")
    group.add_argument("--desalt", action="store_true", help="keep the largest organic fragment; otherwise salts stay whole")
    group.add_argument("--neutralize", action="store_true", help="take away charges that protons make")
    group.add_argument("--canonical-tautomer", action="store_true", help="RDKit's canonical tautomer, not the one that is drawn")


def misused(arguments: argparse.Namespace) -> str | None:
    """What is wrong with these options together; None where nothing is."""
    flags = {name: f"--{name.replace('_', '-')}" for name in (*OWN, *_OTHERS)}
    given = [name for name in flags if getattr(arguments, name) not in (None, False)]
    if arguments.conformers is None:
        alone = [flags[name] for name in given if name in OWN]
        return f"{alone[0]} goes with --conformers N" if alone else None
    both = [flags[name] for name in given if name in _OTHERS]
    if both:
        return f"--conformers does not go with {both[0]}"
    if arguments.same is not None and not arguments.same > 0:
        return f"--same must be positive, not {arguments.same:g}"
    return None


def run(arguments: argparse.Namespace, stages: Sequence[Method], device: torch.device) -> int:
    """Search, write, sum up; returns the exit code."""
    from morered.conformers import SAME, Preparation, prepared, search
    from morered.models.weights import WeightsError

    drawings, problems = _drawings(arguments)
    preparation = Preparation(arguments.desalt, arguments.neutralize, arguments.canonical_tautomer, arguments.enumerate_stereo)
    isomers, notes, unprepared = prepared(drawings, preparation)
    problems += unprepared
    tell("relax", [*notes, *(sentence for _, sentence in problems)])
    try:
        ensemble = search(
            isomers,
            arguments.conformers,
            stages,
            energy=arguments.energy,
            same=SAME if arguments.same is None else arguments.same,
            seed=arguments.seed,
            device=device,
            workers=arguments.workers,
            progress=not arguments.quiet and sys.stderr.isatty(),
        )
    except (WeightsError, ValueError) as error:
        return usage("relax", str(error))
    tell("relax", ensemble.notes)
    failures = _write(arguments, ensemble, problems)
    found = Counter(ensemble.conformers.column("molecule")[ensemble.kept].tolist())
    without = [isomer.name for isomer in isomers if isomer.name.encode() not in found]
    if not arguments.quiet:
        _summarise(ensemble, len(isomers), len(problems))
    for name in without:
        say(f"  {name}: no conformer converged: {_first_reason(ensemble, name)}")
    return int(bool(problems or without or failures) or ensemble.interrupted)


def _drawings(arguments: argparse.Namespace) -> tuple[list[tuple[str, Mol]], list[tuple[str, str]]]:
    """Names and RDKit molecules of all inputs, and names of the others with what is wrong."""
    from rdkit import Chem

    from morered.datasets.smiles import SmilesError, parse
    from morered.items import items

    drawings: list[tuple[str, Chem.Mol]] = []
    problems: list[tuple[str, str]] = []
    for item in items(arguments.inputs, arguments.smiles, arguments.format):
        try:
            if isinstance(item.content, str):
                drawings.append((item.name, parse(item.content, ions=True, several=True)))
                continue
            record = item.record(arguments.seed)
            if record.problem is not None and record.lack is None:
                problems.append((item.name, record.problem))
            elif record.numbers is None or not len(record.numbers):
                problems.append((item.name, f"{record.where}: it has no atoms"))
            elif record.template is None:
                problems.append((item.name, f"{record.where}: its source states no bonds; an SDF, a mol2 file or a SMILES does"))
            else:
                drawings.append((item.name, _drawing(record.template)))
        except (SmilesError, Chem.MolSanitizeException) as error:
            problems.append((item.name, f"{item.source}, molecule {item.index + 1} ({item.name}): {error}"))
    return drawings, problems


def _drawing(template: Mol) -> Mol:
    """A molecule of a file with the stereochemistry of its coordinates, or of its wedges where it is flat."""
    import numpy as np
    from rdkit import Chem, rdBase

    molecule = Chem.Mol(template)
    with rdBase.BlockLogs():
        Chem.SanitizeMol(molecule)
        if np.ptp(molecule.GetConformer().GetPositions()[:, 2]) > 0:
            Chem.AssignStereochemistryFrom3D(molecule)
        else:
            Chem.AssignChiralTypesFromBondDirs(molecule)
            Chem.DetectBondStereochemistry(molecule)
            Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
        molecule.RemoveAllConformers()
    return molecule


def _write(arguments: argparse.Namespace, ensemble: Ensemble, problems: Sequence[tuple[str, str]]) -> list[str]:
    """Write the conformers that are kept, and the table of all; returns what failed.

    ``problems`` are names and reasons of what was never embedded, for the table.
    """
    from morered import formats

    kept = ensemble.conformers[ensemble.kept]

    def molecules() -> None:
        options: dict[str, Any] = {}
        if formats.format_of(arguments.output) == "sdf":
            options["templates"] = ensemble.templates
        formats.write(arguments.output, kept, **options)

    def table() -> None:
        from morered.metrics.tables import write_table  # pandas, which nothing else here needs
        from morered.relaxation.verdicts.columns import table_of

        everything = _with_refused(ensemble.conformers, problems)
        frame = table_of(everything)
        for place, name in enumerate(("molecule", "rank", "relative_energy", "ranking_energy", "energy_method", "duplicate_of")):
            values = everything.column(name)
            frame.insert(1 + place, name, [v.decode() for v in values.tolist()] if values.dtype.kind == "S" else values)
        write_table(frame, arguments.table)

    tasks: dict[str, Callable[[], None]] = {arguments.table: table} if arguments.table else {}
    if len(kept) or arguments.output == "-" or not os.path.isfile(arguments.output):  # a wrong input must not empty a file
        tasks[arguments.output] = molecules
    failures = write_each(tasks)
    tell("relax", failures)
    if failures:
        tell("relax", [rescue(kept, {})])
    return failures


def _with_refused(conformers: Structures, problems: Sequence[tuple[str, str]]) -> Structures:
    """All conformers, and after them each molecule that was never embedded, without atoms and with its reason."""
    from morered.formats import Record
    from morered.inputs import complete
    from morered.structures import Column, as_names

    broken = [Record(name, k, "conformers", problem=reason) for k, (name, reason) in enumerate(problems)]
    there = [Record(name, k, "conformers") for k, name in enumerate(conformers.names)]
    everything = complete([*there, *broken], conformers)
    molecules = [name.decode() for name in conformers.column("molecule").tolist()]
    return everything.with_columns({"molecule": Column(as_names([*molecules, *(name for name, _ in problems)]))})


def _first_reason(ensemble: Ensemble, name: str) -> str:
    """Why the first conformer of an isomer did not converge."""
    (first, *_) = (k for k, one in enumerate(ensemble.conformers.column("molecule").tolist()) if one.decode() == name)
    return f"{ensemble.conformers.column('verdict')[first].decode()}, {ensemble.conformers.column('reason')[first].decode()}"


def _summarise(ensemble: Ensemble, molecules: int, refused: int) -> None:
    everything = ensemble.conformers
    verdicts = Counter(verdict.decode() for verdict in everything.column("verdict").tolist())
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    ranking = [name.decode() for name in everything.column("energy_method").tolist() if name]
    others = f"; {refused} refused" if refused else ""
    say(f"{len(everything)} conformers of {molecules} molecules{': ' if counts else ''}{counts}{others}")
    say(f"{len(ensemble.kept)} different ones are kept, " + (f"ranked by {ranking[0]}" if ranking else "in no order"))
