"""The benchmark that says why long jumps help."""

import numpy as np


def test_modes_are_counted_and_a_jump_is_short(benchmark):
    table = benchmark.measured("morered-organic-3", 4)
    assert table["eigenvalue_from"].tolist() == list(benchmark.EDGES)
    assert table["modes"].sum() > 100
    assert table["way"].iloc[0] > table["way"].iloc[-1] > 0
    assert (np.abs(table["cosine"]) <= 1).all()
    assert (table["share"].abs() < 0.5).all()
