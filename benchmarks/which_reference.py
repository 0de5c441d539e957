"""Whose minima does PBE0+MBD prefer, AIMNet2's, SO3LR's or GFN2-xTB's? -> results/bench/which_reference.BASIS.csv.

    python benchmarks/which_reference.py                                         half a core-hour and more for each minimum
    python benchmarks/which_reference.py --basis def2-svp --grid 2 --jobs 2      some four core-minutes; docs/organic.md

Each drug is embedded by ETKDGv3 and cleaned by MMFF94. From there each potential goes to its own minimum, to 0.005 eV/Å. Then
PBE0+MBD gives energy and forces at the minima. The forces of MBD are central differences of its energy at fixed Hirshfeld
volumes. Energies are above the lowest of a drug's minima. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rdkit import Chem

from morered.chemistry import same_bonds
from morered.datasets.organic.endings import heavy_rmsd
from morered.datasets.organic.minima import conformers
from morered.dft.mbd import mbd_energy
from morered.dft.single_point import single_point
from morered.metrics.tables import write_table
from morered.parallel import TaskFailure, map_processes
from morered.relaxation import PotentialMethod, relax
from morered.settings.level import Level
from morered.settings.relaxation import XtbMethod
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV

#: 20 to 26 heavy atoms; the first twelve have at most 35 atoms.
DRUGS = {
    "diazepam": "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21",
    "furosemide": "O=C(O)c1cc(S(N)(=O)=O)c(Cl)cc1NCc1ccco1",
    "letrozole": "N#Cc1ccc(cc1)C(n1cncn1)c1ccc(C#N)cc1",
    "fluconazole": "OC(Cn1cncn1)(Cn1cncn1)c1ccc(F)cc1F",
    "niclosamide": "O=C(Nc1ccc([N+](=O)[O-])cc1Cl)c1cc(Cl)ccc1O",
    "niflumic acid": "O=C(O)c1cccnc1Nc1cccc(C(F)(F)F)c1",
    "tolcapone": "Cc1ccc(cc1)C(=O)c1cc(O)c(O)c([N+](=O)[O-])c1",
    "lorazepam": "OC1N=C(c2ccccc2Cl)c2cc(Cl)ccc2NC1=O",
    "dantrolene": "O=C1CN(N=Cc2ccc(o2)-c2ccc([N+](=O)[O-])cc2)C(=O)N1",
    "chlorthalidone": "NS(=O)(=O)c1cc(ccc1Cl)C1(O)NC(=O)c2ccccc12",
    "quercetin": "O=c1c(O)c(oc2cc(O)cc(O)c12)-c1ccc(O)c(O)c1",
    "alprazolam": "Cc1nnc2CN=C(c3ccccc3)c3cc(Cl)ccc3-n12",
    "warfarin": "CC(=O)CC(c1ccccc1)c1c(O)c2ccccc2oc1=O",
    "morphine": "CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5",
    "celecoxib": "Cc1ccc(cc1)-c1cc(nn1-c1ccc(cc1)S(N)(=O)=O)C(F)(F)F",
    "linezolid": "CC(=O)NC[C@H]1CN(C(=O)O1)c1ccc(N2CCOCC2)c(F)c1",
}
POTENTIALS = ("aimnet2", "so3lr", "gfn2")
DISPLACEMENT = 0.005  # Å, of the differences


def start(name: str) -> Structures:
    """The drug as MMFF94 has it."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(DRUGS[name]))
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    return Structures.build([numbers], [conformers(molecule, 1, seed=1)[0]], [name])


def minimum(potential: str, molecule: Structures) -> Structures:
    """The potential's minimum."""
    if potential == "gfn2":
        return relax(molecule, XtbMethod("gfn2", fmax=0.005, steps=3000)).structures
    return relax(molecule, PotentialMethod(potential, fmax=0.005, steps=3000, initial_hessian="valence")).structures


def mbd_forces(numbers: NDArray, positions: NDArray, ratios: NDArray, beta: float) -> NDArray[np.float64]:
    """Forces [N, 3] of MBD in eV/Å at fixed volume ratios."""
    forces = np.zeros_like(positions)
    for place in np.ndindex(positions.shape):
        ends = []
        for sign in (1, -1):
            moved = positions.copy()
            moved[place] += sign * DISPLACEMENT
            ends.append(mbd_energy(numbers, moved, ratios, beta))
        forces[place] = (ends[1] - ends[0]) / (2 * DISPLACEMENT)
    return forces


def judged(name: str, potential: str, relaxed: Structures, begun: Structures, level: Level) -> dict[str, object]:
    """Energy and forces of PBE0+MBD at a minimum."""
    _, numbers, points = relaxed.molecule(0)
    positions = np.asarray(points, dtype=np.float64)
    point = single_point(numbers, positions, level, forces=True)
    if point.forces is None or point.volume_ratios is None:
        raise RuntimeError(point.reason)
    forces = point.forces + mbd_forces(numbers, positions, point.volume_ratios, level.beta)
    norms = np.linalg.norm(forces, axis=1)
    return {
        "drug": name,
        "potential": potential,
        "heavy_atoms": int((numbers > 1).sum()),
        "atoms": len(numbers),
        "verdict": relaxed.column("verdict")[0].decode(),
        "same_bonds": bool(same_bonds(begun, relaxed)[0]),
        "energy_eV": point.total,
        "rms_force": float(np.sqrt(np.mean(norms**2))),
        "largest_force": float(norms.max()),
        "seconds": round(point.seconds),
        "numbers": numbers.tolist(),
        "positions": positions.tolist(),
    }


def row_of(pair: tuple[str, str], level: Level) -> dict[str, object]:
    """A drug's minimum at a potential, found and judged on one core."""
    name, potential = pair
    begun = start(name)
    return judged(name, potential, minimum(potential, begun), begun, level)


def table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """A row for each minimum of the drugs that all potentials have done, in the order of `DRUGS` and `POTENTIALS`."""
    drugs, potentials = list(DRUGS), list(POTENTIALS)
    rows = sorted(rows, key=lambda row: (drugs.index(str(row["drug"])), potentials.index(str(row["potential"]))))
    frame = pd.DataFrame(rows)
    frame = frame[frame.groupby("drug")["potential"].transform("nunique") == len(POTENTIALS)].reset_index(drop=True)
    minima = Structures.build(list(frame.pop("numbers")), [np.array(x) for x in frame.pop("positions")], frame.index.astype(str))
    aimnet2 = frame.index.to_series().groupby(frame["drug"]).transform("first").to_numpy()
    frame["rmsd_to_aimnet2"] = heavy_rmsd(minima, minima[aimnet2])
    lowest = frame.groupby("drug")["energy_eV"].transform("min")
    frame["above_lowest_kcal_mol"] = (frame.pop("energy_eV") - lowest) * KCAL_MOL_PER_EV
    return frame.round({"rmsd_to_aimnet2": 3, "above_lowest_kcal_mol": 2, "rms_force": 3, "largest_force": 3})


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drugs", type=int, default=12, help="how many (default: 12)")
    parser.add_argument("--basis", default="def2-tzvp", help="basis set (default: def2-tzvp)")
    parser.add_argument("--grid", type=int, default=3, help="PySCF's level of the grid (default: 3)")
    parser.add_argument("--jobs", type=int, default=1, help="minima at a time, a core each (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="where the table goes")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    level = Level(basis=arguments.basis, grid=arguments.grid, threads=1)
    done = arguments.out / f"which_reference.{arguments.basis}.jsonl"
    rows = [json.loads(line) for line in done.read_text().splitlines()] if done.exists() else []
    known = {(row["drug"], row["potential"]) for row in rows}
    wanted = [pair for pair in itertools.product(list(DRUGS)[: arguments.drugs], POTENTIALS) if pair not in known]
    for index, row in map_processes(functools.partial(row_of, level=level), wanted, workers=arguments.jobs):
        if isinstance(row, TaskFailure):
            print(f"{' at '.join(wanted[index])}: {row.reason}", flush=True)
            continue
        rows.append(row)
        with done.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(*(f"{key}={row[key]}" for key in ("drug", "potential", "energy_eV", "largest_force", "seconds")), flush=True)
    found = table(rows)
    write_table(found, arguments.out / f"which_reference.{arguments.basis}.csv")
    print(found.to_string(index=False))
    summary = found.groupby("potential", sort=False)[["above_lowest_kcal_mol", "rms_force", "largest_force"]].median()
    summary["lowest"] = found[found["above_lowest_kcal_mol"] == 0].groupby("potential").size()
    print(summary.fillna(0).to_string())


if __name__ == "__main__":
    main()
