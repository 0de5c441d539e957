"""Lengths, angles and contacts: what real molecules have passes, what none has does not."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from morered.checks.bonds import by_distance, kind_name, kind_of
from morered.checks.geometry import faults, strain
from morered.checks.judged import check
from morered.datasets import qm7
from morered.structures import Structures


def structures(*given):
    return Structures.build([a.numbers for a in given], [a.positions for a in given], [str(k) for k in range(len(given))])


def wrong(atoms):
    """Names of the checks that one molecule does not pass, with a sentence each."""
    return {name: fault.worst()[0] for name, fault in faults(by_distance(structures(atoms))) if len(fault.molecules)}


def carbon_dioxide(first, second):
    return Atoms("OCO", [[-first, 0, 0], [0, 0, 0], [second, 0, 0]])


def test_no_minimum_of_qm7_has_a_fault():
    for name, fault in faults(by_distance(qm7.load().without_columns())):
        assert not len(fault.molecules), (name, fault.worst())


@pytest.mark.parametrize(
    "name",
    ["C6H6", "CH3CN", "CO2", "H2O", "CH3SH", "SO2", "C3H4_D2d", "bicyclobutane", "Si2H6", "PH3", "HCl", "SiF4", "NF3", "PF3"],
)
def test_neither_have_other_molecules(name):
    assert wrong(molecule(name)) == {}


def test_a_length_out_of_range_is_named_with_its_atoms():
    assert wrong(carbon_dioxide(1.16, 1.16)) == {}
    assert wrong(carbon_dioxide(1.25, 1.09)) == {"lengths": "the bond O1-C2 is 1.25 Å, 1.10 to 1.23 Å is usual"}


def test_the_kind_of_an_atom_tells_a_double_bond_from_a_single_one():
    """1.25 Å is a carbonyl's length, or nearly so, and no sulfoxide's, and 1.43 Å an ether's and no carbonyl's."""
    sulfoxide = molecule("C2H6SO")
    s, o = (int(np.flatnonzero(sulfoxide.numbers == z)[0]) for z in (16, 8))
    assert wrong(sulfoxide) == {}
    sulfoxide.set_distance(s, o, 1.25, fix=0)
    assert "S" in wrong(sulfoxide)["lengths"]
    aldehyde = molecule("H2CO")
    c, o = (int(np.flatnonzero(aldehyde.numbers == z)[0]) for z in (6, 8))
    aldehyde.set_distance(c, o, 1.43, fix=0)
    assert "lengths" in wrong(aldehyde)


def test_a_bent_straight_group_is_found():
    nitrile = molecule("CH3CN")
    nitrogen = int(np.flatnonzero(nitrile.numbers == 7)[0])
    middle, end = sorted(np.flatnonzero(nitrile.numbers == 6), key=lambda c: nitrile.get_distance(c, nitrogen))
    axis = nitrile.positions[nitrogen] - nitrile.positions[middle]
    across = np.cross(axis, [1.0, 0.3, 0.2])
    across *= np.linalg.norm(axis) / np.linalg.norm(across)
    bend = np.radians(50)
    nitrile.positions[nitrogen] = nitrile.positions[middle] + np.cos(bend) * axis + np.sin(bend) * across
    assert nitrile.get_angle(end, middle, nitrogen) == pytest.approx(130)
    assert "130°" in wrong(nitrile)["angles"]


def test_a_contact_through_space_is_found():
    methane = molecule("CH4")

    def pair(gap):
        return Atoms([*methane.symbols] * 2, [*methane.positions, *(methane.positions * [1, 1, -1] + [0, 0, gap])])

    assert wrong(pair(3.4)) == {}
    assert wrong(pair(2.4)).keys() == {"contacts"}


def test_strain_grows_with_the_fault_and_counts_per_molecule():
    values = strain(structures(carbon_dioxide(1.16, 1.16), carbon_dioxide(1.25, 1.16), carbon_dioxide(1.35, 1.16)))
    assert values[0] == 0
    assert values[2] - values[1] == pytest.approx(1.0)


def test_distances_across_a_small_ring_are_no_bonds():
    """Bicyclo[1.1.1]pentane: 1.87 Å from bridgehead to bridgehead."""
    minima = qm7.load().without_columns()
    degree = by_distance(minima).degree
    for element, most in ((1, 1), (6, 4), (7, 4)):
        assert degree[minima.numbers == element].max() <= most


def test_names_of_kinds_come_back():
    for name in ("C4", "H1", "S6", "Cl1", "O2"):
        assert kind_name(kind_of(name)) == name


def test_carbon_with_a_lone_electron_may_be_bent():
    formyl = Structures.build([[6, 8, 1]], [[[0, 0, 0], [1.17, 0, 0], [-0.6, 0.93, 0]]], ["formyl"])
    assert check(formyl).impossible == [None]
    assert "the angle" in check(formyl.with_electrons([1], [0])).impossible[0]  # HCO+ is straight
    assert check(formyl.with_electrons([-1], [0])).impossible == [None]
