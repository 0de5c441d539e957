"""Figure 4: RMSD ratios of every method on every test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import first_testset, runs_shown
from morered.figures.declaration import Figure, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**RMSD ratios after relaxation.** For each method the RMSD from the reference minimum after relaxation divided by the one
before, left for structures displaced along normal modes, right for structures displaced by steps of the forward diffusion
process. Boxes: quartiles and median; whiskers: the last point within 1.5 interquartile ranges; points beyond the axis are
counted above. Above each box: the median, and the percentage of failures, that is of ratios of 1 and more. A molecule that a
method refuses or cannot finish counts as a failure with a ratio of exactly 1. fig4.csv also has 95 % confidence intervals
(bootstrap over minima).

The paper (Fig. 4, QM7-X): medians near 0.4 with more than 20 % failures for MLFF and GFN2-xTB, more than 40 % failures for
MMFF94; on diffused inputs almost 90 % failures for MLFF and 99.6 % for MMFF94, which returns nearly all of them unchanged;
lower ratios for all MoreRed variants, with MoreRed-ITP failing least.
"""


def plan(study: Study) -> Plan:
    """All methods on all test sets."""
    first_testset(study, "fig4")
    return {}


def draw(order: Order) -> None:
    """From the runs' tables."""
    from morered.figures.catalogue.fig4 import drawing
    from morered.metrics.tables import read_runs, with_files

    drawing.make(read_runs(with_files(order.runs, order.files["tables"])), order.stem)


FIGURE = Figure(CAPTION, draw, plan=plan, runs=runs_shown)
