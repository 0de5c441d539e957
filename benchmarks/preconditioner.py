"""Steps of the batched L-BFGS with AIMNet2 from a diagonal and from a valence Hessian -> results/bench/preconditioner.csv.

The molecules are drugs of 30 to 50 atoms, from MMFF94's minima; each is relaxed to 0.005 eV/Å by every start. Times are CPU
seconds a molecule, of one thread. ASE's L-BFGS, one molecule at a time, is what the batched one is compared with.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rdkit import Chem

from morered.datasets.organic.minima import conformers
from morered.files import atomic_path
from morered.relaxation import PotentialMethod, relax
from morered.relaxation.downhill import inverse_hessian
from morered.structures import Structures

DRUGS = {
    "sildenafil's core": "CCCc1nn(C)c2c1nc([nH]c2=O)-c1ccccc1OCC",
    "diazepam": "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21",
    "celecoxib": "Cc1ccc(cc1)-c1cc(nn1-c1ccc(cc1)S(N)(=O)=O)C(F)(F)F",
    "propranolol": "CC(C)NCC(O)COc1cccc2ccccc12",
    "moclobemide": "O=C(NCCN1CCOCC1)c1ccc(Cl)cc1",
    "naproxen amide": "COc1ccc2cc(ccc2c1)C(C)C(=O)NC1CC1",
    "linezolid": "CC(=O)NC[C@H]1CN(C(=O)O1)c1ccc(N2CCOCC2)c(F)c1",
    "lidocaine": "CCN(CC)CC(=O)Nc1c(C)cccc1C",
}
SOFTEST = (0.1, 0.2, 0.3, 1.0, 3.0)


def inputs() -> Structures:
    """The drugs as MMFF94 has them."""
    molecules = [Chem.AddHs(Chem.MolFromSmiles(smiles)) for smiles in DRUGS.values()]
    numbers = [[atom.GetAtomicNum() for atom in molecule.GetAtoms()] for molecule in molecules]
    return Structures.build(numbers, [conformers(molecule, 1, seed=1)[0] for molecule in molecules], list(DRUGS))


def measure(name: str, structures: Structures, method: PotentialMethod) -> dict[str, str | float]:
    """A row of the table."""
    begin = time.process_time()
    relaxed = relax(structures, method).structures
    steps = relaxed.column("steps")
    return {
        "start": name,
        "mean_steps": round(float(steps.mean()), 1),
        "most_steps": int(steps.max()),
        "converged": int((relaxed.column("verdict") == b"converged").sum()),
        "cpu_seconds": round((time.process_time() - begin) / len(structures), 2),
    }


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/bench/preconditioner.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    structures = inputs()
    plain = PotentialMethod("aimnet2", fmax=0.005, steps=600)
    relax(structures[:1], plain)  # loads the network
    rows = [
        measure("ASE, one at a time", structures, PotentialMethod("aimnet2", fmax=0.005, steps=600, optimizer="ase")),
        measure("diagonal, 70 eV/Å²", structures, plain),
    ]
    for softest in SOFTEST:
        inverse_hessian.Valence.SOFTEST = softest
        method = PotentialMethod("aimnet2", fmax=0.005, steps=600, initial_hessian="valence")
        rows.append(measure(f"valence + {softest:g} eV/Å²", structures, method))
    table = pd.DataFrame(rows)
    print(f"{len(structures)} molecules of {np.median(structures.sizes):g} atoms in the median")
    print(table.to_string(index=False))
    Path(arguments.out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(arguments.out) as temporary:
        table.to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
