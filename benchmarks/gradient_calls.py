"""Gradients of the reference (AIMNet2) that geomeTRIC takes from what methods make of the same inputs -> results/bench/.

    python benchmarks/gradient_calls.py results/organic/relax/sample-etkdg/{MMFF94,fast}/seed0.h5 --molecules 100

Files are those of the rule `evaluate_relaxation`, the first that of the method whose gradients are 1. Molecules that converged
in all of them are taken, so many of them at random. Translation-rotation internal coordinates (TRIC) and geomeTRIC's default
criteria: energy 1e-6 hartree, gradient 3.0e-4 (rms) and 4.5e-4 (largest) hartree/bohr, step 1.2e-3 (rms) and 1.8e-3 (largest) Å.
One row a molecule and method: id, method, n_atoms, calls, converged (1 if all criteria are met), energy (eV, of the end).
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from ase.data import chemical_symbols
from ase.units import Bohr, Hartree
from geometric.engine import Engine
from geometric.errors import GeomOptNotConvergedError
from geometric.internal import DelocalizedInternalCoordinates
from geometric.molecule import Molecule
from geometric.optimize import OPT_STATE, Optimizer, OptParams
from numpy.typing import NDArray

from morered import calculators, storage
from morered.calculators.base import CalculationError, Calculator
from morered.metrics.statistics import mean
from morered.metrics.tables import write_table
from morered.structures import Structures


class Reference(Engine):
    """The reference's surface of one molecule, with a count of its gradients."""

    def __init__(self, molecule: Molecule, numbers: NDArray[np.integer], charge: int, calculator: Calculator) -> None:
        super().__init__(molecule)
        self.calls = 0
        self._numbers, self._charge, self._calculator = numbers, charge, calculator

    def calc_new(self, coords: NDArray[np.float64], dirname: str) -> dict[str, object]:
        """Energy in hartree and gradient in hartree/bohr, flat, at coordinates in bohr."""
        self.calls += 1
        molecule = Structures.build([self._numbers], [coords.reshape(-1, 3) * Bohr], ["molecule"]).with_electrons([self._charge])
        labels = self._calculator.compute(molecule)
        if labels.reasons[0] is not None:
            raise CalculationError(labels.reasons[0])
        return {"energy": labels.energies[0] / Hartree, "gradient": -labels.forces.flatten() * Bohr / Hartree}


def optimise(
    numbers: NDArray[np.integer], positions: NDArray[np.floating], charge: int, calculator: Calculator
) -> dict[str, object]:
    """Calls, whether it converged, and the energy in eV where it ended; CalculationError where the reference has none."""
    molecule = Molecule()
    molecule.elem = [chemical_symbols[z] for z in numbers]
    molecule.xyzs = [np.asarray(positions, dtype=np.float64)]
    molecule.build_topology()
    engine = Reference(molecule, numbers, charge, calculator)
    coordinates = DelocalizedInternalCoordinates(molecule, build=True, connect=False, addcart=False)
    with tempfile.TemporaryDirectory() as folder:
        optimizer = Optimizer(molecule.xyzs[0].flatten() / Bohr, molecule, coordinates, engine, folder, OptParams(maxiter=300))
        with contextlib.suppress(GeomOptNotConvergedError):
            optimizer.optimizeGeometry()
    converged = optimizer.state == OPT_STATE.CONVERGED
    return {"calls": engine.calls, "converged": int(converged), "energy": float(optimizer.E) * Hartree}


def main() -> None:
    """Write the table and print what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="relaxed structures, the baseline first")
    parser.add_argument("--molecules", type=int, default=100)
    parser.add_argument("--output", type=Path, default=Path("results/bench/gradient_calls.csv"))
    given = parser.parse_args()
    logging.getLogger("geometric").setLevel(logging.ERROR)
    relaxed = {path.parent.name: storage.read(path) for path in given.files}
    good = [{n for n, v in zip(s.names, s.column("verdict"), strict=True) if v == b"converged"} for s in relaxed.values()]
    ids = sorted(set.intersection(*good))
    ids = sorted(np.random.default_rng(0).permutation(ids)[: given.molecules].tolist())
    calculator = calculators.get("aimnet2", dtype="float64")
    rows = []
    for name in ids:
        for method, structures in relaxed.items():
            m = int(structures.index_of([name])[0])
            one = structures.molecule(m)
            found = optimise(one.numbers, one.positions, int(structures.charges[m]), calculator)
            rows.append({"id": name, "method": method, "n_atoms": len(one.numbers), **found})
    table = pd.DataFrame(rows)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    write_table(table, given.output)
    baseline = next(iter(relaxed))
    calls = table.pivot(index="id", columns="method", values="calls")
    for method in relaxed:
        found = mean(calls[method])
        ratio = calls[method].sum() / calls[baseline].sum()
        limits = f"{found.value:.1f} gradients ({found.low:.1f} to {found.high:.1f})"
        print(f"{method}: {limits}, {ratio:.2f} of {baseline}'s, {len(calls)} molecules")


if __name__ == "__main__":
    main()
