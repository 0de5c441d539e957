"""Figure 3b: predicted steps along adaptive and fixed schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Files, Order, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Time steps while three molecules relax.** Solid lines: the adaptive schedule, which takes the time step that is predicted
before every step. Dashed lines: the fixed schedule, which predicts the first step only and then counts down. Dots: what
would have been predicted along the fixed schedule, and was not used. Where the adaptive schedule takes many more steps, the
axis is broken and the rest is shown at another scale. The table has the RMSD from the minimum before and after. The
molecules are the inputs at the quantiles 1/6, 1/2 and 5/6 of the inputs' RMSD, chosen before anything was relaxed.

The paper (Fig. 3b) shows three molecules for which the predictions are still well above 0 where the fixed schedule ends, and
which the adaptive schedule brings nearer to the minimum.
"""


def plan(study: Study) -> Plan:
    """The methods and the test set that the config names."""
    followed = study.settings.trajectories
    problems = list(study.unknown("trajectories.testset", followed.testset, "testsets"))
    for role, method in (("adaptive", followed.adaptive), ("fixed", followed.fixed)):
        faults = list(study.unknown(f"trajectories.{role}", method, "methods"))
        if not faults and study.settings.methods[method].relaxer != "morered":
            faults = [f"trajectories.{role}: {method} has no time steps; a method with the relaxer morered has"]
        problems += faults
    if problems:
        raise ConfigError(problems)
    return {**followed.to_dict(), "steps": study.predicted_steps([followed.adaptive, followed.fixed])}


def inputs(study: Study, plan: Plan) -> Files:
    """Trajectories and ends of both methods, the test set and its minima."""
    files: Files = {"inputs": study.inputs(plan["testset"]), "minima": study.minima(plan["testset"])}
    for role in ("adaptive", "fixed"):
        files[role] = f"{study.root}/relax/{plan['testset']}/{plan[role]}/trajectories.h5"
        files[f"{role}_ends"] = f"{study.root}/relax/{plan['testset']}/{plan[role]}/trajectories.end.h5"
    return files


def draw(order: Order) -> None:
    """From recorded trajectories."""
    from morered.figures.catalogue.fig3b import drawing

    names = (order.plan["adaptive"], order.plan["fixed"])
    steps = (order.plan["steps"][names[0]], order.plan["steps"][names[1]])
    drawing.make(**order.files, stem=order.stem, names=names, steps=steps)


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs, files=("rmsd.csv",))
