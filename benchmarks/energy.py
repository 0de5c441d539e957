"""Seconds and errors of single points beside PySCF called plainly, with and without density fitting -> results/bench/energy.csv.

Molecules of the embedded QM7, drawn with a fixed seed, each at its minimum and displaced by 0.05 Å. Plain calls are PBE0 with
PySCF's defaults: grid 3 throughout, converged to 1e-9 hartree. Seconds are CPU time of one thread, which a busy machine does not
stretch, the mean of the two geometries; errors are of the energy difference between the two, kcal/mol. Our single point with the
Hirshfeld partition and MBD, which a plain call does not have, is a column of its own.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before PySCF is loaded

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morered.datasets import qm7
from morered.dft import pbe0
from morered.dft.free_atoms import free_atom
from morered.dft.single_point import single_point
from morered.metrics.tables import write_table
from morered.settings.level import Level
from morered.structures import Structures
from morered.units import EV_PER_HARTREE, KCAL_MOL_PER_EV

Energy = Callable[[NDArray, NDArray], float]


def draw(count: int, max_atoms: int | None) -> Structures:
    """Minima; of all sizes that QM7 has, or of small molecules."""
    minima = qm7.load().without_columns()
    allowed = np.flatnonzero(minima.sizes <= (max_atoms or minima.sizes.max()))
    return minima[np.random.default_rng(0).choice(allowed, count, replace=False)]


def plain(level: Level) -> Energy:
    """PySCF called as its documentation does it."""

    def energy(numbers: NDArray, positions: NDArray) -> float:
        from pyscf import dft

        field = dft.RKS(pbe0.molecule(numbers, positions, level), xc=level.functional)
        field = field.density_fit() if level.density_fitting else field
        field.grids.level = 3
        return float(field.kernel()) * EV_PER_HARTREE

    return energy


def ours(level: Level) -> Energy:
    """Our single point."""

    def energy(numbers: NDArray, positions: NDArray) -> float:
        point = single_point(numbers, positions, level)
        if point.status == "failed":
            raise RuntimeError(point.reason)
        return point.energy

    return energy


def measure(molecule: Structures, ways: dict[str, Energy]) -> dict[str, str | int | float]:
    """One row: seconds of each way, speed-ups and errors of the first against the plain ones."""
    name, numbers, minimum = molecule.molecule(0)
    displaced = minimum + 0.05 * np.random.default_rng(1).standard_normal(minimum.shape)
    row: dict[str, str | int | float] = {"molecule": name, "atoms": len(numbers)}
    differences = {}
    for way, energy in ways.items():
        begin = time.process_time()
        low, high = (energy(numbers, positions) for positions in (minimum, displaced))
        row[f"{way}_cpu_s"] = round((time.process_time() - begin) / 2, 3)
        differences[way] = (high - low) * KCAL_MOL_PER_EV
    for way in ("plain_fitted", "plain_exact"):
        row[f"speedup_{way}"] = round(float(row[f"{way}_cpu_s"]) / float(row["ours_cpu_s"]), 2)
        row[f"error_{way}_kcal_mol"] = round(differences["ours"] - differences[way], 5)
    return row


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/bench/energy.csv"))
    parser.add_argument("--molecules", type=int, default=3, help="how many (default: %(default)s)")
    parser.add_argument("--max-atoms", type=int, help="leave larger molecules out (default: none)")
    parser.add_argument("--basis", default="def2-tzvp", help="basis set (default: %(default)s)")
    given = parser.parse_args()
    level = Level(basis=given.basis, dispersion=False)
    ways = {
        "ours": ours(level),
        "ours_mbd": ours(Level(basis=given.basis)),
        "plain_fitted": plain(level),
        "plain_exact": plain(Level(basis=given.basis, density_fitting=False)),
    }
    molecules = draw(given.molecules, given.max_atoms)
    for number in np.unique(molecules.numbers).tolist():
        free_atom(number, level.functional, level.basis)  # computed once, then kept on disk
    single_point([1, 1], [[0, 0, 0], [0, 0, 0.74]], level)  # imports
    rows = []
    for m in range(len(molecules)):
        rows.append(measure(molecules[m], ways))
        print(pd.DataFrame(rows[-1:]).to_string(index=False), flush=True)
        write_table(pd.DataFrame(rows), given.out)
    print(f"\n{given.out}")


if __name__ == "__main__":
    main()
