"""What is expected to be left of a result, distance and energy, stands in its columns, if the weights tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import molecule

from morered.metrics.calibration import PREDICTORS, Calibration, Factor
from morered.models import weights
from morered.relaxation import from_config, relax
from morered.relaxation.verdicts.columns import table_of
from morered.structures import Structures

SIZE, MOVED = Factor((4.0, 80.0), (0.5, 2.0)), Factor((0.0, 1.0), (0.8, 1.2))
CALIBRATION = Calibration(
    (Factor((0.0, 0.02), (0.01, 0.21)), SIZE, MOVED), (Factor((0.0, 0.02), (0.001, 0.011)), SIZE, MOVED), 250
)


@pytest.fixture
def inputs() -> Structures:
    atoms = [molecule(name) for name in ("CH3CH2OH", "C3H8", "SiH4")]
    return Structures.build([a.numbers for a in atoms], [a.positions for a in atoms], ["ethanol", "propane", "silane"])


def test_weights_with_a_calibration_give_results_an_expected_distance_and_energy(inputs: Structures, tmp_path: Path) -> None:
    path = tmp_path / "calibrated.safetensors"
    weights.with_calibration("morered-jt-elastic", path, CALIBRATION.to_dict())
    before, after = weights.load("morered-jt-elastic"), weights.load(path)
    assert all(torch.equal(a, b) for a, b in zip(before.network.parameters(), after.network.parameters(), strict=True))
    assert "calibrated on 250 results" in " ".join(weights.describe(path).split())
    results = relax(inputs, from_config({"preset": "fast", "model": str(path)})).structures
    table = table_of(results).set_index("name")
    rmsd, energy = CALIBRATION.expected({name: table[name] for name in PREDICTORS})
    there = table.index != "silane"  # the model does not know silicon
    np.testing.assert_allclose(table["expected_rmsd"][there], rmsd[there])
    np.testing.assert_allclose(table["expected_energy"][there], energy[there])
    assert table.loc["silane", ["expected_rmsd", "expected_energy"]].isna().all()
    assert results.columns["expected_energy"].unit == "kcal/mol"


def test_other_weights_promise_nothing(inputs: Structures) -> None:
    assert "expected_rmsd" not in relax(inputs[:1], from_config({"preset": "fast"})).structures.columns


def test_a_broken_calibration_is_refused(tmp_path: Path, inputs: Structures) -> None:
    path = tmp_path / "broken.safetensors"
    weights.with_calibration("morered-jt-elastic", path, {"rmsd": [1.0, 0.0]})
    with pytest.raises(ValueError, match="calibration"):
        relax(inputs, from_config({"preset": "fast", "model": str(path)}))
