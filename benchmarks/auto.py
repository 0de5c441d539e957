"""Which method takes which molecule: what `auto` was chosen from -> results/bench/auto.csv.

    pip install 'morered[aimnet2]'
    python benchmarks/auto.py      # all neutral validation molecules of H, C, N, O and S: some twelve minutes of one core

`fast` knows H, C, N, O and S and learned from molecules of up to seven heavy atoms; `organic` learned from larger ones too. One
row a start, a method and a class of sizes. The molecules ship with the package, and neither network's test molecules are among
them. From each result that converged the reference (AIMNet2) goes on, and where that ends is the minimum that energy and distance
are measured from (`morered.datasets.organic.endings`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from morered.datasets.organic import endings, shipped_tests, tested
from morered.metrics.tables import write_table
from morered.relaxation import relax
from morered.relaxation.methods import preset

KNOWN = (1, 6, 7, 8, 16)
METHODS = ("fast", "organic", "auto")
#: Heavy atoms at which a class begins.
CLASSES = (1, 8, 10, 13, 17, 21, 26, 100)


def measured(start: str, name: str, molecules: int | None) -> Iterator[dict[str, Any]]:
    """The rows of a start and a method."""
    everything, minima = (shipped_tests.load(f"validation.{part}").structures for part in ("inputs", "minima"))
    known = np.array([np.isin(molecule.numbers, KNOWN).all() for molecule in everything]) & (everything.charges == 0)
    inputs, _ = tested.select(everything[known], minima, start=start, molecules=molecules)
    relaxed = relax(inputs, preset(name)).structures
    table = endings.measure(relaxed, everything, minima)
    table["steps"] = relaxed.column("steps")
    for least, beyond in pairwise(CLASSES):
        part = table[(table["n_heavy"] >= least) & (table["n_heavy"] < beyond)]
        fell = part[part["fell"] == 1]
        yield {
            "start": start,
            "method": name,
            "heavy_atoms": f"{least} to {beyond - 1}",
            "n": len(part),
            "converged_percent": 100 * part["converged"].mean(),
            "median_energy_left": fell["energy_left"].median(),
            "median_rmsd_left": fell["rmsd_left"].median(),
            "median_rmsd_input": fell["rmsd_input"].median(),
            "mean_evaluations": part["steps"].mean(),
            "mean_ms": 1e3 * part["seconds"].mean(),
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--molecules", type=int, help="a random sample of so many (default: all)")
    parser.add_argument("-o", "--output", type=Path, default=Path("results/bench/auto.csv"))
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for start in (tested.ETKDG, tested.MMFF94):
        for name in options.methods:
            rows += measured(start, name, options.molecules)
            print(pd.DataFrame(rows[1 - len(CLASSES) :]).round(3).to_string(index=False), flush=True)
    write_table(pd.DataFrame(rows), options.output)


if __name__ == "__main__":
    main()
