"""Our batched L-BFGS beside ASE's, one molecule at a time, with one trained force field -> results/bench/mlff.csv.

Inputs are both test sets of the paper, made from test graphs of the embedded QM7: structures displaced along normal modes (of
SO3LR, three of each minimum) and minima after 250 steps of the forward process. Everything runs on one core; times are CPU
seconds, which a busy machine does not stretch.

    route     batched: our L-BFGS, all molecules together; ase: ASE's L-BFGS with the same compiled kernels behind it, one
              molecule after another; ase-schnetpack: ASE's with SchNetPack's PaiNN, which takes the same weights, as in the paper
    ms_per_molecule, ms_per_step   a step is one evaluation of energy and forces
    speedup                        ms_per_step of the route over that of `batched`; steps differ where paths part
    both_converged                 molecules that converge on this route and on `batched`, of `molecules`
    same_minimum_percent           of these, how many end in the same minimum: aligned RMSD below 0.01 Å
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from morered.datasets import qm7
from morered.datasets.builder import Displacing
from morered.datasets.testsets import diffused_inputs, normal_mode_inputs, sample
from morered.metrics.rmsd import rmsd
from morered.metrics.tables import write_table
from morered.models import weights
from morered.relaxation import PotentialMethod, relax
from morered.structures import Structures

ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_TOP_PAD_": "268435456"}
#: Å: nearer than this, two results are the same minimum.
SAME = 0.01


def testsets(molecules: int, folder: Path) -> dict[str, Structures]:
    """Both test sets, about so many inputs each."""
    minima, split = qm7.load(), qm7.default_split()
    chosen = sample(minima, split, graphs=molecules)
    few = sample(minima, split, graphs=-(-molecules // 3))
    modes = normal_mode_inputs(few, Displacing(per_minimum=10), folder=folder, workers=1).structures
    return {"normal-modes": modes.without_columns(), "diffused-250": diffused_inputs(chosen).without_columns()}


def routes(path: str, fmax: float, precision: str) -> dict[str, PotentialMethod]:
    """The methods that are compared."""
    model = weights.load(path)
    batched = PotentialMethod(potential="mlff", model=model, fmax=fmax, precision=precision)  # type: ignore[arg-type]
    peer = weights.load(path, engine="schnetpack")
    return {
        "batched": batched,
        "ase": replace(batched, optimizer="ase"),
        "ase-schnetpack": replace(batched, optimizer="ase", model=peer),
    }


def run(structures: Structures, method: PotentialMethod) -> tuple[Structures, float]:
    """Relaxed molecules and CPU seconds."""
    begin = time.process_time()
    relaxed = relax(structures, method, workers=1).structures
    return relaxed, time.process_time() - begin


def compare(name: str, structures: Structures, methods: dict[str, PotentialMethod], few: int) -> Iterator[dict[str, Any]]:
    """Rows of one test set; SchNetPack's route takes ``few`` of its molecules."""
    spread = np.unique(np.linspace(0, len(structures) - 1, min(few, len(structures))).astype(int))
    reference, base = None, np.nan
    for route, method in methods.items():
        chosen = spread if route == "ase-schnetpack" else np.arange(len(structures))
        relax(structures[:2], replace(method, steps=2))  # kernels are loaded
        relaxed, seconds = run(structures[chosen], method)
        if reference is None:
            reference, again = relaxed, run(structures[chosen], method)[1]
            seconds = min(seconds, again)
        steps = float((relaxed.column("steps") + 1).sum())  # the last evaluation moves nothing
        base = seconds / steps if route == "batched" else base
        same = reference[chosen]
        both = (relaxed.column("verdict") == b"converged") & (same.column("verdict") == b"converged")
        apart = rmsd(relaxed[np.flatnonzero(both)], same[np.flatnonzero(both)]) if both.any() else np.full(1, np.nan)
        yield {
            "testset": name,
            "route": route,
            "molecules": len(chosen),
            "ms_per_molecule": 1e3 * seconds / len(chosen),
            "ms_per_step": 1e3 * seconds / steps,
            "steps_per_molecule": steps / len(chosen),
            "speedup": seconds / steps / base,
            "converged_percent": 100.0 * float((relaxed.column("verdict") == b"converged").mean()),
            "both_converged": int(both.sum()),
            "same_minimum_percent": 100.0 * float((apart < SAME).mean()),
            "rmsd_median": float(np.median(apart)),
            "rmsd_largest": float(apart.max()),
        }


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="morered-mlff", help="a file or shipped name, of kind mlff (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/bench/mlff.csv"))
    parser.add_argument("--molecules", type=int, default=150, help="inputs of each test set (default: %(default)s)")
    parser.add_argument("--few", type=int, default=12, help="of them through SchNetPack's network (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="24 inputs of each test set, 4 of them through SchNetPack's")
    parser.add_argument("--fmax", type=float, default=PotentialMethod.fmax, help="eV/Å (default: the paper's, %(default)s)")
    parser.add_argument("--precision", choices=("single", "double"), default="single")
    arguments = parser.parse_args()
    molecules, few = (24, 4) if arguments.quick else (arguments.molecules, arguments.few)
    torch.set_num_threads(1)
    methods = routes(arguments.weights, arguments.fmax, arguments.precision)
    found = []
    for name, structures in testsets(molecules, arguments.out.parent / "mlff-inputs").items():
        for row in compare(name, structures, methods, few):
            found.append(row)
            print("  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
            write_table(pd.DataFrame(found), arguments.out)


if __name__ == "__main__":
    if sys.platform == "linux" and not any(name in os.environ for name in ALLOCATOR):
        os.environ.update(ALLOCATOR)  # read by the C library when a program starts
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main()
