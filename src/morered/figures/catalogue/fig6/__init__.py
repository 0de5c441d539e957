"""Figure 6: energies of relaxed structures against those of their reference minima."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.choices import sampled
from morered.figures.declaration import Figure, Files, Order, Plan

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Energies of relaxed structures.** For a random sample of the inputs, the same for every method: energy of the relaxed
structure less that of the reference minimum, with the level of theory that the axis names (the paper: PBE0+MBD/def2-TZVP,
100 inputs). Below zero the structure lies lower than the reference; the grey band is chemical accuracy, 1 kcal/mol. Boxes:
quartiles and median; whiskers: the last point within 1.5 interquartile ranges. Above each box: the median, and the
percentage of structures less than 1 kcal/mol above the reference. Inputs are drawn too where most of them lie on the axis.
Structures without an energy are counted in the table and enter no number. The table tells too how far the structures lie
above the lowest of all that are there of an input, the reference and the input included, and how bond lengths, and all
distances between atoms, changed against the reference, which is the paper's explanation for the energies of MoreRed-AS.

The paper (Fig. 6, QM7-X, whose minima are DFTB3+MBD's): MMFF94 mostly far above the reference, MLFF mostly below it,
GFN2-xTB between the two; a majority of the structures of MoreRed-ITP and -JT less than 1 kcal/mol above; MoreRed-AS higher,
because it underestimates distances between atoms.
"""


def plan(study: Study) -> Plan:
    """The methods and the test set that the config names; else all methods on the first test set."""
    testset = study.settings.energies.testset
    [(testset, methods)] = sampled(study, "fig6", "energies", [testset] if testset else None).items()
    return {"testset": testset, "methods": methods}


def inputs(study: Study, plan: Plan) -> Files:
    """The energies of the sample."""
    return {"energies": f"{study.root}/energies/energies.csv"}


def settings(study: Study) -> dict[str, object]:
    """Level of theory, and what the config says of the study."""
    return {"level": study.level("energies"), "note": study.settings.note}


def draw(order: Order) -> None:
    """Figure and table."""
    import pandas as pd

    from morered.figures.catalogue.fig6 import drawing
    from morered.settings.level import Level

    drawing.make(
        pd.read_csv(order.files["energies"]),
        order.stem,
        order.page,
        testset=order.plan["testset"],
        level=Level(**order.settings["level"]).name,
        note=order.settings["note"],
    )


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs, settings=settings, table="energies")
