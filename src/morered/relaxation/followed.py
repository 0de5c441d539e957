"""Chooses the inputs that figure 3b follows step by step, without looking at results."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from morered.metrics.rmsd import rmsd
from morered.structures import Structures


def choose(inputs: Structures, minima: Structures, molecules: int = 3) -> NDArray[np.int64]:
    """Inputs to follow.

    The inputs are ordered by their RMSD from their minima. The k-th of n is the one at the quantile (k - 1/2) / n; three are at
    1/6, 1/2 and 5/6. If its minimum was taken already, it is the next input whose minimum was not.

    Returns
    -------
    array [molecules]
        Indices into ``inputs``, in the order of their RMSD; fewer if there are fewer minima.
    """
    distance = rmsd(inputs, minima[minima.index_of(inputs.references)])
    order = np.lexsort((inputs.ids, distance))
    chosen: list[int] = []
    taken: set[bytes] = set()
    for k in range(min(molecules, len(np.unique(inputs.references)))):
        start = int((k + 0.5) / molecules * len(order))
        for place in np.roll(order, -start):
            if bytes(inputs.references[place]) not in taken:
                chosen.append(int(place))
                taken.add(bytes(inputs.references[place]))
                break
    return np.array(sorted(chosen, key=lambda m: distance[m]), dtype=np.int64)
