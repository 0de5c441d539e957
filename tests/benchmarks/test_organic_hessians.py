"""The benchmark that looks for saddles among the minima."""

import numpy as np
import pytest
from ase.build import molecule

from morered import calculators
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV


def test_eclipsed_ethane_is_a_saddle_and_falls_by_its_barrier(benchmark):
    ethane = molecule("C2H6")  # staggered
    turned = ethane.positions.copy()
    turn = np.array([[np.cos(np.pi / 3), -np.sin(np.pi / 3)], [np.sin(np.pi / 3), np.cos(np.pi / 3)]])
    upper = turned[:, 2] > 0
    turned[upper, :2] = turned[upper, :2] @ turn.T
    calculator = calculators.get("aimnet2", dtype="float64")
    staggered, eclipsed = (Structures.build([ethane.numbers], [x], ["ethane"]) for x in (ethane.positions, turned))
    assert (benchmark.modes_of(staggered, calculator).wave_numbers > 0).all()
    modes = benchmark.modes_of(eclipsed, calculator)
    assert (modes.wave_numbers < benchmark.NOTICED).sum() == 1
    above, below = (calculator.compute(x, forces=False).energies[0] for x in (eclipsed, staggered))
    assert benchmark.gain(eclipsed, modes, calculator) == pytest.approx((above - below) * KCAL_MOL_PER_EV, abs=0.1)
