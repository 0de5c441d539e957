"""Figure 6: PBE0+MBD energies of relaxed structures against those of the reference minima, and what AS does to distances."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from morered.energies.sampling import INPUT, REFERENCE
from morered.figures import boxes, html, style
from morered.files import atomic_path
from morered.metrics.tables import in_order

#: Chemical accuracy in kcal/mol.
ACCURACY = 1.0
#: The axis ends here at most (kcal/mol); structures above it are counted.
TOP = 20.0
#: It reaches at least as far below zero (kcal/mol), and to the lowest structure.
LOW = 4.0
#: Column of fig6.csv -> its head in the page.
HEADS = {
    "method": "method",
    "n": "structures",
    "failed": "without an energy",
    "median_energy": "median (kcal/mol)",
    "mean_energy": "mean (kcal/mol)",
    "within_1_percent": "within ±1 kcal/mol (%)",
    "less_than_1_above_percent": "less than 1 kcal/mol above (%)",
    "below_percent": "below the reference (%)",
    "median_above_lowest": "median above the lowest (kcal/mol)",
    "bond_change": "change of bond lengths (Å)",
    "distance_change": "change of all distances (Å)",
}
COLUMNS = ["testset", *HEADS]


def numbers(energies: pd.DataFrame, testset: str) -> pd.DataFrame:
    """The numbers of each method, and of the inputs, in order of appearance.

    Parameters
    ----------
    energies
        `morered.energies.batch.energies_of` the sample.
    testset
        Its name.

    Returns
    -------
    DataFrame
        `COLUMNS`. Energies are total energies less that of the reference minimum, kcal/mol; ``failed`` counts structures for
        which one of the two is missing: they enter no number. ``median_above_lowest`` is counted from the lowest structure of
        the same input, whether it is the reference, the input or a method's. The changes are means over the structures of the
        mean change of bond lengths, and of all distances between atoms, against the reference in Å; negative: too short.
    """
    lowest = energies.groupby("id")["difference_kcal_mol"].transform("min")
    energies = energies.assign(above_lowest=energies["difference_kcal_mol"] - lowest)
    rows = []
    for source in in_order(energies.loc[energies["source"] != REFERENCE, "source"]):
        group = energies[energies["source"] == source]
        known = group[group["difference_kcal_mol"].notna()]
        difference = known["difference_kcal_mol"]
        rows.append(
            {
                "testset": testset,
                "method": source,
                "n": len(known),
                "failed": len(group) - len(known),
                "median_energy": difference.median(),
                "mean_energy": difference.mean(),
                "within_1_percent": _percent(difference.abs() < ACCURACY),
                "less_than_1_above_percent": _percent(difference < ACCURACY),
                "below_percent": _percent(difference < 0),
                "median_above_lowest": known["above_lowest"].median(),
                "bond_change": group["bond_change"].mean(),
                "distance_change": group["distance_change"].mean(),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """What `numbers` says about the paper's statements: testset, method, quantity (of `published.QUANTITIES`), value, n."""
    names = {
        "less_than_1_above_percent": "energy_within_1_percent",
        "below_percent": "energy_below_percent",
        "median_energy": "median_energy",
        "bond_change": "distance_change",
    }
    methods = table.loc[table["method"] != INPUT, ["testset", "method", "n", *names]].rename(columns=names)
    return methods.melt(["testset", "method", "n"], list(names.values()), "quantity", "value")


@style.styled
def draw(energies: pd.DataFrame, table: pd.DataFrame, stem: str | Path, level: str) -> None:
    """Draw a box of the differences for each method, the band of chemical accuracy behind; writes fig6.{png,pdf,csv}.

    The inputs are drawn as well, unless most of them lie above the axis. ``level`` is the level of theory, for the axis.
    """
    high = (table["method"] == INPUT) & (table["median_energy"] > TOP)
    shown = table[~high & (table["n"] > 0)]
    runs = energies.rename(columns={"source": "method", "difference_kcal_mol": "value"})
    runs = runs[runs["value"].notna() & runs["method"].isin(shown["method"])].assign(testset=table["testset"].iloc[0])
    if shown.empty:
        raise ValueError("no relaxed structure has an energy; the table of single points tells why")
    figure = boxes.draw_boxes(
        runs,
        shown.assign(value=shown["median_energy"], note=shown["less_than_1_above_percent"].map(boxes.percent)),
        ylabel=f"ΔE to the reference (kcal/mol)\n{level}",
        head=("median", "< 1 kcal/mol"),
        line=0.0,
        top=TOP,
        bottom=None,
    )
    lowest = min(runs["value"].min(), -LOW)
    figure.axes[0].set_ylim(bottom=1.05 * lowest)
    figure.axes[0].axhspan(-ACCURACY, ACCURACY, color="#dddddd", linewidth=0, zorder=-1)
    style.save(figure, stem, table)


def write(table: pd.DataFrame, path: str | Path, *, level: str, note: str = "") -> None:
    """Write the table as a page; ``note`` is a sentence above it, such as on what data it is."""
    title = f"Energies of relaxed structures, {level}"
    body = [f"<h1>{html.escape(title)}</h1>", f"<p class=note>{html.escape(note)}</p>" if note else "", html.table(table, HEADS)]
    with atomic_path(path) as temporary:
        temporary.write_text(html.document(title, "\n".join(body)), encoding="utf-8")


def make(energies: pd.DataFrame, stem: str | Path, page: str | Path, *, testset: str, level: str, note: str = "") -> pd.DataFrame:
    """Make figure and page from the energies of a sample; returns what fig6.csv holds."""
    table = numbers(energies, testset)
    draw(energies, table, stem, level)
    write(table, page, level=level, note=note)
    return table


def _percent(which: pd.Series) -> float:
    return 100.0 * which.mean() if len(which) else float("nan")
