"""Compositions as people write them."""

import pytest

from morered.generation.formula import FormulaError, formula_of, numbers_of


@pytest.mark.parametrize(
    ("formula", "numbers"),
    [
        ("H2O", [8, 1, 1]),
        ("CH3CH2OH", [6, 6, 8, 1, 1, 1, 1, 1, 1]),
        (" C2HCl3 ", [6, 6, 17, 17, 17, 1]),
        ("HF", [9, 1]),
        ("CO", [6, 8]),
    ],
)
def test_a_formula_is_its_atoms_hydrogens_last(formula, numbers):
    assert numbers_of(formula).tolist() == numbers


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("", "0"),
        ("C", "at least two"),
        ("Xy2", "'Xy'"),
        ("X2", "'X'"),
        ("c6h6", "'c'"),
        ("C6H6-", "'-'"),
        ("C0H4", "0 atoms of C"),
        ("(CH3)2", "'('"),
        ("C999H999", "more than 1000"),
    ],
)
def test_what_is_no_formula_is_said(formula, words):
    with pytest.raises(FormulaError, match=words.replace("(", r"\(").replace("-", r"\-")):
        numbers_of(formula)


@pytest.mark.parametrize(
    ("formula", "hill"), [("H2O", "H2O"), ("OH2C", "CH2O"), ("C2H5OH", "C2H6O"), ("ClH", "ClH"), ("SO2", "O2S"), ("CO", "CO")]
)
def test_formulas_are_written_in_hills_order(formula, hill):
    assert formula_of(numbers_of(formula)) == hill
