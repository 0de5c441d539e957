"""Energy left against time: each method on each test set of conformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures import endings
from morered.figures.declaration import Figure, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Energy left against time.** For each method the median energy of its results above the minimum of the reference (AIMNet2)
that each falls into, against the median time for a molecule; a panel for each test set of conformers, bars from 25 to 75 % of
the molecules. Both axes are logarithmic; energies below 0.01 kcal/mol are drawn there.

The paper has no such figure.
"""


def plan(study: Study) -> Plan:
    """All runs."""
    return endings.plan(study, "energyLeft")


def draw(order: Order) -> None:
    """A panel for each test set."""
    from morered.figures.catalogue.energyLeft import drawing
    from morered.metrics.endings import read

    runs = [(*run, path) for run, path in zip(order.plan["runs"], order.files["endings"], strict=True)]
    drawing.draw(read(runs), order.stem)


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=endings.files)
