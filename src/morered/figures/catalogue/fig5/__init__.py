"""Figure 5: examples of structures that two methods relaxed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import first_testset, runs_shown, structures_shown
from morered.figures.declaration import Figure, Order, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Structures relaxed by two methods, side by side.** The methods are those of ``examples`` in the config, or else the first
adaptive MoreRed method and the first that is none. For each molecule: the minimum, the displaced input, and the structure
that each method made of it (coloured), laid over the minimum (grey) and the input (white), hydrogens left out. Below: the
RMSD from the minimum. Green: nearer to the minimum than the input was; orange: a failure. The examples are chosen by a rule.
There are four cases: both methods succeed, only the first, only the second, neither. The cases take turns; each shows the
input at the median of its RMSDs first, then those at its quarters. They show what happens, not how often.

The paper (Fig. 5) compares MoreRed-AS and the MLFF in this way.
"""


def plan(study: Study) -> Plan:
    """The two methods that the config names; else the first adaptive one and the first that is no MoreRed."""
    shown = study.settings.examples
    testset = first_testset(study, "fig5")
    there = study.methods_of(testset)
    methods = shown.methods
    if methods is None:
        adaptive = [m for m in there if study.is_adaptive(m)]
        others = [m for m in there if study.settings.methods[m].relaxer != "morered"]
        if not (adaptive and others):
            raise ConfigError(["figures: fig5 needs examples.methods, the two methods that are compared"])
        methods = (adaptive[0], others[0])
    problems: list[str] = []
    for place, method in enumerate(methods):
        problems += study.unknown(f"examples.methods.{place}", method, "methods")
    if not problems:
        problems = [f"examples.methods: {m} does not relax {testset}" for m in methods if not study.methods_of(testset, [m])]
    if problems:
        raise ConfigError(problems)
    return {"testset": testset, "methods": list(methods), "examples": shown.molecules}


def draw(order: Order) -> None:
    """From tables and structures of both methods."""
    from morered.figures.catalogue.fig5 import drawing
    from morered.metrics.tables import read_runs, with_files

    files = order.files
    relaxed = with_files(order.runs, files["relaxed"])
    tables = read_runs(with_files(order.runs, files["tables"]))
    drawing.make(tables, relaxed, files["inputs"][0], files["minima"][0], order.stem, **order.plan)


FIGURE = Figure(CAPTION, draw, plan=plan, runs=runs_shown, inputs=structures_shown, page=True)
