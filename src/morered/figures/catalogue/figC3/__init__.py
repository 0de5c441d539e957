"""Figure C3: losses while training, and a degenerate molecule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Files, Order, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Losses while training, and a degenerate molecule.** Left: training loss (mean over the batches since the last validation)
and validation loss, which is computed with averaged weights, of the diffusion models of the compared methods that were
trained in this run; a panel each, over the range of its validation loss. Right: a molecule before and after 916 steps of the
forward process, drawn to one scale. Of up to 2000 minima with ten atoms or more, it is the one whose mean distance between
atoms shrinks most.

The paper (Fig. C3): the validation loss fluctuates less than the training loss, and had three high peaks from such dense
molecules at t above 850, until gradients were clipped.
"""


def plan(study: Study) -> Plan:
    """The diffusion models of the figures that are trained here."""
    used = {model for method in study.shown_methods for model in study.models_of(method).values()}
    models = [
        name for name, model in study.settings.models.items() if name in used and model.source == "train" and model.kind != "mlff"
    ]
    if not models:
        raise ConfigError(["figures: figC3 needs a method with a diffusion model of source: train, whose losses it shows"])
    return {"models": models, "dataset": study.settings.models[models[0]].dataset}


def inputs(study: Study, plan: Plan) -> Files:
    """Training logs in the order of the plan, and minima to diffuse."""
    return {
        "curves": [f"{study.root}/models/{model}/log.csv" for model in plan["models"]],
        "minima": f"{study.data_dir(plan['dataset'])}/minima.h5",
    }


def draw(order: Order) -> None:
    """From training logs."""
    from morered.figures.catalogue.figC3 import drawing

    curves = dict(zip(order.plan["models"], order.files["curves"], strict=True))
    drawing.make(curves, order.files["minima"], order.stem)


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs, files=("molecule.csv",))
