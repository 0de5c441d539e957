"""Coverage: how results fare by element and by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures import endings
from morered.figures.declaration import Figure, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Coverage.** Of the results on all test sets of conformers, by element (molecules that have it) and by number of atoms
(classes begin at the number named): the percentage that converged with all bonds and the stereochemistry kept, and the
median energy above the minimum of the reference that they fall into. Each input counts once. Methods that relaxed samples
alone are left out, as their molecules are others.

The paper has no such figure.
"""


def plan(study: Study) -> Plan:
    """All runs."""
    return endings.plan(study, "coverage")


def draw(order: Order) -> None:
    """Two quantities by element and by size."""
    from morered.figures.catalogue.coverage import drawing
    from morered.metrics.endings import read

    runs = [(*run, path) for run, path in zip(order.plan["runs"], order.files["endings"], strict=True)]
    drawing.draw(read(runs), order.stem)


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=endings.files)
