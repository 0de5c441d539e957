"""Where results end: each method on each test set of conformers, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures import endings
from morered.figures.declaration import Figure, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Where results end.** Of each method and test set: the percentage that converged with all bonds and the stereochemistry
kept; of the results that fall into a minimum of the reference (AIMNet2), the median energy above it and the median distance
to it (heavy atoms); how many are nearer to it than their inputs; the mean number of gradients of the reference from there to
the minimum, and the same relative to those from MMFF94's results; milliseconds a molecule. Limits are 95 % (bootstrap over
molecules).

The paper has no such table.
"""


def plan(study: Study) -> Plan:
    """All runs."""
    return endings.plan(study, "endings")


def settings(study: Study) -> dict[str, object]:
    """What the config says of the study."""
    return {"note": study.settings.note}


def draw(order: Order) -> None:
    """CSV and page."""
    from morered.figures.catalogue.endings import drawing
    from morered.metrics.endings import read

    runs = [(*run, path) for run, path in zip(order.plan["runs"], order.files["endings"], strict=True)]
    drawing.make(read(runs), order.stem, order.page, baseline=order.plan["baseline"], note=order.settings["note"])


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=endings.files, settings=settings, picture=False, table="where results end")
