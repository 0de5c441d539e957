"""What `converged` is worth: GFN2-xTB's strain of every result, for each limit on the last predicted time, with and without the
checks of the geometry.

Two sets, neither with a test graph: molecules of QM7's validation split, started from their PBE0 minima with normal deviates of
0.1 Å on the coordinates; and the molecules of H, C, N, O and S in `functional_groups.smi`, most of which are unlike the training
data, from ETKDGv3 conformers cleaned up with MMFF94. Strain: GFN2-xTB's energy of the result above that of the minimum reached
from it, kcal/mol; PBE0 minima of QM7 have 0.4 in the median and 1.0 at most. A result is bad above 10 and good below 5.

    python benchmarks/verdicts.py --method fast --keep strains.csv      # relaxes, strains (minutes), prints the table
    python benchmarks/verdicts.py --keep strains.csv --table            # prints the table of an earlier run again
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from morered.calculators import get
from morered.checks.judged import check
from morered.checks.table import GEOMETRY, IDENTITY
from morered.datasets import qm7
from morered.datasets.smiles import SmilesError, conformers, read_smiles
from morered.metrics.tables import write_table
from morered.relaxation import relax
from morered.relaxation.downhill.one_molecule import relax_one
from morered.relaxation.methods import preset
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV

LIMITS = (1.0, 0.15, 0.10, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01)
BAD, GOOD = 10.0, 5.0
ELEMENTS = {1, 6, 7, 8, 16}
WIDTH = 0.1  # Å


def validation(count: int) -> Structures:
    """Shaken minima of QM7's validation graphs, evenly drawn."""
    names = qm7.default_split().validation
    minima = qm7.load().without_columns()
    chosen = minima[minima.index_of(names[:: max(1, len(names) // count)][:count])]
    return chosen.with_positions(chosen.positions + np.random.default_rng(0).normal(0.0, WIDTH, chosen.positions.shape))


def groups() -> Structures:
    """The list's molecules of H, C, N, O and S."""
    names, numbers, positions = [], [], []
    for entry in read_smiles(Path(__file__).parent / "functional_groups.smi"):
        try:
            z, found = conformers(entry.smiles, 1, 0)
        except SmilesError:
            continue
        if set(z.tolist()) <= ELEMENTS and len(z) > 1:
            names.append(entry.name)
            numbers.append(z)
            positions.append(found[0])
    return Structures.build(numbers, positions, names)


def strained(structures: Structures) -> np.ndarray:
    """Strain of each molecule in kcal/mol, [M]; NaN where GFN2-xTB fails."""
    surface = get("gfn2")
    energies = surface.compute(structures, forces=False).energies
    strain = np.full(len(structures), np.nan)
    for m, molecule in enumerate(structures):
        down = relax_one(molecule.numbers, molecule.positions, program="gfn2", fmax=5e-3, steps=400)
        energy = down.structures.column("energy")[0]
        if np.isfinite(energy):
            strain[m] = (energies[m] - energy) * KCAL_MOL_PER_EV
    return strain


def results(name: str, count: int) -> pd.DataFrame:
    """A row for each molecule that the method brought to rest, whatever its last time."""
    method = replace(preset(name), clean_below=None)  # type: ignore[type-var]
    parts = []
    for label, inputs in (("qm7-validation", validation(count)), ("functional-groups", groups())):
        done = relax(inputs, method, checked=False).structures
        done, inputs = (s[np.flatnonzero(done.column("verdict") == b"converged")] for s in (done, inputs))
        checks = check(done, inputs)
        part = pd.DataFrame({"set": label, "method": name, "molecule": done.names, "last_time": done.column("last_time")})
        for key in (*GEOMETRY, *IDENTITY):
            part[key] = checks.passed[key]
        part["strain_before"], part["strain"] = strained(inputs.without_columns()), strained(done.without_columns())
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Results called converged at each limit, the bad among them, and the good ones that are lost; by set and method."""
    sound = (found[[*GEOMETRY, *IDENTITY]] != 0).all(axis=1)
    rows = []
    for (label, method), group in found.groupby(["set", "method"], sort=False):
        for limit in LIMITS:
            row: dict[str, object] = {"set": label, "method": method, "limit": limit}
            for tag, passes in (("time", group.last_time < limit), ("all", (group.last_time < limit) & sound[group.index])):
                row[f"{tag}_converged"] = int(passes.sum())
                row[f"{tag}_bad"] = int((passes & (group.strain > BAD)).sum())
                row[f"{tag}_good_lost"] = int((~passes & (group.strain < GOOD)).sum())
            rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Relax, strain, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="fast", help="fast, balanced or accurate (default: %(default)s)")
    parser.add_argument("--count", type=int, default=200, help="molecules of QM7's validation split (default: %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="CSV", help="where the strains are kept")
    parser.add_argument("--table", action="store_true", help="the table of what was kept, and nothing anew")
    arguments = parser.parse_args()
    if arguments.table:
        found = pd.read_csv(arguments.keep)
    else:
        found = results(arguments.method, arguments.count)
        if arguments.keep:
            write_table(found, arguments.keep)
    print(table(found).to_string(index=False))
    sound = (found[[*GEOMETRY, *IDENTITY]] != 0).all(axis=1)
    print("\nbad and passing all checks below 0.15:")
    print(found[sound & (found.strain > BAD) & (found.last_time < 0.15)].sort_values("last_time").to_string(index=False))


if __name__ == "__main__":
    main()
