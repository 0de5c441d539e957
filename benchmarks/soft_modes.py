"""What a jump tells of the soft modes of structures that stand still -> results/bench/soft_modes.csv.

    python benchmarks/soft_modes.py      # 60 validation molecules from MMFF94: some ten seconds of one core

The molecules are relaxed by `organic` with mixed jumps (no long ones). From there one jump is made. Jump and way to the
reference's minimum are taken apart by modes of a valence force field; molecules that ended further than 0.5 Å from the minimum
are left out, where modes say little. One row a class of eigenvalues.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from morered.datasets.organic import shipped_tests, tested
from morered.diffusion import valence
from morered.metrics.rmsd import rmsd, superpose
from morered.metrics.tables import write_table
from morered.relaxation import from_config, relax

#: Eigenvalues in eV/Å² at which a class begins.
EDGES = (0.0, 0.02, 0.1, 0.5, 3.0, 30.0)


def measured(weights: str, molecules: int) -> pd.DataFrame:
    """The table: ``eigenvalue_from`` (eV/Å²), ``modes``, ``way`` and ``jump`` (rms over the modes, Å), ``cosine``, ``share``.

    ``share`` is the part of the way that the jump goes.
    """
    inputs, minima = (shipped_tests.load(f"validation.{part}").structures for part in ("inputs", "minima"))
    chosen, _ = tested.select(inputs, minima, start=tested.MMFF94, molecules=molecules)
    aims = minima[minima.index_of(chosen.ids)].without_columns()
    plain = {"preset": "organic", "noise": weights, "time": weights, "restarts": None, "overrelaxation": None}
    still = chosen.with_positions(relax(chosen, from_config(plain)).structures.positions)
    jumped = relax(still, from_config({**plain, "move": "jump", "steps": 1})).structures
    ways, jumps, kinds = [], [], []
    for m in np.flatnonzero(rmsd(still.without_columns(), aims) < 0.5).tolist():
        _, numbers, at = still.molecule(m)
        at = np.asarray(at, np.float64)
        eigenvalues, modes = np.linalg.eigh(valence.hessian(numbers, at))
        way, jump = (superpose(np.asarray(there.molecule(m).positions, np.float64), at) - at for there in (aims, jumped))
        ways.append((modes.T @ way.ravel())[6:])  # the first six move the molecule as a whole
        jumps.append((modes.T @ jump.ravel())[6:])
        kinds.append(np.searchsorted(EDGES, eigenvalues[6:], side="right") - 1)
    way, jump, kind = map(np.concatenate, (ways, jumps, kinds))
    rows = []
    for k, edge in enumerate(EDGES):
        d, f = way[kind == k], jump[kind == k]
        rows.append(
            {
                "eigenvalue_from": edge,
                "modes": len(d),
                "way": np.sqrt(np.mean(d**2)),
                "jump": np.sqrt(np.mean(f**2)),
                "cosine": f @ d / np.linalg.norm(f) / np.linalg.norm(d),
                "share": f @ d / (d @ d),
            }
        )
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="morered-organic-3", help="a name or a file")
    parser.add_argument("--molecules", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/bench/soft_modes.csv"))
    options = parser.parse_args(arguments)
    table = measured(options.weights, options.molecules)
    print(table.round(4).to_string(index=False))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_table(table, options.output)


if __name__ == "__main__":
    main()
