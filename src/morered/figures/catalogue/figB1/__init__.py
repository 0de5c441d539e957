"""Figure B1: RMSDs after relaxation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import first_testset, runs_of_every_seed
from morered.figures.declaration import Figure, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**RMSD after relaxation**, on the config's first test set. a: boxplots per method; above each box the median and the
percentage of failures (RMSD not reduced). b: mean RMSD after against mean RMSD before, in eight bins with equally many
inputs; bars are the standard deviation of a molecule's RMSD over runs with different noise, averaged over the bin's
molecules; where further runs are of a sample, so is b (figB1.csv has 95 % intervals by bootstrap over minima and the
standard deviations of medians and failures over the runs; figB1.bins.csv also has the standard deviation of the bin's mean,
which is smaller). c: each molecule before and after;
below the dashed line it came nearer to its minimum. Up to 10 000 points are shown for each method.

The paper (Fig. B1): the adaptive variants have lower medians than all baselines, and MoreRed-ITP a slightly higher one than
MLFF and GFN2-xTB; it is best for inputs near the minimum and worst for those far away; MoreRed-AS varies least between runs,
MoreRed-ITP most.
"""


def plan(study: Study) -> Plan:
    """All methods on the first test set; b: those that move by diffusion, c: also the project's own force field."""
    testset = first_testset(study, "figB1")
    relaxers = {method: study.settings.methods[method].relaxer for method in study.methods_of(testset)}
    variants = [method for method, relaxer in relaxers.items() if relaxer == "morered"]
    learned = [method for method, relaxer in relaxers.items() if relaxer == "mlff"]
    return {"testset": testset, "variants": variants, "scattered": variants + learned}


def draw(order: Order) -> None:
    """From the tables of all seeds."""
    from morered.figures.catalogue.figB1 import drawing
    from morered.metrics.tables import read_runs, with_files

    drawing.make(read_runs(with_files(order.runs, order.files["tables"])), order.stem, **order.plan)


FIGURE = Figure(CAPTION, draw, plan=plan, runs=runs_of_every_seed, files=("bins.csv", "points.csv"))
