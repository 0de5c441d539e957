"""Figure B4: time steps of sampling, and validity against the cap on the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Files, Order, Plan
from morered.study import generation

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Generating molecules with predicted time steps.** a: predicted time steps of the first samples of the first adaptive
sampler, from pure noise to i ≤ 0 or the cap; the dashed line is the fixed schedule (DDPM). A dot ends a valid molecule, a
cross one that is not (connected, every valence proper; Open Babel). b: share of valid samples, and of valid and unique ones,
against the cap on the steps. A sample that is not done at the cap counts as it stands there. 95 % intervals are by bootstrap
over samples. All caps are stops of one process, so the samples at them are not independent. Beside it: a sampler with the
fixed schedule, at its number of steps.

The paper (Fig. B4, QM9): about 4 % valid and unique samples with at most 500 steps and up to 35 % with 800; with 1000 about
25 % fewer than DDPM-large, with 2000 about 7 % more, and little gain beyond, up to 50 000.
"""


def plan(study: Study) -> Plan:
    """Left: the first adaptive sampler's first samples. Right: the last one at each cap, beside the last fixed one."""
    adaptive, fixed = (generation.samplers_for(study, "figB4", schedule) for schedule in ("adaptive", "fixed"))
    settings = study.settings.generation
    followed = adaptive[0]
    return {
        "followed": followed,
        "trajectories": min(settings.trajectories, settings.molecules),
        "T": study.steps_of_process(settings.methods[followed].noise),
        "method": adaptive[-1],
        "against": fixed[-1],
        "caps": list(settings.caps.steps),
    }


def inputs(study: Study, plan: Plan) -> Files:
    """Steps and ends of the samples that are followed; tables of the sampler at each cap and of the one beside it."""
    followed = generation.folder(study, plan["followed"])
    return {
        "trajectories": f"{followed}/trajectories.h5",
        "ends": f"{followed}/trajectories.end.csv",
        "capped": f"{generation.folder(study, plan['method'])}/caps.csv",
        "against": f"{generation.folder(study, plan['against'])}/samples.csv",
    }


def draw(order: Order) -> None:
    """From recorded steps and tables of samples."""
    from morered.figures.catalogue.figB4 import drawing

    drawing.make(**order.files, stem=order.stem, names=(order.plan["method"], order.plan["against"]), T=order.plan["T"])


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs, files=("steps.csv",))
