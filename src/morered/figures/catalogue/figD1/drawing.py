"""Figures D1 and D2: the first molecules that a sampler generated, valid or not, in a grid."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from morered import storage
from morered.figures import style
from morered.figures.molecules import draw_molecule, view
from morered.figures.overlays import FAILURE, formula
from morered.generation import examine
from morered.structures import Structures

#: Molecules in a row.
ACROSS = 8
#: Columns of the CSV.
COLUMNS = ["id", "formula", "verdict", "steps", "valid", "problem", "smiles", "valid_rdkit", "geometry", "stable"]

_HALF, _LARGEST = 3.6, 5.5  # Å, half a cell: a molecule of QM9 fits; larger ones make it larger, up to a limit


def numbers(table: pd.DataFrame, molecules: int) -> pd.DataFrame:
    """What is written of the first samples, `COLUMNS`; the rule knows nothing of their quality."""
    return table.head(molecules)[COLUMNS].reset_index(drop=True)


@style.styled
def draw(samples: Structures, table: pd.DataFrame, stem: str | Path) -> None:
    """Draw a sample for each line of ``table``, invalid ones with an orange formula; writes figD1.{png,pdf,csv}."""
    across = min(ACROSS, len(table))
    lines = -(-len(table) // across)
    cell = style.PAGE / across
    high = cell + 0.16  # room for the formula
    figure = style.new_figure(style.PAGE, lines * high + 0.05)
    figure.set_layout_engine("none")
    chosen = samples[samples.index_of(table["id"].tolist())]
    rotations = [view(m.numbers, m.positions) for m in chosen]
    there = [verdict not in ("failed", "refused") for verdict in table["verdict"]]
    reach = [np.abs((m.positions - m.positions.mean(axis=0)) @ r)[:, :2].max() for m, r in zip(chosen, rotations, strict=True)]
    seen = [x for x, drawn in zip(reach, there, strict=True) if drawn] or [0.0]
    half = float(np.clip(np.quantile(seen, 0.9) + 0.5, _HALF, _LARGEST))
    for k, molecule in enumerate(chosen):
        line, column = divmod(k, across)
        bottom = 1 - (0.02 + (line + 1) * high) / figure.get_figheight()
        axes = figure.add_axes(
            (column / across, bottom + 0.16 / figure.get_figheight(), 1 / across, cell / figure.get_figheight())
        )
        axes.set_axis_off()
        row = table.iloc[k]
        text = formula(molecule.numbers) + ("" if row["valid"] else " ✗")
        figure.text(
            (column + 0.5) / across, bottom + 0.05 / figure.get_figheight(), text, ha="center", va="bottom", fontsize=6.5,
            color="black" if row["valid"] else FAILURE,
        )  # fmt: skip
        if not there[k]:
            axes.text(0.5, 0.5, "broke off", transform=axes.transAxes, ha="center", va="center", color="#777777", fontsize=7)
            continue
        middle = np.append(_middle(molecule.positions @ rotations[k], half), 0.0)
        draw_molecule(axes, molecule.numbers, molecule.positions @ rotations[k] - middle)
        axes.set_xlim(-half, half)
        axes.set_ylim(-half, half)
    style.save(figure, stem, table)


def make(samples: str | PathLike[str], table: str | PathLike[str], stem: str | Path, *, molecules: int = 48) -> pd.DataFrame:
    """Make the figure from the file of the samples and that of their table; returns what figD1.csv holds."""
    shown = numbers(examine.read(table), molecules)
    draw(storage.read(samples), shown, stem)
    return shown


def _middle(seen: np.ndarray, half: float) -> np.ndarray:
    """Where the picture of positions [N, 3] (Å) is centred, [2]: the middle of the box around it, or, where it is larger than the
    picture, where most atoms are.
    """
    flat = seen[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    if (high - low).max() < 2 * half:
        return (low + high) / 2
    return flat[np.argmin(np.linalg.norm(flat - np.median(flat, axis=0), axis=1))]  # an atom, so that there is one to see
