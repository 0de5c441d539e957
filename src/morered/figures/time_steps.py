"""Time steps of a relaxation or of a sampling, as figures 3b and B4 show them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: Columns of trajectories (`morered.relaxation`): how many steps a molecule has taken, the time of the step in [0, 1], and the
#: time that was predicted without being used, where the schedule is fixed and `Recording.unused_times` asked for it.
COUNT, USED, PREDICTED = "step", "time", "predicted_time"


def curve(columns: Mapping[str, NDArray], T: int) -> dict[str, NDArray[np.int64]]:
    """The steps of one molecule, [S] each: ``iteration`` from 0, and ``t``, the paper's time step 1..T."""
    return {"iteration": np.asarray(columns[COUNT]) - 1, "t": paper_step(columns[USED], T)}


def paper_step(time: NDArray[np.floating], T: int) -> NDArray[np.int64]:
    """The paper's time step 1..T of times in [0, 1]."""
    return np.rint(np.clip(time, 0, 1) * (T - 1)).astype(np.int64) + 1
