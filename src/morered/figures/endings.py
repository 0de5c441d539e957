"""What figures and tables of where results end choose of a study: its test sets of conformers, and who relaxes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.declaration import Files, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study


def plan(study: Study, figure: str) -> Plan:
    """The runs (test set and method) on frozen test sets of conformers; where there are none, on those of validation molecules.

    Raises
    ------
    ConfigError
        If there is none.
    """
    found = [name for name, testset in study.settings.testsets.items() if testset.kind == "conformers"]
    frozen = [name for name in found if study.settings.testsets[name].split == "test"] or found
    methods = [*study.shown_methods, *(name for name in study.settings.methods if "@" in name)]  # those of sweeps as well
    runs = [[testset, method] for testset in frozen for method in study.methods_of(testset, methods)]
    if not runs:
        raise ConfigError([f"figures: {figure} needs testsets of kind conformers, and methods that relax one"])
    return {"runs": runs, "baseline": _baseline(study)}


def files(study: Study, plan: Plan) -> Files:
    """The tables of endings of a plan's runs."""
    return {"endings": [study.endings(testset, method) for testset, method in plan["runs"]]}


def calibrated(study: Study, plan: Plan) -> Plan:
    """A plan with the runs of methods whose model is calibrated alone, and that model.

    Raises
    ------
    ConfigError
        If there is none.
    """
    models = {method: model for _, method in plan["runs"] if (model := study.models_of(method).get("time"))}
    first = next((model for model in models.values() if study.calibrating(model)), None)
    if first is None:
        raise ConfigError(
            ["figures: a reliability curve needs a method with a model, relaxing conformers of validation molecules as well"]
        )
    runs = [[testset, method] for testset, method in plan["runs"] if models.get(method) == first]
    return {**plan, "runs": runs, "model": first}


def _baseline(study: Study) -> str | None:
    """The first method by MMFF94: whose gradient calls are 1."""
    return next((name for name in study.base_methods if study.settings.methods[name].relaxer == "mmff94"), None)
