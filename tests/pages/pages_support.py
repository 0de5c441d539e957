"""A relaxation with every kind of molecule that a page has to show, made by hand."""

import json
import re
from typing import NamedTuple

import numpy as np
from ase.build import molecule

from morered.pages import Stage
from morered.relaxation.codes import Code
from morered.relaxation.result import Result
from morered.relaxation.verdicts.judge import judge
from morered.structures import Structures
from morered.trajectories import Recorder

#: What a file may call a molecule, and what no page may take for more than a name.
HOSTILE = "</script><script>document.title='taken'</script><!-- <img src=x onerror=alert(1)> & \"quoted\""


def read(text):
    """What a page's text shows: its data, with the molecules put together."""
    data, details = (re.search(rf'id="{name}">(.*?)</script>', text, re.DOTALL)[1].strip() for name in ("data", "details"))
    data = json.loads(data)
    return {**data, "molecules": joined(data, map(json.loads, details.splitlines()))}


def joined(data, details):
    """The molecules with all that is known of each."""
    rows = zip(*data["table"].values(), strict=True)
    return [{"values": dict(zip(data["table"], row, strict=True)), **one} for row, one in zip(rows, details, strict=True)]


class Shown(NamedTuple):
    """Inputs, results and recorded steps."""

    inputs: Structures
    results: Structures
    stages: list[Stage]


def made_up(names=("CH3CH2OH", "C6H6", "H2CO", "CH4", "H2O"), repeats=1) -> Shown:
    """Molecules of ASE's collection as results, moved ones as inputs: relaxed, capped, failed, refused, with another bond."""
    rng = np.random.default_rng(0)
    atoms = [molecule(name) for name in names] * repeats
    ids = [f"{name}-{k}" for k, name in enumerate(list(names) * repeats)]
    ids[1] = HOSTILE
    after = Structures.build([a.numbers for a in atoms], [a.positions for a in atoms], ids)
    before = after.with_positions(after.positions + 0.05 * rng.normal(size=after.positions.shape))
    positions = before.positions.copy()
    positions[before.offsets[2] + 2] += [0.0, 2.0, 0.0]  # a hydrogen of formaldehyde far from its carbon: a bond to be made
    positions[before.offsets[4]] = np.nan
    before = before.with_positions(positions)
    result = Result.begin(before)
    result.positions = after.positions.copy()
    result.code[:] = int(Code.CONVERGED)
    result.code[[1, 3, 4]] = [int(Code.STEP_CAP), int(Code.EXPLODED), int(Code.REFUSED)]
    result.steps[:] = 5 + np.arange(len(atoms))
    result.steps[4] = 0
    result.values("last_time")[:] = np.linspace(0.1, 0.01, len(atoms))
    result.reasons[4] = "a coordinate is infinite or no number"
    results = judge(before, result).structures
    times = Recorder(before.ids)
    for m, steps in enumerate(result.steps.tolist()):
        for step in range(1, steps + 1):
            times.add([m], {"step": [step], "time": [0.5 / step]})
    forces = Recorder(before.ids[[0, 1]], {"fmax": "eV/Å"})
    for step in range(1000):
        forces.add([0, 1], {"step": [step, step], "fmax": [10.0 * 0.99**step, np.nan], "energy": [0.0, 0.0]})
    stages = [
        Stage(times.finish(), "time", "predicted time"),
        Stage(forces.finish(), "fmax", "gfn2: largest force", "eV/Å", 5e-5),
    ]
    return Shown(before, results, stages)
