"""When a structure has exploded: one rule for batches and for single molecules."""

import numpy as np
import pytest
import torch

from morered.relaxation.codes import Code
from morered.relaxation.engine.endings import code_of, codes_of, squared_limits, squared_radii

START = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])  # may reach 3 * 1 + 10 Å


@pytest.mark.parametrize(
    ("away", "code"), [(1.0, None), (12.9, None), (13.1, Code.EXPLODED), (np.nan, Code.NOT_FINITE), (np.inf, Code.NOT_FINITE)]
)
def test_a_molecule_and_a_batch_agree(away, code):
    with np.errstate(invalid="ignore"):
        end = START * away
        assert code_of(START, end) == code
    radii = squared_radii(torch.from_numpy(end)[None])
    sound = bool(radii <= squared_limits(torch.from_numpy(START)[None]))
    assert (None if sound else Code(int(codes_of(radii)))) == code


def test_a_molecule_that_moves_as_a_whole_holds_together():
    assert code_of(START, START + 100.0) is None
    assert code_of(START[:0], START[:0]) is None
