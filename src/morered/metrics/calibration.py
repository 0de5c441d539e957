"""What the last predicted time says of the distance and the energy that are left, as `morered.metrics.reliability` fits it.

The time that a network predicts for a result says how much noise it sees. How far such results were from their minima is
measured on validation molecules, and fitted by functions that never fall. Distances are fitted as they are; energies per atom,
since they add up over a molecule.

Shapes: n results, K knots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Means that are expected at a last predicted time; between knots on a line, beyond them as at the nearest.

    Attributes
    ----------
    times
        [K], ascending.
    rmsd
        [K], Å, heavy atoms, to the minimum that the result falls into.
    energy
        [K], kcal/mol for each atom, above that minimum.
    results
        How many it was fitted to.
    """

    times: tuple[float, ...]
    rmsd: tuple[float, ...]
    energy: tuple[float, ...]
    results: int

    def expected(self, times: ArrayLike, n_atoms: ArrayLike) -> tuple[Floats, Floats]:
        """Expected RMSD in Å and energy left in kcal/mol, [n] each; NaN where there is no time."""
        x = np.asarray(times, dtype=np.float64)
        unknown = np.isnan(x)
        rmsd = np.interp(np.where(unknown, 0.0, x), self.times, self.rmsd)
        energy = np.interp(np.where(unknown, 0.0, x), self.times, self.energy) * np.asarray(n_atoms, dtype=np.float64)
        return np.where(unknown, np.nan, rmsd), np.where(unknown, np.nan, energy)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a weights file."""
        return {"times": list(self.times), "rmsd": list(self.rmsd), "energy": list(self.energy), "results": self.results}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave.

        Raises
        ------
        ValueError
            If it is not that: the knots must be numbers, as many of each, times rising and the rest not falling.
        """
        try:
            parts = [tuple(float(x) for x in values[name]) for name in ("times", "rmsd", "energy")]
            results = int(values["results"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"calibration must have times, rmsd and energy, lists of numbers, and results: {error}") from None
        arrays = [np.array(part) for part in parts]
        rising = all(len(a) == len(arrays[0]) > 0 and np.isfinite(a).all() and (np.diff(a) >= 0).all() for a in arrays)
        if not rising or (np.diff(arrays[0]) <= 0).any():
            raise ValueError("calibration: times must rise, and rmsd and energy must be as many numbers that do not fall")
        return cls(parts[0], parts[1], parts[2], results)
