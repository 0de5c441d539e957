"""Figure 2: imidazole through the forward and the reverse process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Files, Order, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Imidazole through the diffusion process and back.** Above, from left to right: the minimum (PBE0/def2-TZVP) and its
structure after t steps of the forward process, walked step by step with one sequence of noise. Below, from right to left:
structures of the reverse process of the study's first network for noise (the first joint one where there is none), with the
fixed schedule, starting from the last structure above. Bonds are drawn where two atoms are near enough, all structures to
one scale, set by the forward process. A network that was hardly trained may drive the atoms apart: the process then breaks
off, and what it did not reach is left empty.

The paper (Fig. 2) shows the same molecule from t = 1000. From pure noise nothing but the composition is left, so the
structure at the end need not be imidazole.
"""


def plan(study: Study) -> Plan:
    """The first network that predicts noise alone, else the first joint one, takes imidazole back."""
    model = study.first_model("noise") or study.first_model("morered-jt")
    if model is None:
        raise ConfigError(["figures: fig2 needs a model of kind noise or morered-jt in models"])
    steps, T = list(study.settings.process.steps), study.steps_of_process(model)
    if steps[0] != 0 or steps != sorted(steps) or steps[-1] > T:
        raise ConfigError([f"process.steps: {steps} do not ascend from 0 to at most {T}, the diffusion.T of the model {model}"])
    return {"model": model, "steps": steps}


def inputs(study: Study, plan: Plan) -> Files:
    """What the rule record_reverse_process writes."""
    return {"coordinates": f"{study.root}/relax/imidazole/processes.csv"}


def draw(order: Order) -> None:
    """From coordinates alone."""
    import pandas as pd

    from morered.figures.catalogue.fig2 import drawing

    drawing.draw(pd.read_csv(order.files["coordinates"]), order.stem)


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs)
