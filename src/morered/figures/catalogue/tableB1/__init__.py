"""Table B1: validity, uniqueness and novelty of generated molecules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from morered.figures.declaration import Figure, Files, Order, Plan
from morered.settings.reading import ConfigError
from morered.study import generation

if TYPE_CHECKING:
    from morered.study.study import Study

CAPTION = """\
**Quality of generated molecules**, beside the paper's where it has a number; 95 % intervals by bootstrap over samples. V:
valid: all atoms are connected and every valence is proper. Open Babel perceives the bonds; bond orders that leave an improper
valence are assigned anew. U: no sample before it has the same canonical SMILES (mirror images count as the same). N: no
molecule of the whole dataset has that SMILES. Below: the same without stereochemistry; validity by RDKit's perception; sound
geometry by PoseBusters' rules (lengths, angles, clashes, flat groups); stable atoms and molecules as EDM defines them; how
many processes ended before their cap, and after how many steps.

The paper (Table B1): 10 000 samples of networks trained on QM9, 2000 steps at most, compositions from the test split,
novelty against all of QM9. A run on other data is another experiment.
"""


def plan(study: Study) -> Plan:
    """All samplers."""
    samplers = generation.samplers(study)
    if not samplers:
        raise ConfigError(["figures: tableB1 needs generation.methods, the samplers that are compared"])
    return {"samplers": list(samplers), "dataset": generation.dataset(study)}


def inputs(study: Study, plan: Plan) -> Files:
    """Tables of the samples, and the dataset's molecules of the same compositions."""
    return {
        "tables": [f"{generation.folder(study, name)}/samples.csv" for name in plan["samplers"]],
        "known": f"{generation.folder(study)}/known.csv",
    }


def settings(study: Study) -> dict[str, object]:
    """What the config says of the study."""
    return {"note": study.settings.note}


def draw(order: Order) -> None:
    """From tables of samples."""
    from morered.figures.catalogue.tableB1 import drawing

    tables = dict(zip(order.plan["samplers"], order.files["tables"], strict=True))
    drawing.make(tables, order.files["known"], order.stem, note=order.settings["note"])


FIGURE = Figure(CAPTION, draw, plan=plan, inputs=inputs, settings=settings, picture=False, table="generated molecules")
