"""Why a study has no number beside one that the paper states: what its config would have to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from morered.figures import published
from morered.figures.published import Statement
from morered.study import generation

if TYPE_CHECKING:
    from morered.study.study import Study

#: What figure 6, table B1 and figure B4, table D, and the labels of QM7-X are asked for.
_ENERGIES = frozenset({"energy_within_1_percent", "energy_below_percent", "median_energy", "distance_change"})
_SAMPLES = frozenset({"valid_percent", "valid_unique_percent", "valid_unique_novel_percent"})
_CAPS = {"valid_unique_500_percent": 500, "valid_unique_800_percent": 800}
_TIMES = frozenset({"seconds_per_step", "seconds_per_batch_step", "seconds_per_relaxation"})
_TRAININGS = frozenset({"training_days", "parameters"})
_MINIMA = frozenset({"mean_force", "median_force"})
_ERRORS = frozenset({"energy_error", "force_error"})
_FIRST_STEPS = frozenset({"pearson_r", "zero"})


def reasons(study: Study) -> dict[str, str]:
    """Why statements of the paper are not measured, by `Statement.key`; those that a study measures are not there."""
    found = {statement.key: _reason(study, statement) for statement in published.STATEMENTS}
    return {key: reason for key, reason in found.items() if reason}


def _reason(study: Study, statement: Statement) -> str:
    quantity = statement.quantity
    if quantity in _SAMPLES:
        return _needs(study, "tableB1") or _lacks(statement.method, generation.samplers(study), "sampler")
    if quantity in _CAPS:
        return _needs(study, "figB4") or _capped(study, statement)
    if quantity in _MINIMA:
        return "" if labelled_datasets(study) else "forces at the minima come with QM7-X, which this study does not take"
    if quantity in _ERRORS:
        return _lacks(statement.method, study.settings.methods, "method") or (
            ""
            if labelled_model(study)
            else "labels of test molecules come with QM7-X, which this study's force field does not learn"
        )
    if quantity in _TRAININGS:
        return _needs(study, "tableD") or _lacks(statement.method, trained(study), "method with networks")
    if quantity in _TIMES:
        return _needs(study, "tableD") or _relaxed(study, statement)
    return _relaxed(study, statement) or (_needs(study, "fig6") or _sampled(study, statement) if quantity in _ENERGIES else "")


def _relaxed(study: Study, statement: Statement) -> str:
    testset, method = statement.testset or published.NORMAL, statement.method
    for name in (testset, published.NORMAL):
        if name not in study.settings.testsets:
            return f"this study has no test set {name}"
    if not method:
        return ""
    if missing := _lacks(method, study.settings.methods, "method"):
        return missing
    if method not in study.methods_of(testset):
        return f"this study does not relax {testset} by {method}"
    if statement.quantity in _FIRST_STEPS and method not in study.time_predictors(testset).values():
        return "its time network is another method's too, whose row has the number"
    if "normal_modes" in statement.quantity and method not in study.methods_of(published.NORMAL):
        return f"this study does not relax {published.NORMAL} by {method}"
    return ""


def _sampled(study: Study, statement: Statement) -> str:
    plan = study.plan("fig6")
    if statement.testset != plan["testset"]:
        return f"energies are computed on {plan['testset']}"
    return "" if statement.method in plan["methods"] else f"energies.methods does not have {statement.method}"


def _capped(study: Study, statement: Statement) -> str:
    plan = study.plan("figB4")
    if statement.method != plan["method"]:
        return f"caps are put on {plan['method']}"
    cap = _CAPS[statement.quantity]
    return "" if cap in plan["caps"] else f"generation.caps.steps does not have {cap}"


def _needs(study: Study, figure: str) -> str:
    return "" if figure in study.settings.figures else f"this study does not make {figure}"


def _lacks(name: str, there: Any, what: str) -> str:
    return "" if name in there else f"this study has no {what} {name}"


def trained(study: Study) -> dict[str, list[str]]:
    """The models of each method, and of each sampler of table B1, whose trainings table D lists."""
    found = {method: list(study.models_of(method).values()) for method in study.shown_methods}
    if "tableB1" in study.settings.figures:
        found |= {name: list(generation.models_of(study, name).values()) for name in generation.samplers(study)}
    return {method: list(dict.fromkeys(models)) for method, models in found.items() if models}


def labelled_datasets(study: Study) -> list[str]:
    """The datasets whose minima and displaced structures come with PBE0+MBD forces."""
    return [name for name, settings in study.settings.datasets.items() if settings.kind == "qm7x"]


def labelled_model(study: Study) -> str | None:
    """The model of the method ``MLFF``, where it learns labels that test molecules have too."""
    model = study.models_of("MLFF").get("model") if "MLFF" in study.settings.methods else None
    return model if model is not None and study.settings.models[model].dataset in labelled_datasets(study) else None
