"""Figure B3: methods on SO3Net."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import first_testset, runs_shown
from morered.figures.declaration import Figure, Order, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Networks built on SO3Net in the place of PaiNN.** RMSD ratio (left) and RMSD after relaxation (right) of the methods whose
models have that representation, on the config's first test set; the other figures leave these methods out. Above each box:
the median, and the percentage of failures, that is of ratios of 1 and more; points beyond the axis are counted. A refused or
failed molecule has a ratio of exactly 1. figB3.csv also has 95 % confidence intervals (bootstrap over minima).

The paper (Fig. B3): slightly worse than with PaiNN for all methods, MoreRed-AS and MoreRed-JT better than the MLFF.
"""


def plan(study: Study) -> Plan:
    """The methods on SO3Net, on the first test set."""
    testset = first_testset(study, "figB3")
    methods = study.methods_of(testset, study.so3net_methods)
    if not methods:
        raise ConfigError([f"figures: figB3 needs methods that relax {testset} with models whose representation is so3net"])
    return {"testset": testset, "methods": methods}


def draw(order: Order) -> None:
    """From the runs' tables."""
    from morered.figures.catalogue.figB3 import drawing
    from morered.metrics.tables import read_runs, with_files

    drawing.make(read_runs(with_files(order.runs, order.files["tables"])), order.stem, order.plan["testset"])


FIGURE = Figure(CAPTION, draw, plan=plan, runs=runs_shown)
