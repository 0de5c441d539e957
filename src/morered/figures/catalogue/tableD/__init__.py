"""Table D: steps and times of methods, single steps and trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures import unmeasured
from morered.figures.choices import first_testset
from morered.figures.declaration import Figure, Files, Order, Plan, Runs

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Steps and times.** First: number of steps and wall time of each method. Molecules that were refused or failed have no
number of steps and enter no mean; those at the cap enter with the cap; the 95 % interval of the mean is a bootstrap over
minima. Times are this run's on its machines; where molecules are relaxed in batches, a molecule's time is its share. Second:
one step of the methods that run on networks, of the first input of the first test set alone and of 128 inputs together, the
mean of 20 steps. Third: what the training of each network took, with those whose weights it began from, as its weights
file says.

The paper (Appendix D): means of 64 (MoreRed-ITP), 489 (-JT), 992 (-AS) and 122 (MLFF) steps with a cap of 1000, and on a
P100 0.03 s for one MoreRed step of one molecule, 0.05 s for one of a batch of 128, 1.45 days of training for MoreRed and
more than 7 for the MLFF.
"""


def plan(study: Study) -> Plan:
    """All methods on all test sets; those that run on networks, which are timed on the first one, and their models; all models
    whose training is told, those of table B1's samplers as well.
    """
    testset = first_testset(study, "tableD")
    roles = {method: study.models_of(method) for method in study.shown_methods if study.models_of(method)}
    models = dict.fromkeys(model for models in roles.values() for model in models.values())
    return {
        "testset": testset,
        "methods": {method: study.method_settings(method) for method in roles},
        "roles": roles,
        "models": list(models),
        "trained": list(models | dict.fromkeys(model for names in unmeasured.trained(study).values() for model in names)),
    }


def runs(study: Study, plan: Plan) -> Runs:
    """All."""
    return study.runs()


def inputs(study: Study, plan: Plan) -> Files:
    """Seconds of single steps, and the weights of all networks in the order of the plan."""
    return {"steps": f"{study.root}/tables/step_times.csv", "weights": [study.weights(model) for model in plan["trained"]]}


def settings(study: Study) -> dict[str, object]:
    """What the config says of the study."""
    return {"note": study.settings.note}


def draw(order: Order) -> None:
    """From the runs' tables, measured steps and weights files."""
    import pandas as pd

    from morered.figures.catalogue.tableD import drawing
    from morered.metrics.tables import read_runs, with_files

    drawing.make(
        read_runs(with_files(order.runs, order.files["tables"])),
        order.stem,
        measured=pd.read_csv(order.files["steps"]),
        weights=dict(zip(order.plan["trained"], order.files["weights"], strict=True)),
        note=order.settings["note"],
    )


FIGURE = Figure(
    CAPTION,
    draw,
    plan=plan,
    runs=runs,
    inputs=inputs,
    settings=settings,
    picture=False,
    table="steps and times",
    files=("steps.csv", "training.csv"),
)
