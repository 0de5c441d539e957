"""Quality of each way to relax by diffusion against the evaluations it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import first_testset, runs_shown
from morered.figures.declaration import Figure, Order, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Quality against cost.** Median RMSD ratio (left) and failures, that is ratios of 1 and more (right), over the mean number
of network evaluations a molecule takes; one mark for each method that moves by diffusion and each test set. A step counts
twice if two networks predict noise and time. Grey steps: the Pareto front of each test set. With more than eight methods,
those on it have a letter and all else is grey. Broken lines: 20, 40 and 100 evaluations. A large mark is the best method
that stays below a line on every test set: the one with the lowest sum of median ratio and share of failures, mean over test
sets (best_under in evaluations.csv, which also has 95 % intervals by bootstrap over minima).
"""


def plan(study: Study) -> Plan:
    """The methods that move by diffusion, on all test sets, and how many networks each evaluates in a step."""
    first_testset(study, "evaluations")
    methods = [method for method in study.shown_methods if study.settings.methods[method].relaxer == "morered"]
    if not methods:
        raise ConfigError(["figures: evaluations needs a method with the relaxer morered"])
    return {"methods": methods, "per_step": {method: _networks(study, method) for method in methods}}


def _networks(study: Study, method: str) -> int:
    """Networks that are evaluated in each step: two where another one than the noise's predicts the time before every step."""
    models = study.models_of(method)
    return 2 if study.is_adaptive(method) and models["time"] != models["noise"] else 1


def draw(order: Order) -> None:
    """From the runs' tables."""
    from morered.figures.catalogue.evaluations import drawing
    from morered.metrics.tables import read_runs, with_files

    drawing.make(read_runs(with_files(order.runs, order.files["tables"])), order.stem, order.plan["per_step"])


FIGURE = Figure(CAPTION, draw, plan=plan, runs=runs_shown)
