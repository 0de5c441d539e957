"""Charges and unpaired electrons: what is possible, and what is taken."""

import numpy as np
import pytest

from morered.batching import pad
from morered.electrons import electron_counts, electron_refusals, parity_problem, radical_note, unpaired_electrons
from morered.structures import Column, Structures

AMMONIUM = ([7, 1, 1, 1, 1], np.array([[0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [-0.6, 0.6, -0.6], [0.6, -0.6, -0.6]]))
METHYL = ([6, 1, 1, 1], np.array([[0, 0, 0], [1.08, 0, 0], [-0.54, 0.94, 0], [-0.54, -0.94, 0]]))
HYDROXIDE = ([8, 1], np.array([[0, 0, 0], [0, 0, 0.96]]))


@pytest.fixture
def ions() -> Structures:
    bare = Structures.build(*zip(AMMONIUM, METHYL, HYDROXIDE, strict=True), ["ammonium", "methyl", "hydroxide"])
    return bare.with_electrons([1, 0, -1])


def test_electrons_are_the_nuclear_charges_less_the_total_charge(ions):
    assert electron_counts(ions).tolist() == [10, 9, 10]
    assert unpaired_electrons(ions).tolist() == [0, 1, 0]
    assert unpaired_electrons(ions.with_electrons(0)).tolist() == [1, 1, 1]
    assert unpaired_electrons(ions.with_electrons([1, 0, -1], [2, 3, 0])).tolist() == [2, 3, 0]


@pytest.mark.parametrize(
    ("electrons", "charge", "unpaired", "words"),
    [
        (10, 1, 0, None),
        (9, 0, 1, None),
        (10, 0, 2, None),
        (10, 1, 1, "with charge +1 it has 10 electrons, an even number, and 1 of them cannot be unpaired (multiplicity 2)"),
        (9, 0, 0, "with charge +0 it has 9 electrons, an odd number, and 0 of them cannot be unpaired (multiplicity 1)"),
        (-1, 12, 1, "charge +12 is more than it has electrons (11)"),
        (2, 0, 4, "4 unpaired electrons are more than it has"),
        (2, 0, -2, "cannot have -2 unpaired electrons"),
    ],
)
def test_charge_and_multiplicity_must_fit_the_number_of_electrons(electrons, charge, unpaired, words):
    problem = parity_problem(electrons, charge, unpaired)
    assert problem is None if words is None else words in problem


def test_an_ion_is_called_an_ion_and_a_radical_a_radical(ions):
    ion, radical, anion = electron_refusals(ions, who="the model", way_out=True)
    assert ion.startswith("it is an ion, charge +1, and the model knows neutral molecules only; --method organic, gfn2 or")
    assert "gfn2 or aimnet2 takes it" in ion
    assert "; --method gfn2 or" in radical
    assert "9 electrons" in radical
    assert "radical" in radical
    assert anion.startswith("it is an ion, charge -1")
    assert electron_refusals(ions, charges=None, open_shell=True) == [None] * 3
    assert [bool(reason) for reason in electron_refusals(ions, charges=(0, 1))] == [False, True, True]
    triplet = electron_refusals(ions.with_electrons([1, 1, -1], [0, 2, 0]), charges=None)
    assert triplet[0] is triplet[2] is None
    assert "2 unpaired electrons" in triplet[1]
    misfit = electron_refusals(ions.with_electrons([1, 0, -1], [1, 0, 0]), charges=None, open_shell=True)
    assert "do not fit together" in misfit[0]


def test_only_what_nobody_stated_is_noted_as_a_radical():
    assert "give its charge" in radical_note(11, 0, 0)
    assert radical_note(11, 0, 1) is None
    assert radical_note(10, 1, 0) is None


def test_charges_stay_with_their_molecules(ions):
    noted = ions.with_columns({"energy": Column(np.arange(3.0), "eV")})
    assert set(noted.without_columns().columns) == {"charge", "unpaired"}
    assert noted[[2, 0]].charges.tolist() == [-1, 1]
    plain = Structures.build([[1, 1]], [[[0, 0, 0], [0, 0, 0.74]]], ["hydrogen"])
    assert plain.charges.tolist() == plain.unpaired.tolist() == [0]
    assert Structures.concatenate([plain, ions]).charges.tolist() == [0, 1, 0, -1]
    partial = plain.with_columns({"charge": Column(np.array([0.5, -0.5]), "e", per_atom=True)})
    assert partial.charges.tolist() == [0]
    with pytest.raises(ValueError, match="column 'charge' must hold a whole number for each molecule"):
        _ = plain.with_columns({"charge": Column(np.array([0.5]), "e")}).charges


def test_charges_travel_in_padded_batches(ions):
    batch = pad(ions, [2, 0])
    assert batch.electrons.tolist() == [[-1, 0], [1, 0]]
    assert batch[1:].with_positions(batch.positions[1:]).to("cpu").electrons.tolist() == [[1, 0]]
    plain = Structures(ions.numbers, ions.positions, ions.offsets, ions.ids, ions.references)
    assert pad(plain).electrons is None
