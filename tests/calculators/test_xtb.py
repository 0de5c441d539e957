"""GFN1-xTB and GFN2-xTB against tblite's own ASE calculator."""

import numpy as np
import pytest
from ase import Atoms
from tblite.ase import TBLite
from tblite.exceptions import TBLiteRuntimeError

from morered import calculators
from morered.structures import Structures


@pytest.mark.parametrize(("name", "method"), [("gfn1", "GFN1-xTB"), ("gfn2", "GFN2-xTB")])
def test_it_gives_what_tblite_gives(name, method, structures):
    labels = calculators.get(name, accuracy=0.01).compute(structures)
    for m, (_, numbers, positions) in enumerate(structures):
        atoms = Atoms(numbers, positions, calculator=TBLite(method=method, accuracy=0.01, verbosity=0))
        # The constants of ASE and SciPy differ by 1e-9 of the total energy.
        assert labels.energies[m] == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        np.testing.assert_allclose(labels.forces[slice(*structures.offsets[m : m + 2])], atoms.get_forces(), atol=5e-6, rtol=0)


def test_a_charge_is_taken_into_account(molecules):
    numbers, positions = molecules["water"]
    water = Structures.build([numbers] * 3, [positions] * 3, ["water", "cation", "triplet"])
    structures = water.with_electrons([0, 1, 0], [0, 0, 2])
    neutral, cation, triplet = calculators.get("gfn2").compute(structures, forces=False).energies
    for energy, charge, multiplicity in ((cation, 1, 2), (triplet, 0, 3)):
        reference = TBLite(method="GFN2-xTB", charge=charge, multiplicity=multiplicity, accuracy=0.1, verbosity=0)
        atoms = Atoms(numbers, positions, calculator=reference)
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        assert energy - neutral > 2.0
    misfit = calculators.get("gfn2").compute(water.with_electrons(0, [1, 0, 0]), forces=False).reasons
    assert "do not fit together" in misfit[0]
    assert misfit[1:] == [None, None]


def test_a_warm_start_saves_cycles_and_a_failed_one_starts_afresh(molecules, monkeypatch):
    numbers, positions = molecules["ethanol"]
    surface = calculators.get("gfn2").surface(numbers, positions)
    cold, _ = surface.evaluate(positions)
    singlepoint, starts = surface._calculator.singlepoint, []

    def failing_when_warm(last=None):
        starts.append(last)
        if last is not None:
            raise TBLiteRuntimeError("SCF not converged")
        return singlepoint()

    monkeypatch.setattr(surface._calculator, "singlepoint", failing_when_warm)
    energy, _ = surface.evaluate(positions)
    assert energy == pytest.approx(cold, abs=1e-7)
    assert len(starts) == 2
    assert starts[0] is not None
    assert starts[1] is None


def test_a_failure_leaves_the_surface_usable(molecules):
    numbers, positions = molecules["water"]
    surface = calculators.get("gfn2").surface(numbers, positions)
    energy, _ = surface.evaluate(positions)
    with pytest.raises(calculators.CalculationError, match="interatomic") as caught:
        surface.evaluate(np.zeros_like(positions))
    assert caught.value.stage == "calculation"
    assert surface.evaluate(positions)[0] == pytest.approx(energy, abs=1e-7)


def test_no_self_consistency_is_a_reason(structures):
    labels = calculators.get("gfn2", max_iterations=1).compute(structures)
    assert all("SCF not converged in 1 cycles" in reason for reason in labels.reasons)
