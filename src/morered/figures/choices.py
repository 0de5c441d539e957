"""What several figures choose of a study in the same way: test sets, runs, samples, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from morered.figures.declaration import Files, Plan, Runs
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Purpose, Study


def first_testset(study: Study, figure: str) -> str:
    """The test set of figures that show one: the config's first.

    Raises
    ------
    ConfigError
        If there is none, or nothing relaxes it.
    """
    testset = next(iter(study.settings.testsets), None)
    if testset is None or not study.methods_of(testset, study.base_methods):
        raise ConfigError([f"figures: {figure} needs testsets, and methods that relax the first of them"])
    return testset


def runs_shown(study: Study, plan: Plan) -> Runs:
    """The first seed of the plan's methods on its test sets; where the plan does not name them, of all."""
    return study.runs(plan.get("methods"), _testsets(plan))


def runs_of_every_seed(study: Study, plan: Plan) -> Runs:
    """As `runs_shown`, with all seeds."""
    return study.runs(plan.get("methods"), _testsets(plan), every_seed=True)


def structures_shown(study: Study, plan: Plan) -> Files:
    """Relaxed structures of the runs, and the inputs and minima of the plan's test sets, in its order."""
    testsets = _testsets(plan) or []
    return {
        "relaxed": [study.relaxed(*run) for run in runs_shown(study, plan)],
        "inputs": [study.inputs(testset) for testset in testsets],
        "minima": [study.minima(testset) for testset in testsets],
    }


def sampled(study: Study, figure: str, purpose: Purpose, testsets: Sequence[str] | None) -> dict[str, list[str]]:
    """Test set -> methods, of whose results a figure computes a sample: ``testsets``, by default the first one, and the methods
    that the config's ``purpose`` names, else all on it.

    Raises
    ------
    ConfigError
        If names point nowhere, or a method relaxes none of the test sets.
    """
    chosen = study.sample(purpose).methods
    found = testsets or [first_testset(study, figure)]
    key = "testset" if purpose == "energies" else "testsets"
    problems = [
        problem
        for name in found
        if name not in study.settings.testsets
        for problem in study.unknown(f"{purpose}.{key}", name, "testsets")
    ]
    for place, method in enumerate(chosen or ()):
        problems += study.unknown(f"{purpose}.methods.{place}", method, "methods")
    if problems:
        raise ConfigError(problems)
    methods = {name: study.methods_of(name, chosen) for name in found}
    if left_out := [method for method in chosen or () if not any(method in of_it for of_it in methods.values())]:
        raise ConfigError([f"{purpose}.methods: {method} does not relax {' or '.join(found)}" for method in left_out])
    return methods


def _testsets(plan: Plan) -> list[str] | None:
    return plan.get("testsets") or ([plan["testset"]] if "testset" in plan else None)
