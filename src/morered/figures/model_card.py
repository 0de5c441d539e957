"""A weights file's card: what its header says, and where its results end, from the study's own table."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import pandas as pd

from morered.escaping import printable
from morered.figures.results_page import markdown, source
from morered.models import weights

#: Column of the table of `morered.figures.catalogue.endings` -> its head in a card.
COLUMNS = {
    "testset": "inputs",
    "method": "method",
    "n": "molecules",
    "converged_percent": "converged (%)",
    "median_energy_left": "energy left (kcal/mol)",
    "median_rmsd_left": "distance left (Å)",
    "nearer_percent": "nearer than the input (%)",
}

ABOUT = """\
Written by the workflow (`model_card`) from the header of `{name}.safetensors` and from the table of where results end. What
these molecules are, how it is measured, and what the network does not know: `{document}`."""
MEANING = """\
Energy and distance are medians over the results that fall into a minimum of the reference (AIMNet2), above and from that
minimum; the distance is that of heavy atoms."""


def card(path_or_name: str | PathLike[str], name: str, endings: Path, document: str) -> str:
    """The card as Markdown.

    Parameters
    ----------
    path_or_name
        The weights file, or the name of shipped weights.
    name
        What they are called in the package.
    endings
        CSV file of where results end (`morered.metrics.endings.summarise`).
    document
        Where their limits are described.

    Raises
    ------
    WeightsError
        As `morered.models.weights.load`.
    """
    found = weights.facts(path_or_name)
    table = pd.read_csv(endings)
    rows = "\n".join(f"| {key} | {printable(value).replace('|', chr(92) + '|')} |" for key, value in found.items())
    parts = (
        f"# {name}",
        ABOUT.format(name=name, document=document),
        f"| | |\n|---|---|\n{rows}",
        "## Where results end",
        MEANING,
        markdown(table[list(COLUMNS)].rename(columns=COLUMNS)),
        source(endings),
    )
    return "\n\n".join(parts) + "\n"
