"""Figure 5: examples of structures that two methods relaxed, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from morered.figures import overlay_page, overlays, style
from morered.metrics.tables import Run, one_seed

#: The two methods of the paper's figure.
METHODS = ("MoreRed-AS", "MLFF")
#: Examples drawn, in two columns.
EXAMPLES = 8


def choose(runs: pd.DataFrame, testset: str, methods: Sequence[str] = METHODS, examples: int = EXAMPLES) -> list[str]:
    """Inputs to show, by a rule that shows successes and failures of both methods.

    The inputs fall into four groups: both methods succeed (ratio below 1), only the first, only the second, neither. The groups
    take turns; each gives the input at the median of its RMSDs before relaxation, then those at 1/4, 3/4, 1/8, ..., one input
    per minimum.

    Returns
    -------
    list
        Ids in the order of the groups; fewer where there are fewer minima.

    Raises
    ------
    ValueError
        If one of the methods did not relax that test set.
    """
    runs = one_seed(runs[runs["testset"] == testset])
    first, second = (runs[runs["method"] == method].set_index("id") for method in methods)
    for method, table in zip(methods, (first, second), strict=True):
        if table.empty:
            raise ValueError(f"{method} did not relax {testset}")
    both = first.join(second["ratio"].rename("other"), how="inner").sort_values("rmsd_before", kind="stable")
    groups = [
        both[((both["ratio"] < 1) == a) & ((both["other"] < 1) == b)]
        for a, b in ((True, True), (True, False), (False, True), (False, False))
    ]
    queues = [[(k, group.index[place]) for place in _spread(len(group))] for k, group in enumerate(groups)]
    chosen: list[tuple[int, str]] = []
    taken: set[str] = set()
    while len(chosen) < examples and any(queues):
        for queue in queues:
            while queue:
                candidate = queue.pop(0)
                if both.loc[candidate[1], "reference"] not in taken:
                    chosen.append(candidate)
                    taken.add(str(both.loc[candidate[1], "reference"]))
                    break
    return [name for _, name in sorted(chosen[:examples], key=lambda pair: pair[0])]


@style.styled
def draw(drawn: pd.DataFrame, stem: str | Path, methods: Sequence[str] = METHODS) -> None:
    """Draw what `overlays.examples` gave; writes fig5.{png,pdf,csv}."""
    rows = overlays.rows_for(drawn)
    columns = 2 if len(rows) > 2 else 1
    figure = overlays.draw_grid(rows, ["minimum", "input", *methods], columns=columns)
    style.save(figure, stem, overlays.table_of(drawn))


def make(
    runs: pd.DataFrame,
    relaxed: Sequence[Run],
    inputs: str | PathLike[str],
    minima: str | PathLike[str],
    stem: str | Path,
    testset: str,
    methods: Sequence[str] = METHODS,
    examples: int = EXAMPLES,
) -> pd.DataFrame:
    """Make the figure, and a page of its molecules, ``stem.page.html``.

    Parameters
    ----------
    runs
        Tables of the relaxations by both methods.
    relaxed
        Files of the relaxed structures of both methods on ``testset`` (`Run` with the path of the structures).
    inputs, minima
        Files of the test set and of its minima.
    stem
        Path of the figure without its ending.
    testset
        Name of the test set.
    methods
        The two methods.
    examples
        How many inputs are shown.

    Returns
    -------
    DataFrame
        testset, id, method, rmsd_before, rmsd_after (Å), ratio, verdict: what fig5.csv holds.
    """
    ids = choose(runs, testset, methods, examples)
    order = {method: k for k, method in enumerate(methods)}
    files = sorted((run for run in relaxed if run.testset == testset and run.method in order), key=lambda r: order[r.method])
    drawn = overlays.examples(files, {testset: inputs}, {testset: minima}, {testset: ids})
    drawn = drawn.sort_values("id", key=lambda names: names.map({name: k for k, name in enumerate(ids)}), kind="stable")
    draw(drawn, stem, methods)
    stem = style.stem_of(stem)
    overlay_page.write(drawn, stem.with_name(f"{stem.name}.page.html"), "Figure 5: relaxed molecules")
    return overlays.table_of(drawn)


def _spread(n: int) -> list[int]:
    """Places 0..n-1, the middle first, then the middles of the halves, and so on."""
    fractions = [(2 * k + 1) / 2 ** (level + 1) for level in range(int(np.log2(max(n, 1))) + 2) for k in range(2**level)]
    return list(dict.fromkeys(int(f * n) for f in fractions)) if n else []
