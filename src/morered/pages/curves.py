"""Step curves for a page: what a relaxation recorded of each molecule, thinned to what a picture can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morered.settings.auto import AutoMethod
from morered.settings.relaxation import DiffusionMethod, Method, PhysicalMethod
from morered.trajectories import Trajectories

#: Points of one curve, at most.
POINTS = 240


@dataclass(frozen=True)
class Stage:
    """The recorded steps of one method of a relaxation.

    Attributes
    ----------
    trajectories
        Of some or all molecules.
    column
        What is drawn: time or fmax.
    label, unit
        Over the curve.
    aim
        Where the method is done, as a line; None: no line.
    """

    trajectories: Trajectories
    column: str
    label: str
    unit: str = ""
    aim: float | None = None

    @classmethod
    def of(cls, method: Method, trajectories: Trajectories) -> Stage:
        """What is worth seeing of a method."""
        if isinstance(method, DiffusionMethod | AutoMethod):
            fixed = isinstance(method, DiffusionMethod) and method.schedule != "adaptive"
            label = "diffusion time" if fixed else "predicted time"
            return cls(trajectories, "time", label)
        aim = method.options.get("fmax") if isinstance(method, PhysicalMethod) else method.fmax
        return cls(trajectories, "fmax", f"{method.kind}: largest force", "eV/Å", aim)

    def curves(self) -> dict[str, dict[str, Any]]:
        """The curve of each molecule that took a step, by its name, as plain values."""
        found = {}
        for name, columns, _ in self.trajectories:
            values = columns.get(self.column)
            if values is None or not len(values):
                continue
            chosen = thinned(len(values))
            found[name] = {
                "label": self.label,
                "unit": self.unit,
                "log": self.column == "fmax",
                "aim": self.aim,
                "steps": columns["step"][chosen].tolist(),
                "values": rounded(values[chosen], 4),
            }
        return found


def thinned(n: int) -> NDArray[np.int64]:
    """At most `POINTS` of ``n`` places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(np.int64))


def rounded(values: NDArray[np.floating], digits: int) -> list[float | None]:
    """Plain numbers of so many significant digits; None for what is not finite, which JSON does not know."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.tolist()]
