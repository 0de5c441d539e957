"""The benchmark that goes from MMFF94 to QM9's geometries."""

import numpy as np
import pytest
from ase.build import molecule

from morered.dft.single_point import single_point
from morered.settings.level import Level
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV

SMALL = Level(functional="b3lyp", basis="sto-3g", dispersion=False, grid=1, coarse_grid=1)


def test_every_method_is_measured_against_the_same_geometries(benchmark):
    names = ("CH3OH", "H2O", "CH3CHO")
    own = Structures.build([molecule(n).numbers for n in names], [molecule(n).positions for n in names], list(names))
    table = benchmark.compared(["gfn2"], own, with_energy=1, level=SMALL)
    assert table["method"].tolist() == ["mmff94"] * 3 + ["gfn2"] * 3
    assert table["id"].tolist() == 2 * list(names)
    assert (table["verdict"] == "converged").all()
    assert table["rmsd"].between(1e-5, 0.2).all()
    assert (table["rmsd_heavy"] < 0.1).all()
    counted = table[table["energy"].notna()]
    assert len(counted) == 2  # the same molecule for both methods
    assert counted["id"].nunique() == 1
    results = dict(zip(("mmff94", "gfn2"), counted["energy"], strict=True))
    name = counted["id"].iloc[0]
    inputs = benchmark.measured("mmff94", own[own.index_of([name])], own[own.index_of([name])])[1]
    energies = [single_point(one.numbers, one.positions, SMALL).energy for one in (*inputs, *own[own.index_of([name])])]
    assert results["mmff94"] == pytest.approx((energies[0] - energies[1]) * KCAL_MOL_PER_EV, abs=1e-4)
    assert np.isfinite(results["gfn2"])
