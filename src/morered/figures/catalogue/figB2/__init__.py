"""Figure B2: examples of inputs of every test set, relaxed by every method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import first_testset, runs_shown, structures_shown
from morered.figures.declaration import Figure, Order, Plan
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Inputs of both kinds, relaxed by every method.** One letter for each test set; methods that relax all of them. Each row:
the minimum, the input, and what each method made of it (coloured), laid over the minimum (grey) and the input (white),
hydrogens left out; below, the RMSD from the minimum. Green: nearer to the minimum than the input was; orange: a failure. The
upper row of each letter is the input at the 0.9 quantile of the RMSDs, the lower one that at 0.1, whatever became of them.

The paper (Fig. B2) shows a diffused input that all baselines fail to relax, the MLFF with an implausible structure, and all
MoreRed variants succeed with.
"""


def plan(study: Study) -> Plan:
    """The methods that relax every test set."""
    first_testset(study, "figB2")
    testsets = list(study.settings.testsets)
    everywhere = [m for m in study.shown_methods if all(study.methods_of(testset, [m]) for testset in testsets)]
    if not everywhere:
        raise ConfigError(["figures: figB2 needs a method that relaxes every test set: one without the key testsets"])
    return {"testsets": testsets, "methods": everywhere}


def draw(order: Order) -> None:
    """From tables and structures of all methods."""
    from morered.figures.catalogue.figB2 import drawing
    from morered.metrics.tables import read_runs, with_files

    files, testsets = order.files, order.plan["testsets"]
    drawing.make(
        read_runs(with_files(order.runs, files["tables"])),
        with_files(order.runs, files["relaxed"]),
        dict(zip(testsets, files["inputs"], strict=True)),
        dict(zip(testsets, files["minima"], strict=True)),
        order.stem,
    )


FIGURE = Figure(CAPTION, draw, plan=plan, runs=runs_shown, inputs=structures_shown, page=True)
