"""How the network for organic molecules moves, and how long: what `organic` was chosen from -> results/bench/organic_moves.csv.

    pip install 'morered[aimnet2]'
    python benchmarks/organic_moves.py      # 100 validation molecules from both starts: some twenty minutes of one core
    python benchmarks/organic_moves.py --weights FILE.safetensors --molecules 40

Validation molecules that ship with the package. One row a start and a choice of moves, without restarts: from each result that
converged the reference (AIMNet2) goes on, and where that ends is the minimum that energy and distance are measured from
(`morered.datasets.organic.endings`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd

from morered.datasets.organic import endings, shipped_tests, tested
from morered.metrics.tables import write_table
from morered.relaxation import from_config, relax


def _mixed(steps: int, window: int, threshold: float) -> dict[str, Any]:
    return {"overrelaxation": None, "steps": steps, "stop": {"settled": {"window": window, "threshold": threshold}}}


#: Mixed jumps: moves at most, and when the predicted clean structure stands still. Long jumps: how far, in Å.
MOVES: dict[str, dict[str, Any]] = {
    "mixed, 40, 0.003 Å twice": _mixed(40, 2, 3.0e-3),
    "mixed, 100, 0.001 Å thrice": _mixed(100, 3, 1.0e-3),
    "long, 0.3": {"overrelaxation": {"lengths": [0.3]}},
    "long, 0.5, 0.3, 0.1": {"overrelaxation": {"lengths": [0.5, 0.3, 0.1]}},
    "long, six of 0.3": {"overrelaxation": {"lengths": [0.3] * 6}},
}


def measured(weights: str, start: str, molecules: int, moves: str) -> dict[str, Any]:
    """One row."""
    everything, minima = (shipped_tests.load(f"validation.{part}").structures for part in ("inputs", "minima"))
    inputs, _ = tested.select(everything, minima, start=start, molecules=molecules)
    method = from_config({"preset": "organic", "noise": weights, "time": weights, "restarts": None, **MOVES[moves]})
    relaxed = relax(inputs, method).structures
    table = endings.measure(relaxed, everything, minima)
    fell = table[table["fell"] == 1]
    return {
        "start": start,
        "moves": moves,
        "n": len(table),
        "converged_percent": 100 * table["converged"].mean(),
        "median_energy_left": fell["energy_left"].median(),
        "median_rmsd_left": fell["rmsd_left"].median(),
        "median_rmsd_input": fell["rmsd_input"].median(),
        "mean_evaluations": float(relaxed.column("steps").mean()),
        "mean_ms": 1e3 * float(relaxed.column("seconds").mean()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="morered-organic-3", help="a name or a file")
    parser.add_argument("--molecules", type=int, default=100)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/bench/organic_moves.csv"))
    options = parser.parse_args(arguments)
    rows = []
    for start in (tested.ETKDG, tested.MMFF94):
        for moves in MOVES:
            rows.append(measured(options.weights, start, options.molecules, moves))
            print(pd.DataFrame(rows[-1:]).round(4).to_string(index=False, header=len(rows) == 1), flush=True)
    write_table(pd.DataFrame(rows), options.output)


if __name__ == "__main__":
    main()
