"""Where relaxed structures lie on the reference's surface, and test sets of conformers."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from morered.datasets.organic import endings, tested
from morered.datasets.organic.choice import Entry
from morered.datasets.organic.identity import skeleton
from morered.relaxation import from_config, relax
from morered.structures import Structures


@pytest.fixture(scope="module")
def made() -> tested.Tested:
    smiles = {"a": "CCO", "b": "C[NH3+]", "c": "OB(O)C", "d": "CC(=O)[O-]"}
    entries = [Entry(f"x/{n}", s, skeleton(Chem.MolFromSmiles(s)), "qm9" if n == "a" else "drugs", 1) for n, s in smiles.items()]
    return tested.build(entries)


def test_a_test_set_is_one_kind_and_one_start_with_its_own_minima(made: tested.Tested) -> None:
    inputs, minima = made.inputs.structures, made.minima.structures
    chosen, left_out = tested.select(inputs, minima, of="drugs", start="mmff94")
    assert chosen.names == ["x/b/mmff94", "x/d/mmff94"]
    assert chosen.references.tolist() == chosen.ids.tolist()
    assert chosen.charges.tolist() == [1, -1]
    assert left_out == 0
    one, two = (tested.select(inputs, minima, start="etkdg", molecules=n)[0].names for n in (1, 2))
    assert set(one) < set(two)
    lacking = minima[np.array([m for m, name in enumerate(minima.names) if name != "x/b/mmff94"])]
    assert tested.select(inputs, lacking, of="drugs", start="mmff94")[1] == 1
    with pytest.raises(ValueError, match="no input of scaffolds by etkdg"):
        tested.select(inputs, minima, of="scaffolds")


def test_results_are_measured_against_the_minima_that_they_fall_into(made: tested.Tested) -> None:
    minima = made.minima.structures
    inputs, _ = tested.select(made.inputs.structures, minima, start="etkdg")
    by_mmff94 = relax(inputs, from_config({"preset": "mmff94"}), workers=1).structures
    rows = endings.measure(by_mmff94, inputs, minima).set_index("id")
    assert rows.loc["x/c/etkdg", ["verdict", "converged", "fell"]].tolist() == ["refused", 0, 0]  # MMFF94 has no boron
    good = rows[rows["fell"] == 1]
    assert len(good) == 3
    assert good["energy_left"].between(0.01, 20).all()
    assert good["rmsd_left"].between(0.002, 0.3).all()
    assert (good["nearer"] == (good["rmsd_left"] < good["rmsd_input"])).all()
    assert (good["calls"] < good["calls_input"] + 10).all()
    assert rows.loc["x/a/etkdg", "elements"] == "H C O"
    at_rest = (
        minima[minima.index_of(inputs.ids)]
        .without_columns()
        .with_columns({**by_mmff94.columns, "verdict": by_mmff94.columns["verdict"]._replace(values=np.full(4, b"converged"))})
    )
    ended = endings.measure(at_rest, inputs, minima)
    assert (ended["energy_left"].abs() < 2e-3).all()
    assert (ended["rmsd_left"] < 5e-3).all()
    assert (ended["calls"] <= 3).all()


def test_distances_are_of_heavy_atoms_where_there_are_enough() -> None:
    places = np.array([[0.0, 0, 0], [1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.1]])
    moved = places.copy()
    moved[3] += [0.3, 0.2, 0.0]
    propane, water = [6, 6, 6, 1], [8, 1, 1, 1]
    a = Structures.build([propane, water], [places, places], ["a", "b"])
    b = Structures.build([propane, water], [moved, moved], ["a", "b"])
    found = endings.heavy_rmsd(a, b)
    assert found[0] < 1e-9
    assert found[1] > 0.05


def test_a_result_that_is_another_input_of_its_molecule_falls_into_that_input_s_minimum(made: tested.Tested) -> None:
    inputs, minima = made.inputs.structures, made.minima.structures
    start, _ = tested.select(inputs, minima, start="etkdg")
    relaxed = relax(start, from_config({"preset": "mmff94"}), workers=1).structures
    marked = minima.columns["calls"]._replace(values=np.where([n.endswith("mmff94") for n in minima.names], 777, 1))
    marks = minima.with_columns({**minima.columns, "calls": marked})
    known = endings.measure(relaxed, inputs, marks).set_index("id")
    found = endings.measure(relaxed, start, minima).set_index("id")
    good = known["fell"] == 1
    assert good.sum() == 3
    assert (known.loc[good, "calls"] == 777).all()
    assert (found.loc[good, "calls"] < 777).all()
    np.testing.assert_allclose(known.loc[good, "energy_left"], found.loc[good, "energy_left"], atol=5e-3)
    np.testing.assert_allclose(known.loc[good, "rmsd_left"], found.loc[good, "rmsd_left"], atol=1e-2)
