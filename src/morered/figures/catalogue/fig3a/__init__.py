"""Figure 3a: the first predicted step against the RMSD of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import first_testset
from morered.figures.declaration import Figure, Order, Plan, Runs
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**The predicted first time step against the distance from the minimum.** Each point is one structure of the config's first
test set: its RMSD from the minimum it was displaced from, and the time step (1 to T) that the network predicts for it before
the first step. There is one panel for each network that predicts times: MoreRed-JT's noise and time
heads share one representation, MoreRed-ITP and MoreRed-AS have a separate time predictor. Up to 10 000 points are shown in
each panel, with their linear fit; Pearson's ρ and the number of structures that are predicted to need no relaxation at all
are counted over all of them (fig3a.summary.csv also has ρ's 95 % confidence interval, a bootstrap over minima). The networks
have seen Gaussian noise only, never such displacements.

The paper (Fig. 3a, 10 000 structures of QM7-X): ρ = 0.85 for MoreRed-JT, 0.73 for MoreRed-ITP/-AS, and no structure is
predicted to be at 0.
"""


def plan(study: Study) -> Plan:
    """The first method of each model that predicts times, on the first test set."""
    testset = first_testset(study, "fig3a")
    panels = study.time_predictors(testset)
    if not panels:
        raise ConfigError([f"figures: fig3a needs a method with the key time that relaxes {testset}"])
    return {"testset": testset, "panels": panels, "steps": study.predicted_steps(panels.values())}


def runs(study: Study, plan: Plan) -> Runs:
    """Those of the panels' methods."""
    return study.runs(plan["panels"].values(), [plan["testset"]])


def draw(order: Order) -> None:
    """From the runs' tables."""
    from morered.figures.catalogue.fig3a import drawing
    from morered.metrics.tables import read_runs, with_files

    drawing.make(read_runs(with_files(order.runs, order.files["tables"])), order.stem, **order.plan)


FIGURE = Figure(CAPTION, draw, plan=plan, runs=runs, files=("summary.csv",))
