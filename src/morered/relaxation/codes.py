"""How a relaxation of one molecule can end: a code, a verdict and a plain reason."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Literal

Verdict = Literal["converged", "changed", "step-cap", "refused", "failed"]


class Code(IntEnum):
    """Why a molecule stopped; 0 while it runs."""

    RUNNING = 0
    CONVERGED = 1
    SETTLED = 3
    STEP_CAP = 4
    NOT_FINITE = 5
    EXPLODED = 6
    COLLAPSED = 7
    OUT_OF_MEMORY = 8
    NO_FORCES = 9
    INTERRUPTED = 10
    REFUSED = 11
    FAILED = 12
    NOISE_LEFT = 13
    CHANGED = 14
    IMPOSSIBLE = 15
    WORSE = 16


VERDICTS: Mapping[Code, Verdict] = MappingProxyType(
    {
        Code.CONVERGED: "converged",
        Code.SETTLED: "converged",
        Code.STEP_CAP: "step-cap",
        Code.NOT_FINITE: "failed",
        Code.EXPLODED: "failed",
        Code.COLLAPSED: "failed",
        Code.OUT_OF_MEMORY: "failed",
        Code.NO_FORCES: "failed",
        Code.INTERRUPTED: "failed",
        Code.REFUSED: "refused",
        Code.FAILED: "failed",
        Code.NOISE_LEFT: "failed",
        Code.CHANGED: "changed",
        Code.IMPOSSIBLE: "failed",
        Code.WORSE: "failed",
    }
)

REASONS: Mapping[Code, str] = MappingProxyType(
    {
        Code.CONVERGED: "converged",
        Code.SETTLED: "the predicted clean structure no longer moves",
        Code.STEP_CAP: "the cap on the steps was reached",
        Code.NOT_FINITE: "a coordinate became infinite or no number",
        Code.EXPLODED: "the structure exploded: an atom left the molecule",
        Code.COLLAPSED: "the structure collapsed: two atoms lie on each other",
        Code.OUT_OF_MEMORY: "it does not fit into memory, even alone",
        Code.NO_FORCES: "the calculator gave no finite forces",
        Code.INTERRUPTED: "interrupted",
        Code.REFUSED: "refused",
        Code.FAILED: "failed",
        Code.NOISE_LEFT: "noise is left: no clean structure was found",
        Code.CHANGED: "it is another molecule",
        Code.IMPOSSIBLE: "the geometry is impossible",
        Code.WORSE: "the cap on the steps was reached at a structure worse than the input",
    }
)


#: Codes of the molecules that have new coordinates: they converged, became another molecule, or reached the step cap.
RELAXED = tuple(int(code) for code, verdict in VERDICTS.items() if verdict in ("converged", "changed", "step-cap"))
