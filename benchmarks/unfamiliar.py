"""What the verdicts are worth on molecules that the networks know little or nothing of.

ASE's G2 molecules of H, C, N, O and S, of which many have two to four atoms or an odd electron: normal deviates of `--width` Å
are added to their coordinates (MP2 geometries), each method relaxes them, and each verdict is counted with what it was worth:
nearer to the minimum than the input was, or not. `--clean-below 0` leaves the methods' rule on the noise that is left out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
from ase.build import molecule
from ase.collections import g2

from morered.metrics.rmsd import rmsd
from morered.relaxation import DiffusionMethod, relax
from morered.relaxation.methods import preset
from morered.settings.presets import PRESETS
from morered.structures import Structures

ELEMENTS = {1, 6, 7, 8, 16}


def minima() -> Structures:
    """Those with at least two atoms."""
    all_of_them = [molecule(name) for name in g2.names]
    chosen = [(name, m) for name, m in zip(g2.names, all_of_them, strict=True) if set(m.numbers) <= ELEMENTS and len(m) > 1]
    return Structures.build([m.numbers for _, m in chosen], [m.positions for _, m in chosen], [name for name, _ in chosen])


def main() -> None:
    """Relax and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=PRESETS, default=["fast", "balanced", "accurate"], metavar="METHOD")
    parser.add_argument("--width", type=float, default=0.1, help="Å of the displacements (default: %(default)s)")
    parser.add_argument("--clean-below", type=float, help="in place of the methods' own; 0: none")
    parser.add_argument("--list", action="store_true", help="each molecule as well")
    arguments = parser.parse_args()

    references = minima()
    noise = np.random.default_rng(0).normal(0.0, arguments.width, references.positions.shape)
    inputs = references.with_positions(references.positions + noise)
    before = rmsd(inputs, references)
    for name in arguments.methods:
        method = preset(name)
        if arguments.clean_below is not None and isinstance(method, DiffusionMethod):
            method = replace(method, clean_below=arguments.clean_below or None)
        done = relax(inputs, method).structures
        table = pd.DataFrame(
            {
                "molecule": done.names,
                "n_atoms": done.sizes,
                "verdict": done.column("verdict").astype(str),
                "last_time": done.column("last_time"),
                "before": before,
                "after": rmsd(done.without_columns(), references),
            }
        )
        table["worth"] = np.where(table["after"] < table["before"], "nearer", "not nearer")
        print(f"{name}: {len(table)} molecules")
        print(pd.crosstab(table["verdict"], table["worth"]).to_string())
        if arguments.list:
            print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
