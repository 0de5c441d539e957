"""A figure for each sweep: median RMSD ratio and failures of its entries."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Order, Plan, Runs

if TYPE_CHECKING:
    from morered.study.ablations import Ablation
    from morered.study.study import Study

CAPTION = """\
**One sweep.** Median RMSD ratio (left) and failures, ratios of 1 and more (right), of each entry of the sweep. The bars are
95 % bootstrap intervals over molecules; models of all entries are trained with the same seed, so they do not tell how much a
second training would differ.
"""


def figures(study: Study) -> dict[str, Figure]:
    """One of each sweep of a study, named ``ablation_<sweep>``."""
    return {
        f"ablation_{name}": Figure(CAPTION, draw, plan=partial(plan, sweep=sweep), runs=runs, category="Ablations")
        for name, sweep in study.ablations.items()
    }


def plan(study: Study, sweep: Ablation) -> Plan:
    """The runs of each entry: its methods on the sweep's test sets."""
    entries = {entry: study.runs(methods, sweep.testsets) for entry, methods in sweep.entries.items()}
    return {"entries": entries, "title": sweep.description or sweep.name}


def runs(study: Study, plan: Plan) -> Runs:
    """Those of all entries, one after the other."""
    return [run for entry in plan["entries"].values() for run in entry]


def draw(order: Order) -> None:
    """From the tables of each entry's runs."""
    from morered.figures.catalogue.ablation import drawing
    from morered.metrics.tables import read_runs, with_files

    tables = iter(order.files["tables"])
    entries = {entry: read_runs(with_files(runs, islice(tables, len(runs)))) for entry, runs in order.plan["entries"].items()}
    drawing.make(entries, order.stem, title=order.plan["title"])
