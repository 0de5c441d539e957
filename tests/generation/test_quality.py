"""What a set of molecules is worth: duplicates, what the dataset holds already, shares and their intervals."""

import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from generation_support import BROKEN, structures_of

from morered.datasets import qm7
from morered.generation import examine
from morered.generation.examine import COLUMNS, KNOWN, examine_at_caps, known_molecules
from morered.generation.quality import QUANTITIES, flags, quality, share
from morered.structures import Column, Structures


@pytest.fixture(scope="module")
def samples(broken):
    """Seven samples: ethanol three times (once turned over), methane, dimethyl ether, a broken and a failed one."""
    ethanol = molecule("CH3CH2OH")
    mirrored = molecule("CH3CH2OH")
    mirrored.positions[:, 0] *= -1
    named = {
        "a": ethanol,
        "b": mirrored,
        "c": molecule("CH4"),
        "d": ethanol,
        "e": molecule("CH3OCH3"),
        "f": BROKEN["a radical"][0](),
    }
    structures = Structures.concatenate([structures_of(named), structures_of({"g": molecule("H2O")})])
    verdicts = np.array([b"converged"] * 3 + [b"step-cap"] * 3 + [b"failed"])
    return structures.with_columns({"verdict": Column(verdicts), "steps": Column(np.arange(7))})


@pytest.fixture(scope="module")
def table(samples):
    return examine.examine(samples)


@pytest.fixture(scope="module")
def known():
    return pd.DataFrame({"id": ["1", "2"], "formula": ["CH4", "C2H6O"], "smiles": ["C", ""], "graph": ["C", ""]})


def test_a_row_for_each_sample(table, samples):
    assert list(table.columns) == list(COLUMNS)
    assert table["id"].tolist() == list("abcdefg")
    assert table["valid"].tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert table["problem"].tolist() == ["", "", "", "", "", "C1 with valence 3", "no structure"]
    assert table["smiles"].tolist() == ["CCO", "CCO", "C", "CCO", "COC", "", ""]
    assert table["formula"].tolist() == ["C2H6O", "C2H6O", "CH4", "C2H6O", "C2H6O", "CH3", "H2O"]
    assert table["geometry"].tolist() == ["sound"] * 5 + ["", ""]
    assert table["stable_atoms"].tolist()[:6] == [9, 9, 5, 9, 9, 3]
    assert table["stable"].tolist()[:6] == [1, 1, 1, 1, 1, 0]


def test_unique_is_the_first_of_its_name_and_novel_what_the_dataset_lacks(table, known):
    found = flags(table, known)
    assert found["valid"].tolist() == [True] * 5 + [False] * 2
    assert found["unique"].tolist() == [True, False, True, False, True, False, False]
    assert found["novel"].tolist() == [True, False, False, False, True, False, False]
    assert found["unique_graph"].tolist() == found["unique"].tolist()


def test_shares_are_of_all_samples(table, known):
    found = quality(table, known)
    assert list(found) == list(QUANTITIES)
    wanted = {"valid_percent": 5, "valid_unique_percent": 3, "valid_unique_novel_percent": 2, "valid_rdkit_percent": 5}
    for name, count in wanted.items():
        assert found[name].value == pytest.approx(100 * count / 7)
        assert found[name].low < found[name].value < found[name].high
    atoms = table["stable_atoms"].sum() / table["n_atoms"].sum()
    assert found["stable_atoms_percent"].value == pytest.approx(100 * atoms)


def test_intervals_are_those_of_a_binomial_share():
    rng = np.random.default_rng(1)
    found = share(rng.random(400) < 0.8)
    half = 100 * 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)
    assert found.low < 80 < found.high
    none, everything = share(np.zeros(50, bool)), share(np.ones(50, bool))
    assert (none.value, everything.value) == (0.0, 100.0)
    assert 5 < none.high < 9  # Wilson's, where a bootstrap would say 0
    assert 91 < everything.low < 95


def test_stereoisomers_are_different_molecules_and_one_graph(known):
    table = pd.DataFrame({"valid": 1, "smiles": ["C/C=C/C", "C/C=C\\C"], "graph": ["CC=CC", "CC=CC"]})
    found = flags(table, known)
    assert found["unique"].tolist() == [True, True]
    assert found["unique_graph"].tolist() == [True, False]


def test_known_molecules_are_those_of_the_compositions():
    minima = qm7.load()
    wanted = minima[minima.index_of(["qm7/0001", "qm7/0486"])]
    named = known_molecules(minima, wanted)
    assert list(named.columns) == list(KNOWN)
    assert set(named["formula"]) == {"CH4", "C4H8N2"}
    assert {"qm7/0001", "qm7/0486"} <= set(named["id"])
    assert (named["smiles"] != "").all()
    assert named.loc[named["id"] == "qm7/0001", "smiles"].item() == "C"
    two = examine.examine(wanted)  # of these, nothing is novel
    assert not flags(two, named)["novel"].any()


def test_tables_are_read_back_as_they_were(table, tmp_path):
    from morered.metrics.tables import write_table

    frame = table.assign(smiles=["N", "NA", "nan", "", "1", "O", "None"])  # a name is a text, whatever it looks like
    write_table(frame, tmp_path / "t.csv")
    back = examine.read(tmp_path / "t.csv")
    assert back["smiles"].tolist() == frame["smiles"].tolist()
    assert back["problem"].tolist() == frame["problem"].tolist()
    assert back["valid"].tolist() == frame["valid"].tolist()


def test_at_caps_each_state_of_a_molecule_is_looked_at_once(monkeypatch):
    two = structures_of({"m@5": molecule("CH4"), "n@5": molecule("H2O"), "m@9": molecule("CH4"), "n@9": BROKEN["a radical"][0]()})
    columns = {
        "cap": Column(np.array([5, 5, 9, 9])),
        "steps": Column(np.array([4, 5, 4, 9])),
        "verdict": Column(np.array([b"converged", b"step-cap", b"converged", b"step-cap"])),
    }
    capped = Structures(two.numbers, two.positions, two.offsets, two.ids, np.array([b"m", b"n", b"m", b"n"]), columns)
    seen = []
    whole = examine.examine
    monkeypatch.setattr(examine, "examine", lambda structures, **options: seen.append(len(structures)) or whole(structures))
    table = examine_at_caps(capped)
    assert seen == [3]
    assert table["cap"].tolist() == [5, 5, 9, 9]
    assert table["id"].tolist() == ["m@5", "n@5", "m@9", "n@9"]
    assert table["valid"].tolist() == [1, 1, 1, 0]


def test_workers_give_the_same(samples, table, monkeypatch):
    monkeypatch.setattr(examine, "_BATCH", 3)
    pd.testing.assert_frame_equal(examine.examine(samples, workers=2), table)
