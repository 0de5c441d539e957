"""Reliability: what is expected to be left, against what is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures import endings
from morered.figures.declaration import Figure, Files, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Reliability.** What the calibration of the model (a product of isotonic functions of last predicted time, size and distance
moved, fitted on validation molecules) expects of results on the test sets of conformers, against what is found: the mean
distance to the minimum of the reference (left) and the mean energy above it (right), in classes of like expectation, with 95 %
intervals. On the line, both agree.

The paper has no such figure.
"""


def plan(study: Study) -> Plan:
    """The runs of the calibrated model."""
    return endings.calibrated(study, endings.plan(study, "reliability"))


def inputs(study: Study, plan: Plan) -> Files:
    """Tables of endings, and the calibration."""
    return {**endings.files(study, plan), "calibration": f"{study.root}/models/{plan['model']}/calibration.json"}


def draw(order: Order) -> None:
    """Distance and energy."""
    import json
    from pathlib import Path

    from morered.figures.catalogue.reliability import drawing
    from morered.metrics.calibration import Calibration
    from morered.metrics.endings import read

    runs = [(*run, path) for run, path in zip(order.plan["runs"], order.files["endings"], strict=True)]
    values = json.loads(Path(order.files["calibration"]).read_text(encoding="utf-8"))
    drawing.draw(read(runs), Calibration.from_dict(values), order.stem)


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs)
