"""Figure C3: losses while training, and what a degenerate diffused molecule looks like."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from morered import storage
from morered.chemistry import closest_contacts
from morered.datasets.testsets import diffused_inputs
from morered.figures import style
from morered.figures.molecules import draw_molecule, frame, view
from morered.metrics.tables import in_order, write_table
from morered.structures import Structures

#: Time step (1..T) of the diffused molecule, the paper's.
STEP = 916
#: So many minima are diffused, evenly spaced in the file, to find the densest.
CANDIDATES = 2000


def numbers(logs: Mapping[str, str | PathLike[str]]) -> pd.DataFrame:
    """Losses of each model from its training log (``log.csv``).

    Returns
    -------
    DataFrame
        model, step (batches), epoch, train_loss (mean since the row before), val_loss (averaged weights), learning_rate.

    Raises
    ------
    ValueError
        If a log has no rows.
    """
    frames = []
    for model, path in logs.items():
        log = pd.read_csv(path)
        if log.empty:
            raise ValueError(f"{path}: no rows")
        frames.append(log[["step", "epoch", "train_loss", "val_loss", "learning_rate"]].assign(model=model))
    table = pd.concat(frames, ignore_index=True)
    return table[["model", "step", "epoch", "train_loss", "val_loss", "learning_rate"]]


def densest(minima: Structures, t: int = STEP, candidates: int = CANDIDATES) -> tuple[Structures, Structures]:
    """The minimum that the noise packs most tightly: of the diffused minima with at least ten atoms, the one whose mean
    distance between two atoms is the smallest share of what it was. Both before and after, one molecule each.
    """
    large = np.flatnonzero(minima.sizes >= min(10, int(minima.sizes.max())))
    chosen = minima[np.unique(large[np.linspace(0, len(large) - 1, min(candidates, len(large))).astype(int)])].without_columns()
    noisy = diffused_inputs(chosen, steps=t)
    share = [
        _mean_distance(after.positions) / _mean_distance(before.positions) for before, after in zip(chosen, noisy, strict=True)
    ]
    m = int(np.argmin(share))
    return chosen[m], noisy[m]


@style.styled
def draw(table: pd.DataFrame, before: Structures, after: Structures, stem: str | Path, t: int = STEP) -> None:
    """Draw the losses on the left and the molecule on the right; writes figC3.{png,pdf,csv} and figC3.molecule.csv."""
    models = in_order(table["model"])
    columns, rows = (1, 1) if len(models) == 1 else (2, -(-len(models) // 2))
    figure = style.new_figure(style.PAGE, 2.7 if rows == 1 else 0.5 + 1.5 * rows)
    ratios = [2.3, 2] if len(models) == 1 else [3.2, 1]
    curves, pictures = figure.subfigures(1, 2, width_ratios=ratios, squeeze=False).ravel()
    panels = curves.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(models) :]:
        axes.set_axis_off()
    for axes, model in zip(panels, models, strict=False):
        _draw_losses(axes, table[table["model"] == model], model if len(models) > 1 else "")
    panels[0].legend(loc="upper right")
    curves.supxlabel("epoch", fontsize=8)
    curves.supylabel("loss", fontsize=8)
    middle, right = pictures.subplots(1, 2) if len(models) == 1 else pictures.subplots(2, 1)
    molecule, noisy = before.molecule(0), after.molecule(0)
    rotation = view(molecule.numbers, molecule.positions)
    start = molecule.positions - molecule.positions.mean(axis=0)
    boxes = [
        draw_molecule(middle, molecule.numbers, start, rotation=rotation),
        draw_molecule(right, noisy.numbers, noisy.positions, rotation=rotation),
    ]
    half = np.max([np.abs(box).max(axis=0) for box in boxes], axis=0)  # one scale for both
    for axes, title in ((middle, "minimum"), (right, f"after {t} steps")):
        frame(axes, np.array([-half, half]))
        axes.set_title(title)
    style.save(figure, stem, table)
    stem = style.stem_of(stem)
    contacts = [float(closest_contacts(part)[0]) for part in (before, after)]
    facts = {"id": [molecule.id] * 2, "t": [0, t], "closest_contact": contacts}
    facts["mean_distance"] = [_mean_distance(part.positions) for part in (before, after)]
    write_table(pd.DataFrame(facts), stem.with_name(f"{stem.name}.molecule.csv"))


def make(logs: Mapping[str, str | PathLike[str]], minima: str | PathLike[str], stem: str | Path, t: int = STEP) -> pd.DataFrame:
    """Make the figure from the training logs of some models (name -> ``log.csv``) and a file of minima; returns the losses."""
    table = numbers(logs)
    draw(table, *densest(storage.read(minima), t), stem, t)
    return table


def _draw_losses(axes: Axes, rows: pd.DataFrame, title: str) -> None:
    """Both losses of one model over the range of the validation's: the first steps of a training are far above."""
    axes.plot(rows["epoch"], rows["train_loss"], color=style.METHOD_COLOURS["MLFF"], linewidth=0.8, alpha=0.7, label="training")
    axes.plot(rows["epoch"], rows["val_loss"], color=style.METHOD_COLOURS["MoreRed-AS"], linewidth=1.4, label="validation")
    losses = rows[["train_loss", "val_loss"]]
    low, high = float(losses.min().min()), max(float(rows["val_loss"].max()), float(rows["train_loss"].quantile(0.9)))
    if np.isfinite([low, high]).all() and high > low:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    axes.set_xlim(left=0)
    axes.set_title(title, loc="left", fontsize=8)


def _mean_distance(positions: np.ndarray) -> float:
    """Mean distance between two different atoms in Å; positions [N, 3]."""
    x = np.asarray(positions, float)
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1)
    return float(distances[np.triu_indices(len(x), 1)].mean())
