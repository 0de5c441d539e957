"""Figure B2: examples of inputs of both kinds, relaxed by every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from morered.figures import overlay_page, overlays, style
from morered.metrics.tables import Run, in_order, one_seed

#: The inputs that are shown stand at these quantiles of their RMSD: a large and a small distortion.
QUANTILES = (0.9, 0.1)


def choose(runs: pd.DataFrame, quantiles: Sequence[float] = QUANTILES) -> dict[str, list[str]]:
    """Inputs to show of each test set: those at ``quantiles`` of the RMSD before relaxation, whatever became of them.

    Only inputs that every method of that test set was given are considered.
    """
    runs = one_seed(runs)
    chosen = {}
    for testset in in_order(runs["testset"]):
        rows = runs[runs["testset"] == testset]
        complete = rows.groupby("id")["method"].transform("nunique") == rows["method"].nunique()
        table = rows[complete].drop_duplicates("id").set_index("id").sort_values("rmsd_before", kind="stable")
        places = dict.fromkeys(min(int(q * len(table)), len(table) - 1) for q in quantiles)
        chosen[testset] = [str(table.index[place]) for place in places]
    return chosen


@style.styled
def draw(drawn: pd.DataFrame, stem: str | Path) -> None:
    """Draw what `overlays.examples` gave; writes figB2.{png,pdf,csv}."""
    methods, letters, sides = in_order(drawn["method"]), [], []
    for k, (testset, rows) in enumerate(drawn.groupby("testset", sort=False)):
        others = [""] * (rows["id"].nunique() - 1)
        letters += [chr(ord("a") + k), *others]
        sides += [str(testset), *others]
    figure = overlays.draw_grid(overlays.rows_for(drawn), ["minimum", "input", *methods], letters=letters, sides=sides)
    style.save(figure, stem, overlays.table_of(drawn))


def make(
    runs: pd.DataFrame,
    relaxed: Sequence[Run],
    inputs: Mapping[str, str | PathLike[str]],
    minima: Mapping[str, str | PathLike[str]],
    stem: str | Path,
) -> pd.DataFrame:
    """Make the figure, and a page of its molecules, ``stem.page.html``.

    Parameters
    ----------
    runs
        Tables of the relaxations by all methods on the test sets shown.
    relaxed
        Files of the relaxed structures (`Run` with the path of the structures), one seed each.
    inputs, minima
        Test set -> file of its structures, and of their minima.
    stem
        Path of the figure without its ending.

    Returns
    -------
    DataFrame
        testset, id, method, rmsd_before, rmsd_after (Å), ratio, verdict: what figB2.csv holds.

    Raises
    ------
    ValueError
        If the methods are not the same for all test sets.
    """
    methods = {run.testset: [r.method for r in relaxed if r.testset == run.testset] for run in relaxed}
    if len({tuple(names) for names in methods.values()}) > 1:
        raise ValueError("figure B2 needs the same methods in the same order for each test set")
    drawn = overlays.examples(relaxed, inputs, minima, choose(runs))
    drawn = drawn.sort_values("testset", key=lambda names: names.map({n: k for k, n in enumerate(methods)}), kind="stable")
    draw(drawn, stem)
    stem = style.stem_of(stem)
    overlay_page.write(drawn, stem.with_name(f"{stem.name}.page.html"), "Figure B2: relaxed molecules")
    return overlays.table_of(drawn)
