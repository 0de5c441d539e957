"""What each figure shows of a study, chosen by stated rules, and what a study must have for it.

A plan is what a figure is made of: names of methods, models and test sets, and settings. Each rule here gives one, or says in a
sentence which key of the config it lacks. Methods on SO3Net are figure B3's (see `Study.shown_methods`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from morered.energies.level import Level
from morered.study import generation
from morered.study.schema import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

Plan = dict[str, Any]


def plan(study: Study, figure: str) -> Plan:
    """What a figure or table shows of a study; empty where it needs nothing.

    Raises
    ------
    ConfigError
        If the study lacks something that it needs; the message names the keys.
    """
    return _RULES[figure](study) if figure in _RULES else {}


def lacking(study: Study, figures: Iterable[str]) -> Iterable[str]:
    """Why these figures cannot be made of a study: a sentence for each fault."""
    for figure in figures:
        try:
            plan(study, figure)
        except ConfigError as error:
            yield from error.problems


# --------------------------------------------------------------------- one rule for each figure


def _fig2(study: Study) -> Plan:
    """The first network that predicts noise alone, else the first joint one, takes imidazole back."""
    model = study.first_model("noise") or study.first_model("morered-jt")
    if model is None:
        raise ConfigError(["figures: fig2 needs a model of kind noise or morered-jt in models"])
    steps, T = study.config["process"]["steps"], study.model(model)["diffusion"]["T"]
    if steps[0] != 0 or steps != sorted(steps) or steps[-1] > T:
        raise ConfigError([f"process.steps: {steps} do not ascend from 0 to at most {T}, the diffusion.T of the model {model}"])
    return {"model": model, "steps": steps}


def _fig3a(study: Study) -> Plan:
    """The first method of each model that predicts times, on the first test set."""
    testset = _main(study, "fig3a")
    panels = study.time_predictors(testset)
    if not panels:
        raise ConfigError([f"figures: fig3a needs a method with the key time that relaxes {testset}"])
    return {"testset": testset, "panels": panels}


def _fig3b(study: Study) -> Plan:
    """The methods and the test set that the config names."""
    followed = study.config["trajectories"]
    problems = list(study.unknown("trajectories.testset", followed["testset"], "testsets"))
    for role in ("adaptive", "fixed"):
        faults = list(study.unknown(f"trajectories.{role}", followed[role], "methods"))
        if not faults and study.method(followed[role])["relaxer"] != "morered":
            faults = [f"trajectories.{role}: {followed[role]} has no time steps; a method with the relaxer morered has"]
        problems += faults
    if problems:
        raise ConfigError(problems)
    return dict(followed)


def _fig4(study: Study) -> Plan:
    """All methods on all test sets."""
    _main(study, "fig4")
    return {}


def _fig5(study: Study) -> Plan:
    """The two methods that the config names; else the first adaptive one and the first that is no MoreRed."""
    shown = study.config["examples"]
    testset = shown["testset"] or _main(study, "fig5")
    there = study.methods_of(testset)
    methods = shown["methods"]
    if methods is None:
        adaptive = [m for m in there if study.method(m).get("schedule") == "adaptive"]
        others = [m for m in there if study.method(m)["relaxer"] != "morered"]
        if not (adaptive and others):
            raise ConfigError(["figures: fig5 needs examples.methods, the two methods that are compared"])
        methods = [adaptive[0], others[0]]
    problems = list(study.unknown("examples.testset", testset, "testsets"))
    for place, method in enumerate(methods):
        problems += study.unknown(f"examples.methods.{place}", method, "methods")
    if not problems:
        problems = [f"examples.methods: {m} does not relax {testset}" for m in methods if not study.methods_of(testset, [m])]
    if problems:
        raise ConfigError(problems)
    return {"testset": testset, "methods": list(methods), "examples": shown["molecules"]}


def _fig6(study: Study) -> Plan:
    """The methods and the test set that the config names; else all methods on the first test set."""
    return _sampled(study, "fig6", "energies")


def _worth(study: Study) -> Plan:
    """As figure 6."""
    return _sampled(study, "worth", "worth")


def _sampled(study: Study, figure: str, key: str) -> Plan:
    """Test set and methods of a figure that computes a sample of the inputs, as the config's ``key`` says."""
    settings = study.config[key]
    testset = settings["testset"] or _main(study, figure)
    problems = list(study.unknown(f"{key}.testset", testset, "testsets"))
    for place, method in enumerate(settings["methods"] or ()):
        problems += study.unknown(f"{key}.methods.{place}", method, "methods")
    try:
        Level.from_dict({**settings["level"], **({"dispersion": False} if key == "worth" else {})})
    except ValueError as error:
        problems.append(f"{key}.level: {error}")
    if problems:
        raise ConfigError(problems)
    methods = study.methods_of(testset, settings["methods"])
    if left_out := [method for method in settings["methods"] or () if method not in methods]:
        raise ConfigError([f"{key}.methods: {method} does not relax {testset}" for method in left_out])
    return {"testset": testset, "methods": methods}


def _figA1(study: Study) -> Plan:
    """The first network that predicts times alone, else the first joint one; images as the config says. Neither is needed."""
    model = study.first_model("time") or study.first_model("morered-jt")
    return {"model": model, "images": study.config["images"]["source"]}


def _figB1(study: Study) -> Plan:
    """All methods on the first test set; b: those that move by diffusion, c: also the project's own force field."""
    testset = _main(study, "figB1")
    relaxers = {method: study.method(method)["relaxer"] for method in study.methods_of(testset)}
    variants = [method for method, relaxer in relaxers.items() if relaxer == "morered"]
    learned = [method for method, relaxer in relaxers.items() if relaxer == "mlff"]
    return {"testset": testset, "variants": variants, "scattered": variants + learned}


def _figB2(study: Study) -> Plan:
    """The methods that relax every test set."""
    _main(study, "figB2")
    testsets = list(study.config["testsets"])
    everywhere = [m for m in study.shown_methods if all(study.methods_of(testset, [m]) for testset in testsets)]
    if not everywhere:
        raise ConfigError(["figures: figB2 needs a method that relaxes every test set: one without the key testsets"])
    return {"testsets": testsets, "methods": everywhere}


def _figB3(study: Study) -> Plan:
    """The methods on SO3Net, on the first test set."""
    testset = _main(study, "figB3")
    methods = study.methods_of(testset, study.so3net_methods)
    if not methods:
        raise ConfigError([f"figures: figB3 needs methods that relax {testset} with models whose representation is so3net"])
    return {"testset": testset, "methods": methods}


def _evaluations(study: Study) -> Plan:
    """The methods that move by diffusion, on all test sets, and how many networks each evaluates in a step."""
    _main(study, "evaluations")
    methods = [method for method in study.shown_methods if study.method(method)["relaxer"] == "morered"]
    if not methods:
        raise ConfigError(["figures: evaluations needs a method with the relaxer morered"])
    return {"methods": methods, "per_step": {method: _networks(study, method) for method in methods}}


def _networks(study: Study, method: str) -> int:
    """Networks that are evaluated in each step: two where another one than the noise's predicts the time before every step."""
    models = study.models_of(method)
    return 2 if study.method(method)["schedule"] == "adaptive" and models["time"] != models["noise"] else 1


def _figC3(study: Study) -> Plan:
    """The diffusion models of the figures that are trained here."""
    used = {model for method in study.shown_methods for model in study.models_of(method).values()}
    models = [
        name
        for name, model in study.config["models"].items()
        if name in used and model["source"] == "train" and model["kind"] != "mlff"
    ]
    if not models:
        raise ConfigError(["figures: figC3 needs a method with a diffusion model of source: train, whose losses it shows"])
    return {"models": models, "dataset": study.model(models[0])["dataset"]}


def _tableD(study: Study) -> Plan:
    """All methods on all test sets; those that run on networks, which are timed on the first one, and their models."""
    testset = _main(study, "tableD")
    roles = {method: study.models_of(method) for method in study.shown_methods if study.models_of(method)}
    return {
        "testset": testset,
        "methods": {method: study.method_settings(method) for method in roles},
        "roles": roles,
        "models": list(dict.fromkeys(model for models in roles.values() for model in models.values())),
    }


def _main(study: Study, figure: str) -> str:
    """The test set of the figures that show one, which must be relaxed by something."""
    testset = next(iter(study.config["testsets"]), None)
    if testset is None or not study.methods_of(testset, study.base_methods):
        raise ConfigError([f"figures: {figure} needs testsets, and methods that relax the first of them"])
    return testset


_RULES: dict[str, Callable[[Study], Plan]] = {
    "fig2": _fig2,
    "fig3a": _fig3a,
    "fig3b": _fig3b,
    "fig4": _fig4,
    "fig5": _fig5,
    "fig6": _fig6,
    "worth": _worth,
    "evaluations": _evaluations,
    "figA1": _figA1,
    "figB1": _figB1,
    "figB2": _figB2,
    "figB3": _figB3,
    "figB4": generation.figB4,
    "figC3": _figC3,
    "figD1": generation.figD1,
    "figD2": generation.figD2,
    "tableB1": generation.tableB1,
    "tableD": _tableD,
}
