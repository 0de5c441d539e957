"""QM9 from MMFF94, against QM9's own geometries: the test of R-DM (arXiv 2411.19769) -> results/bench/qm9_from_mmff94.csv.

    pip install 'morered[qm9]'
    python benchmarks/qm9_from_mmff94.py --methods fast aimnet2 gfn2 --energies 50

The frozen test molecules of QM9 (`datasets/organic/data`), none of which is trained on. An input is QM9's geometry
(B3LYP/6-31G(2df,p)) after RDKit's MMFF94; each method goes on from there. One row an input and method, MMFF94 itself among
them: id, method, verdict, rmsd and rmsd_heavy (Å to QM9's geometry, all atoms and those beyond hydrogen), energy (kcal/mol above
QM9's geometry at B3LYP/6-31G(2df,p) by PySCF, for so many molecules as ``--energies`` says). R-DM leaves
0.074 Å and 0.34 kcal/mol in the median.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before PySCF is loaded

import numpy as np
import pandas as pd
from tqdm import tqdm

from morered.datasets import qm9
from morered.datasets.organic import choice
from morered.datasets.organic.endings import heavy_rmsd
from morered.dft.single_point import single_point
from morered.metrics.rmsd import rmsd
from morered.metrics.statistics import median
from morered.metrics.tables import write_table
from morered.relaxation import relax
from morered.settings.level import Level
from morered.settings.presets import PRESETS
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV

LEVEL = Level(functional="b3lyp", basis="6-31g(2df,p)", dispersion=False, threads=1)
BASELINE = "mmff94"


def geometries(folder: Path | None = None) -> Structures:
    """QM9's geometries of the frozen test molecules."""
    wanted = [int(entry.name.rpartition("/")[2]) for entry in choice.frozen_tests() if entry.kind == "qm9"]
    everything = qm9.from_package(folder)
    return everything[np.flatnonzero(np.isin(everything.column("number"), wanted))].without_columns()


def measured(method: str, inputs: Structures, own: Structures) -> tuple[pd.DataFrame, Structures]:
    """The rows of a method without energies, and what it made of the inputs; ``own`` are QM9's geometries of these."""
    relaxed = relax(inputs, PRESETS[method]).structures
    verdicts = [verdict.decode() for verdict in relaxed.column("verdict").tolist()]
    bare = relaxed.without_columns()
    table = {"id": own.names, "method": method, "verdict": verdicts, "rmsd": rmsd(bare, own), "rmsd_heavy": heavy_rmsd(bare, own)}
    return pd.DataFrame(table), bare


def energies(structures: Structures, level: Level = LEVEL) -> list[float]:
    """Energies [M] in eV; NaN where the field does not converge."""
    return [single_point(one.numbers, one.positions, level).energy for one in tqdm(list(structures), disable=None)]


def compared(methods: Sequence[str], own: Structures, with_energy: int, level: Level = LEVEL) -> pd.DataFrame:
    """The table: MMFF94 from QM9's geometries ``own``, then each method from MMFF94's results."""
    baseline, inputs = measured(BASELINE, own, own)
    at_rest = np.flatnonzero(baseline["verdict"] == "converged")
    inputs, own = inputs[at_rest], own[at_rest]
    chosen = np.sort(np.random.default_rng(0).permutation(len(own))[:with_energy])
    lowest = np.array(energies(own[chosen], level))
    parts = []
    for method in (BASELINE, *methods):
        table, results = (baseline.iloc[at_rest], inputs) if method == BASELINE else measured(method, inputs, own)
        above = np.full(len(own), np.nan)
        above[chosen] = (np.array(energies(results[chosen], level)) - lowest) * KCAL_MOL_PER_EV
        parts.append(table.assign(energy=above))
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Write the table and print the medians of what converged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["fast", "aimnet2", "gfn2"], choices=[*PRESETS], metavar="PRESET")
    parser.add_argument("--energies", type=int, default=0, help="molecules with single points (default: none)")
    parser.add_argument("--package", type=Path, help="where qm9_part*.csv lie, if qm9pack is not installed")
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    table = compared(given.methods, geometries(given.package), given.energies)
    write_table(table, given.out / "qm9_from_mmff94.csv")
    for method, rows in table.groupby("method", sort=False):
        good = rows[rows["verdict"] == "converged"]
        print(f"{method}: {len(good)} of {len(rows)} converged", end="")
        for name, unit in (("rmsd", "Å"), ("rmsd_heavy", "Å, heavy atoms"), ("energy", "kcal/mol")):
            if (values := good[name].dropna()).size:
                found = median(values)
                print(f"; {found.value:.3f} {unit} ({found.low:.3f} to {found.high:.3f})", end="")
        print()


if __name__ == "__main__":
    main()
