"""A molecule that a network refuses for its elements, or for its charge, is told which method takes it."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule

from morered.electrons import ORGANIC_IONS
from morered.models import weights
from morered.relaxation import from_config, relax
from morered.relaxation.verdicts.way_out import ORGANIC, with_way_out
from morered.structures import Structures

SIDES = np.array([[0.0, 0, 0], [0, 0, 1.7]])


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([6, 17], "--method organic takes it"), ([6, 11], "--method gfn2 or --finish gfn2 takes it"), ([6, 92], None)],
)
def test_the_way_out_hangs_on_the_elements(numbers: list[int], words: str | None) -> None:
    bare = "the model has never seen it"
    told = with_way_out([bare], Structures.build([numbers], [SIDES], ["x"]), {1, 6, 7, 8}, "the model")
    assert told == [bare if words is None else f"{bare}; {words}{', and so do gfn2 and aimnet2' if 17 in numbers else ''}"]


def test_other_reasons_stay_as_they_are() -> None:
    pair = Structures.build([[6, 17]] * 2, [SIDES] * 2, ["a", "b"])
    assert with_way_out([None, "it has no atoms"], pair, {6}, "the model") == [None, "it has no atoms"]
    assert with_way_out(["the model has never seen Cl"] * 2, pair, None, "the model") == ["the model has never seen Cl"] * 2


def test_the_method_that_is_named_takes_it() -> None:
    made = [molecule("CH3Cl"), molecule("NH3")]
    ion = Structures.build([made[0].numbers, [7, 1, 1, 1, 1]], [made[0].positions, _ammonium()], ["chloromethane", "ammonium"])
    ion = ion.with_electrons([0, 1])
    refused = relax(ion, from_config({"preset": "fast"})).structures
    assert refused.column("verdict").tolist() == [b"refused", b"refused"]
    for reason in refused.column("reason").tolist():
        assert b"--method organic" in reason
    taken = relax(ion, from_config({"preset": "organic"})).structures
    assert taken.column("verdict").tolist() == [b"converged", b"converged"]


def test_the_elements_named_are_those_of_the_network() -> None:
    header = weights.load("morered-organic-3").header
    assert set(header.elements) == ORGANIC
    assert set(header.charges) == ORGANIC_IONS | {0}


def _ammonium() -> np.ndarray:
    return 0.6 * np.array([[0.0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
