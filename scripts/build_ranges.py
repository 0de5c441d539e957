#!/usr/bin/env python
"""Rebuild src/morered/checks/ranges.json: the ranges of bond lengths and angles that results are checked against.

    python scripts/build_ranges.py                        # some five minutes: minima of the lists are made first
    python scripts/build_ranges.py --minima FOLDER        # with the minima of an earlier run, which are kept there
    python scripts/build_ranges.py --test FILE.h5         # no table; how many molecules of a file do not pass it, and why

The minima are those of QM7 (PBE0, embedded in the package), and GFN2-xTB's and AIMNet2's of two lists in `benchmarks`:
`functional_groups.smi` has the groups and elements that QM7 lacks, `ranges.smi` has ions, strong hydrogen bonds and more of the
rarer elements. Where these have fewer than `FEW` of a kind, the organic minima that come with the package (AIMNet2) are added. A
range spans all of them and is widened: the length of a bond to an atom without
other neighbours (stiff) by 0.04 Å downwards and 0.06 Å upwards, to hydrogen by 0.05 Å, of any other by 0.05 and 0.12 Å (weak
bonds are long), the last half as much again where fewer than `FEW` were found; an angle by 16 degrees. Fewer than `FEW` angles
make no range of their own but where all are nearly straight: their centre's is used instead.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from morered import storage
from morered.checks.bonds import Bonded, by_distance, distances, kind_name
from morered.checks.geometry import angle_atoms, angle_degrees, faults, ring_sizes
from morered.chemistry import bonds
from morered.datasets import qm7
from morered.datasets.organic import shipped
from morered.datasets.smiles import SmilesError, conformers, read_smiles
from morered.files import atomic_path
from morered.relaxation.entry import relax
from morered.settings.relaxation import PotentialMethod, XtbMethod
from morered.structures import Structures

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "morered" / "checks" / "ranges.json"
LISTS = (ROOT / "benchmarks" / "functional_groups.smi", ROOT / "benchmarks" / "ranges.smi")
#: Largest force of a minimum, eV/Å.
FMAX = 0.005
#: Fewer than this are no sample.
FEW = 20
#: Å downwards and upwards, for bonds to terminal atoms, to hydrogen and for the others; degrees.
STIFF, HYDROGEN, LENGTH, ANGLE = (0.04, 0.06), (0.05, 0.05), (0.05, 0.12), (16.0, 16.0)
SECTIONS = ("lengths", "angles", "centres")
#: Values of each kind, by section and name.
Found = dict[str, dict[str, NDArray[np.float64]]]
#: Degrees from which an angle is nearly straight.
STRAIGHT = 160.0


def starts() -> Structures:
    """One conformer of each molecule of the lists, with its charge."""
    names, numbers, positions, charges = [], [], [], []
    for path in LISTS:
        for entry in read_smiles(path):
            try:
                z, found = conformers(entry.smiles, 1, 0, ions=True)
            except SmilesError as error:
                print(f"{entry.name}: {error}")
                continue
            names.append(entry.name)
            numbers.append(z)
            positions.append(found[0])
            charges.append(Chem.GetFormalCharge(Chem.MolFromSmiles(entry.smiles)))
    return Structures.build(numbers, positions, names).with_electrons(charges)


def minima_of(path: Path, method: PotentialMethod | XtbMethod) -> Structures:
    """Minima of the lists, in a file that is made where it is not there. The checks that the table is for do not count."""
    if path.exists():
        return storage.read(path)
    before = starts()
    after = relax(before, method, progress=True).structures
    at_rest = np.nan_to_num(after.column("last_fmax"), nan=np.inf) <= FMAX
    kept = []
    for m in np.flatnonzero(at_rest).tolist():
        _, z, x = after.molecule(m)
        same = set(map(tuple, bonds(z, x).tolist())) == set(map(tuple, bonds(z, before.molecule(m).positions).tolist()))
        if same:
            kept.append(m)
    for m in sorted(set(range(len(after))) - set(kept)):
        print(f"{after.names[m]}: no minimum with its bonds")
    minima = after.without_columns()[kept]
    storage.write(path, minima)
    return minima


def collect(bonded: Bonded) -> Found:
    """Values of each kind, by section and name."""
    name = {kind: kind_name(kind) for kind in np.unique(bonded.kinds).tolist()}
    found: dict[str, dict[str, list[float]]] = {section: defaultdict(list) for section in SECTIONS}
    pairs = np.sort(bonded.kinds[bonded.pairs], axis=1).tolist()
    for (a, b), value in zip(pairs, distances(bonded.structures, bonded.pairs).tolist(), strict=True):
        found["lengths"][f"{name[a]}-{name[b]}"].append(value)
    ends, centres = angle_atoms(bonded)
    rings = ring_sizes(bonded, ends, centres).tolist()
    values = angle_degrees(bonded.structures.positions, ends, centres).tolist()
    sides, middles = np.sort(bonded.kinds[ends], axis=1).tolist(), bonded.kinds[centres].tolist()
    for (a, b), c, ring, value in zip(sides, middles, rings, values, strict=True):
        found["angles"][f"{name[a]}-{name[c]}-{name[b]} {ring}"].append(value)
        found["centres"][f"{name[c]} {ring}"].append(value)
    return {section: {key: np.array(x) for key, x in kinds.items()} for section, kinds in found.items()}


def length_range(name: str, values: NDArray[np.float64]) -> list[float]:
    """[low, high, count] of a kind of bond."""
    stiff = any(atom[-1] == "1" and not atom[-2].isdecimal() for atom in name.split("-"))
    down, up = HYDROGEN if "H1" in name.split("-") else STIFF if stiff else LENGTH
    more = 1.0 if stiff or len(values) >= FEW else 1.5
    return [round(values.min() - more * down, 3), round(values.max() + more * up, 3), len(values)]


def angle_range(values: NDArray[np.float64]) -> list[float]:
    """[low, high, count] of a kind of angle, or of all angles at a kind of atom."""
    return [round(values.min() - ANGLE[0], 1), round(min(values.max() + ANGLE[1], 180.0), 1), len(values)]


def merged(parts: list[Found]) -> Found:
    """All values of each kind."""
    together: dict[str, dict[str, list[NDArray[np.float64]]]] = {section: defaultdict(list) for section in SECTIONS}
    for part in parts:
        for section, kinds in part.items():
            for key, values in kinds.items():
                together[section][key].append(values)
    return {section: {key: np.concatenate(kinds[key]) for key in sorted(kinds)} for section, kinds in together.items()}


def is_sample(values: NDArray[np.float64]) -> bool:
    """Whether these angles make a range of their own."""
    return len(values) >= FEW or bool(values.min() > STRAIGHT)


def main() -> None:
    """Make the table, or try it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minima", type=Path, default=ROOT / "results" / "ranges", help="where those of the lists are kept")
    parser.add_argument("--test", type=Path, metavar="FILE", help="molecules to try the table on")
    arguments = parser.parse_args()
    if arguments.test:
        try_on(storage.read(arguments.test))
        return
    arguments.minima.mkdir(parents=True, exist_ok=True)
    listed = [
        qm7.load(),
        minima_of(arguments.minima / "gfn2.h5", XtbMethod("gfn2", fmax=FMAX)),
        minima_of(arguments.minima / "aimnet2.h5", PotentialMethod("aimnet2", fmax=FMAX, initial_hessian="valence")),
    ]
    joined = merged([collect(by_distance(s.without_columns())) for s in listed])
    organic = [built.structures.without_columns() for _, built in shipped.chunks()]
    more = collect(by_distance(Structures.concatenate(organic)))
    for section, kinds in merged([joined, more]).items():
        few = {key: values for key, values in kinds.items() if len(joined[section].get(key, ())) < FEW}
        joined[section] = dict(sorted((joined[section] | few).items()))
    sections = {
        "lengths": {key: length_range(key, values) for key, values in joined["lengths"].items()},
        "angles": {key: angle_range(values) for key, values in joined["angles"].items() if is_sample(values)},
        "centres": {key: angle_range(values) for key, values in joined["centres"].items()},
    }
    with atomic_path(TABLE) as temporary:
        lines = [
            f"  {json.dumps(section)}: {{\n"
            + ",\n".join(f"    {json.dumps(key)}: {json.dumps(entry)}" for key, entry in kinds.items())
            + "\n  }"
            for section, kinds in sections.items()
        ]
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for section, kinds in sections.items():
        print(f"{section}: {len(kinds)} kinds")


def try_on(structures: Structures) -> None:
    """Print what does not pass."""
    bonded = by_distance(structures.without_columns())
    reasons: Counter[str] = Counter()
    bad: set[int] = set()
    for check, fault in faults(bonded):
        worst = fault.worst()
        reasons[check] = len(worst)
        bad |= set(worst)
        for m, sentence in list(worst.items())[:40]:
            print(f"{structures.names[m]}: {sentence}")
    print(f"{len(bad)} of {len(structures)} molecules do not pass; {dict(reasons)}")


if __name__ == "__main__":
    main()
