"""What labels say: forces at minima, and the errors of a force field."""

from __future__ import annotations

import numpy as np
import pytest

from morered import calculators
from morered.datasets import labels, qm7
from morered.datasets.splits import Split
from morered.structures import Column, Structures
from morered.units import KCAL_MOL_PER_EV
from structures_support import random_structures


def test_forces_at_minima_by_hand() -> None:
    s = Structures.build([[6, 8], [1]], [[[0, 0, 0], [1.2, 0, 0]], [[0, 0, 0]]], ["a", "b"])
    forces = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    table = labels.forces_at(s.with_columns({"forces": Column(forces, "eV/Å", per_atom=True)})).set_index("quantity")
    assert table.loc["mean_force", "value"] == pytest.approx(2 * KCAL_MOL_PER_EV)
    assert table.loc["median_force", "value"] == pytest.approx(KCAL_MOL_PER_EV)
    assert table.loc["mean_force", "n"] == 2


def test_errors_of_a_force_field_are_against_its_labels() -> None:
    s = qm7.load()[:5].without_columns()
    field = calculators.get("mlff", weights="morered-mlff")
    own = field.compute(s)
    assert own.forces is not None
    shifted = {
        "energy": Column(own.energies + np.array([1.0, -1.0, 1.0, -1.0, 1.0]), "eV"),
        "forces": Column(own.forces + 0.5, "eV/Å", per_atom=True),
    }
    table = labels.errors(s.with_columns(shifted), field).set_index("quantity")
    assert table.loc["energy_error", "value"] == pytest.approx(KCAL_MOL_PER_EV, rel=1e-4)
    assert table.loc["force_error", "value"] == pytest.approx(0.5 * KCAL_MOL_PER_EV, rel=1e-4)
    with pytest.raises(ValueError, match="no labelled structure"):
        labels.errors(s[[]], field)
    iodine = Structures.build([[53, 1]], [[[0, 0, 0], [1.6, 0, 0]]], ["hi"]).with_columns(
        {"energy": Column(np.zeros(1), "eV"), "forces": Column(np.zeros((2, 3)), "eV/Å", per_atom=True)}
    )
    with pytest.raises(ValueError, match="hi: "):
        labels.errors(iodine, field)


def test_a_sample_is_of_one_part_and_the_same_each_time() -> None:
    s = random_structures(30, low=2).without_columns()
    names = s.names
    split = Split(tuple(names[:10]), (), tuple(names[10:]), {name: name for name in names})
    some = labels.sample(s, split, limit=7)
    assert len(some) == 7
    assert set(some.names) <= set(names[10:])
    assert labels.sample(s, split, limit=7).names == some.names
    assert labels.sample(s, split).names == names[10:]
