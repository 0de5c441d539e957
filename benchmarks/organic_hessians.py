"""Are the minima of the dataset organic minima? Hessians of some of them at the reference -> results/bench/organic_hessians.csv.

    python benchmarks/organic_hessians.py results/data/raw/organic-*/reference.parts/*.h5 --molecules 200

Central differences of AIMNet2's forces in float64, masses, translations and rotations projected out. One row a molecule: id,
kind, n_atoms, charge, fmax (eV/Å, as stored), lowest (wave number in 1/cm, negative where it is imaginary), imaginary (modes
below -20 1/cm), gain (kcal/mol by which the energy falls when the softest such mode is followed to either side and relaxed).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from morered import calculators, storage
from morered.calculators.base import Calculator
from morered.datasets.modes import NormalModes, hessian, normal_modes, stencil
from morered.datasets.stationary import Geometries
from morered.metrics.tables import write_table
from morered.relaxation import PotentialMethod, relax
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV

#: 1/cm; what is softer than this is the noise of the differences and of a threshold of 0.005 eV/Å.
NOTICED = -20.0
PUSH = 0.3  # Å, of the atom that moves most along a mode


def modes_of(molecule: Structures, calculator: Calculator) -> NormalModes:
    """Normal modes of one molecule where it is."""
    _, numbers, points = molecule.molecule(0)
    positions = np.asarray(points, dtype=np.float64)
    geometries = Geometries(calculator, numbers, positions, int(molecule.charges[0]), int(molecule.unpaired[0]))
    _, forces = geometries.evaluate(stencil(positions))
    assert forces is not None
    return normal_modes(numbers, positions, hessian(forces))


def gain(molecule: Structures, modes: NormalModes, calculator: Calculator) -> float:
    """Energy in kcal/mol that is won downhill from the saddle, along its softest mode to either side."""
    direction: NDArray[np.float64] = (modes.eigenvectors[0] / np.sqrt(np.repeat(modes.masses, 3))).reshape(-1, 3)
    direction *= PUSH / np.linalg.norm(direction, axis=1).max()
    sides = [molecule.with_positions(molecule.positions + sign * direction) for sign in (1, -1)]
    method = PotentialMethod("aimnet2", fmax=0.005, steps=600, initial_hessian="valence")
    ends = [relax(side.without_columns(), method).structures.without_columns() for side in sides]
    here, *there = (calculator.compute(one, forces=False).energies[0] for one in (molecule, *ends))
    return float((here - min(there)) * KCAL_MOL_PER_EV)


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="minima, with their columns")
    parser.add_argument("--molecules", type=int, default=200, help="how many, drawn at random (default: 200)")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="where the table goes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    minima = Structures.concatenate([storage.read(path) for path in arguments.files])
    chosen = np.sort(np.random.default_rng(0).permutation(len(minima))[: arguments.molecules])
    calculator = calculators.get("aimnet2", dtype="float64")
    rows = []
    for m in tqdm(chosen.tolist(), desc="Hessians"):
        molecule = minima[[m]]
        modes = modes_of(molecule, calculator)
        found = modes.wave_numbers
        imaginary = int((found < NOTICED).sum())
        rows.append(
            {
                "id": molecule.names[0],
                "kind": molecule.column("kind")[0].decode(),
                "n_atoms": int(molecule.sizes[0]),
                "charge": int(molecule.charges[0]),
                "fmax": round(float(molecule.column("fmax")[0]), 4),
                "lowest": round(float(found[0]), 1) if len(found) else np.nan,
                "imaginary": imaginary,
                "gain": round(gain(molecule.without_columns(), modes, calculator), 3) if imaginary else 0.0,
            }
        )
    table = pd.DataFrame(rows)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_table(table, arguments.out / "organic_hessians.csv")
    saddles = table[table["imaginary"] > 0]
    print(f"{len(table)} of {len(minima)} minima: {len(saddles)} with a mode below {NOTICED:g} 1/cm")
    print(saddles.to_string(index=False))


if __name__ == "__main__":
    main()
