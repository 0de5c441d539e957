"""Minima of another dataset: only graphs that the own one does not have."""

import numpy as np
from ase.build import molecule

from morered.datasets.augment import new_graphs
from morered.structures import Column, Structures

OWN = ("CH3CH2OH", "CH3SH", "C2H6", "CH3CHO")


def molecules(names: tuple[str, ...], prefix: str, spread: float = 0.0, seed: int = 0) -> Structures:
    generator = np.random.default_rng(seed)
    atoms = [molecule(name) for name in names]
    positions = [a.positions + spread * generator.normal(size=a.positions.shape) for a in atoms]
    return Structures.build([a.numbers for a in atoms], positions, [f"{prefix}/{name}" for name in names])


def test_known_graphs_are_left_out_whatever_their_geometry_and_order() -> None:
    others = molecules(("C3H8", "CH3CH2OH", "CH3OCH3", "C2H6"), "other", spread=0.03)
    turned = [np.arange(len(m.numbers))[::-1] for m in others]  # atoms in another order
    others = Structures.build(
        [m.numbers[o] for m, o in zip(others, turned, strict=True)],
        [m.positions[o] @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]) + 3 for m, o in zip(others, turned, strict=True)],
        others.names,
    )
    # dimethyl ether has the atoms of ethanol and another graph
    assert new_graphs(others, molecules(OWN, "own")).names == ["other/C3H8", "other/CH3OCH3"]


def test_foreign_elements_and_large_molecules_are_left_out() -> None:
    others = molecules(("C3H8", "CH3Cl", "CH3CH2NH2", "C4H4O"), "other")
    others = others.with_columns({"energy": Column(np.zeros(len(others)), "eV")})
    added = new_graphs(others, molecules(OWN, "own"), max_heavy_atoms=3)
    assert added.names == ["other/C3H8"]  # chlorine and nitrogen are foreign, furan has five heavy atoms
    assert not added.columns
    assert new_graphs(others, molecules(OWN, "own")).names == ["other/C3H8", "other/C4H4O"]


def test_nothing_may_be_left() -> None:
    own = molecules(OWN, "own")
    assert len(new_graphs(own, own)) == 0
