"""Where results end: each method on each test set of conformers, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures import endings
from morered.figures.declaration import Figure, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Where results end.** A row for each method and test set. First: the percentage of the molecules that converged with all
bonds and the stereochemistry kept. The next columns are of the results that fall into a minimum of the reference (AIMNet2):
the median energy above it, the median distance to it (heavy atoms), and how many are nearer to it than their inputs. Then the
mean number of gradients that the reference takes from the result to the minimum, also relative to those from MMFF94's
results. Last: milliseconds a molecule. Limits are 95 % (bootstrap over molecules).

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
