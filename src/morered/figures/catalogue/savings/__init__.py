"""What a relaxation saves: optimisations from each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import sampled
from morered.figures.declaration import Figure, Files, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**What a relaxation saves.** Gradients that a geometry optimisation (geomeTRIC, its default criteria) takes from the raw
input, from its reference minimum, and from what each method makes of the input; a panel for each calculator and test
set. Above each box: the median, and the percentage of the optimisations that end in the minimum to which the reference
leads (RMSD below 0.1 Å, energy within 0.2 kcal/mol, the same bonds). The table adds the gradients relative to those from
the raw input, cycles of the self-consistent field, seconds, and how often a start reaches the reference's minimum where
the raw input does.

The paper has no such figure.
"""


def plan(study: Study) -> Plan:
    """Test sets, and the methods on each."""
    methods = sampled(study, "savings", "savings", study.settings.savings.testsets)
    return {"testsets": list(methods), "methods_of": methods}


def inputs(study: Study, plan: Plan) -> Files:
    """The optimisations of the sample."""
    return {"optimisations": f"{study.root}/savings/savings.csv"}


def settings(study: Study) -> dict[str, object]:
    """Level of theory, and what the config says of the study."""
    return {"level": study.level("savings"), "note": study.settings.note}


def draw(order: Order) -> None:
    """Figure and table."""
    import pandas as pd

    from morered.energies import optimise
    from morered.figures.catalogue.savings import drawing

    optimisations = pd.read_csv(order.files["optimisations"])
    titles = optimise.titles(order.settings["level"])
    drawing.make(optimisations, order.stem, order.page, titles=titles, note=order.settings["note"])


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs, settings=settings, table="what a relaxation saves")
