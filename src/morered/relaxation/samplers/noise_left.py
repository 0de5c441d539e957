"""A result has failed if the network still sees noise in it, even if it is at rest.

Molecules unlike the training data can come to rest anywhere: the predicted clean structure no longer moves, while the predicted
time stays far above 0. The last prediction tells (section 2.3: the time is a measure of the noise that is left).
"""

from __future__ import annotations

import numpy as np

from morered.frozen import has_frozen
from morered.relaxation.codes import Code
from morered.relaxation.result import Progress, Result, Run
from morered.structures import Structures


def without_noise(run: Run, clean_below: float) -> Run:
    """``run``, where a result whose last predicted time is not below ``clean_below`` has failed."""

    def checked(structures: Structures, tell: Progress) -> Result:
        result = run(structures, tell)
        times = result.values("last_time")
        anchored = has_frozen(structures)
        noisy = result.relaxed & (times >= clean_below)
        result.code[noisy] = int(Code.NOISE_LEFT)
        for m in np.flatnonzero(noisy).tolist():
            frozen = "; it may be that of the frozen atoms" if anchored[m] else ""
            result.reasons[m] = f"noise is left: the model takes the result for time {times[m]:.2f}, no clean structure{frozen}"
        return result

    return checked
