"""What each method needs to learn from: one figure for each sweep that limits the data of trainings."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Files, Order, Plan, Runs

if TYPE_CHECKING:
    from morered.study.ablations import Ablation
    from morered.study.study import Study

CAPTION = """\
**What each method learns from.** Median RMSD ratio (left) and failures, ratios of 1 and more (right), over what the network
was trained on: minima for MoreRed, structures with energies and forces for the MLFF. The bars are 95 % bootstrap intervals
over molecules.

The paper trains MoreRed on minima and the MLFF on a hundred times as many labelled structures; it has no such figure.
"""


def figures(study: Study) -> dict[str, Figure]:
    """One of each sweep of a study in which models learn from different amounts, named ``data_<sweep>``."""
    return {
        f"data_{name}": Figure(CAPTION, draw, plan=partial(plan, sweep=sweep), runs=runs, inputs=inputs, category="Ablations")
        for name, sweep in study.ablations.items()
        if _limits(study, sweep)
    }


def plan(study: Study, sweep: Ablation) -> Plan:
    """The runs of each entry, and the network of each method, whose training counts."""
    entries = {entry: study.runs(methods, sweep.testsets) for entry, methods in sweep.entries.items()}
    methods = {method for chosen in entries.values() for _, method, _ in chosen}
    models = {method: used[0] for method in sorted(methods) if (used := list(study.models_of(method).values()))}
    return {"entries": entries, "title": sweep.description or sweep.name, "models": models}


def runs(study: Study, plan: Plan) -> Runs:
    """Those of all entries, one after the other, of methods that have a network."""
    return [run for entry in plan["entries"].values() for run in entry if run[1] in plan["models"]]


def inputs(study: Study, plan: Plan) -> Files:
    """The weights, whose headers say how much they learned from."""
    return {"weights": [study.weights(model) for model in plan["models"].values()]}


def draw(order: Order) -> None:
    """From the tables of each entry's runs, and the weights."""
    from morered.figures.catalogue.dataNeeded import drawing
    from morered.metrics.tables import read_runs, with_files

    tables, learned = iter(order.files["tables"]), dict(zip(order.plan["models"], order.files["weights"], strict=True))
    entries = {}
    for entry, chosen in order.plan["entries"].items():
        shown = [run for run in chosen if run[1] in learned]
        entries[entry] = read_runs(with_files(shown, islice(tables, len(shown))))
    drawing.make(entries, drawing.learned_from(learned), order.stem, title=order.plan["title"])


def _limits(study: Study, sweep: Ablation) -> bool:
    models = {model for methods in sweep.entries.values() for method in methods for model in study.models_of(method).values()}
    return len({study.settings.models[model].train_limit for model in models}) > 1
