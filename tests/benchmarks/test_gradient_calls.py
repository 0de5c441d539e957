"""The benchmark that counts the gradients which geomeTRIC takes."""

import numpy as np
import pytest
from ase.build import molecule

from morered import calculators
from morered.calculators.base import CalculationError


def test_it_ends_at_a_minimum_and_a_better_start_takes_fewer_gradients(benchmark):
    methanol = molecule("CH3OH")
    calculator = calculators.get("aimnet2", dtype="float64")
    stretched = benchmark.optimise(methanol.numbers, 1.1 * methanol.positions, 0, calculator)
    near = benchmark.optimise(methanol.numbers, methanol.positions, 0, calculator)
    assert stretched["converged"] == near["converged"] == 1
    assert 1 < near["calls"] < stretched["calls"]
    assert stretched["energy"] == pytest.approx(near["energy"], abs=1e-4)


def test_an_ion_is_optimised_with_its_charge(benchmark):
    ammonia = molecule("NH3")
    numbers, positions = np.append(ammonia.numbers, 1), np.vstack([ammonia.positions, ammonia.positions[0] + [0, 0, 1.03]])
    calculator = calculators.get("aimnet2", dtype="float64")
    assert benchmark.optimise(numbers, positions, 1, calculator)["converged"] == 1
    with pytest.raises(CalculationError, match="electron"):  # neutral it is a radical
        benchmark.optimise(numbers, positions, 0, calculator)
