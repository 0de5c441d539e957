"""Figure A1: density of the radius, and predicted against true times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Files, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Why a single sample tells how much noise it has.** The radius of a Gaussian in D dimensions, scaled by its root mean
square: lines are Eq. 7 of the paper, circles a histogram of samples. The more dimensions, the thinner the shell in which all
samples lie: a molecule of 14 atoms has D = 42, an image of 32 x 32 pixels and three colours D = 3072. Right: predicted
against true time steps, one draw of noise for each step. The molecule is the first test minimum with 14 atoms, or as near to
that as there are, and the network the study's first for times (the first joint one where there is none). The image is one
that a small convolutional network was not trained on: of CIFAR-10, or a patch of one of two photographs, as the legend says.

The paper (Fig. A1) finds predictions for images more accurate than for molecules, and for low time steps more accurate than
for high ones.
"""


def plan(study: Study) -> Plan:
    """The first network that predicts times alone, else the first joint one; images as the config says. Neither is needed."""
    model = study.first_model("time") or study.first_model("morered-jt")
    return {"model": model, "images": study.settings.images.source}


def inputs(study: Study, plan: Plan) -> Files:
    """Predicted times of a molecule and of an image: what the study has of both."""
    files: Files = {}
    if plan["model"] is not None:
        files["molecule"] = f"{study.root}/models/{plan['model']}/molecule_times.csv"
    if plan["images"] != "none":
        files["images"] = f"{study.root}/models/image_times/predictions.csv"
    return files


def draw(order: Order) -> None:
    """The left panel needs no input."""
    from morered.figures.catalogue.figA1 import drawing

    drawing.make(order.stem, drawing.predictions(order.files))


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs, files=("times.csv",))
