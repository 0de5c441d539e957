"""What is expected to be left of a result, distance and energy, as `morered.metrics.reliability` fits it.

Three things are known of every result: the time that the network predicts for it (how much noise it sees), how many atoms it has
(large molecules have more soft torsions), and how far it was moved (a far input ends further from the minimum). How far such
results were from their minima is measured on validation molecules, and fitted by the product of one function of each, none of
which falls. Distances are fitted as they are; energies per atom, since they add up over a molecule.

Shapes: n results, K knots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: What is known of a result: the columns of that name, the last in Å.
PREDICTORS = ("last_time", "n_atoms", "moved")


@dataclass(frozen=True)
class Factor:
    """A function that never falls; between knots on a line, beyond them as at the nearest.

    Attributes
    ----------
    at
        [K], values of the predictor, ascending.
    factor
        [K].
    """

    at: tuple[float, ...]
    factor: tuple[float, ...]

    def __call__(self, values: ArrayLike) -> Floats:
        """At ``values`` [n]; NaN where these are."""
        x = np.asarray(values, dtype=np.float64)
        return np.where(np.isnan(x), np.nan, np.interp(np.where(np.isnan(x), 0.0, x), self.at, self.factor))


@dataclass(frozen=True)
class Calibration:
    """Means that are expected of results.

    Attributes
    ----------
    rmsd
        Å, heavy atoms, to the minimum that the result falls into: one factor for each of `PREDICTORS`, to be multiplied.
    energy
        kcal/mol for each atom, above that minimum; the same.
    results
        How many it was fitted to.
    """

    rmsd: tuple[Factor, ...]
    energy: tuple[Factor, ...]
    results: int

    def expected(self, known: Mapping[str, ArrayLike]) -> tuple[Floats, Floats]:
        """Expected RMSD in Å and energy left in kcal/mol, [n] each, of results of which `PREDICTORS` are known, [n] each.

        NaN where one of them is.
        """
        columns = [np.asarray(known[name], dtype=np.float64) for name in PREDICTORS]
        rmsd, per_atom = (
            np.prod([factor(x) for factor, x in zip(factors, columns, strict=True)], axis=0)
            for factors in (self.rmsd, self.energy)
        )
        return rmsd, per_atom * columns[PREDICTORS.index("n_atoms")]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a weights file."""
        quantities: dict[str, Any] = {
            quantity: {name: {"at": list(f.at), "factor": list(f.factor)} for name, f in zip(PREDICTORS, factors, strict=True)}
            for quantity, factors in (("rmsd", self.rmsd), ("energy", self.energy))
        }
        return {**quantities, "results": self.results}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave.

        Raises
        ------
        ValueError
            If it is not that: the knots must be numbers, as many as factors, knots rising and factors not falling.
        """
        try:
            rmsd, energy = (tuple(_factor(values[quantity][name]) for name in PREDICTORS) for quantity in ("rmsd", "energy"))
            return cls(rmsd, energy, int(values["results"]))
        except (KeyError, TypeError, ValueError) as error:
            wanted = f"results, and rmsd and energy with factors of {', '.join(PREDICTORS)}"
            raise ValueError(f"calibration must have {wanted}, each 'at' rising and 'factor' not falling: {error}") from None


def _factor(values: Mapping[str, Any]) -> Factor:
    at, factor = (np.array([float(x) for x in values[name]]) for name in ("at", "factor"))
    if not len(at) == len(factor) > 0:
        raise ValueError(f"{len(at)} knots and {len(factor)} factors")
    if not (np.isfinite(at).all() and np.isfinite(factor).all() and (np.diff(at) > 0).all() and (np.diff(factor) >= 0).all()):
        raise ValueError("numbers that are not finite, or not in order")
    return Factor(tuple(at.tolist()), tuple(factor.tolist()))
