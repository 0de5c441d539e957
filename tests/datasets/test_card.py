import json
from pathlib import Path

import numpy as np
import pytest

from morered.datasets import card as cards
from morered.datasets import qm7, testsets
from morered.figures import data_card
from morered.structures import Column, Structures, as_names


@pytest.fixture(scope="module")
def minima() -> Structures:
    return qm7.load()


@pytest.fixture(scope="module")
def displaced(minima: Structures) -> Structures:
    """Two copies of 60 minima, moved at random, with columns as a builder gives them; the minima stand among them."""
    some = minima.without_columns()[:60]
    parts = [some]
    for seed in (1, 2):
        noisy = testsets.diffused_inputs(some, steps=100 * seed, seed=seed).without_columns()
        parts.append(noisy)
    joined = Structures.concatenate(parts)
    size = np.repeat([0.1, 2.0, 4.0], 60)
    forces = np.ones((joined.n_atoms, 3)) / np.sqrt(3) * size[joined.molecule_index][:, None]
    return joined.with_columns({"displacement_energy": Column(size / 4, "eV"), "forces": Column(forces, "eV/Å", per_atom=True)})


@pytest.fixture(scope="module")
def card(minima: Structures, displaced: Structures, tmp_path_factory: pytest.TempPathFactory) -> dict:
    path = tmp_path_factory.mktemp("card") / "file.txt"
    path.write_text("x")
    return cards.data_card(
        "QM7", minima, qm7.default_split(), kind="qm7-pbe0", level=qm7.LEVEL, displaced=displaced, removed=["a", "b"],
        failures={"c": "no"}, files=[path],
    )  # fmt: skip


def test_parts_count_graphs_minima_and_displaced_structures(minima: Structures, card: dict) -> None:
    split = qm7.default_split()
    assert {part: counts["graphs"] for part, counts in card["parts"].items()} == {"train": 4500, "validation": 1250, "test": 1329}
    assert sum(counts["minima"] for counts in card["parts"].values()) == 7101
    assert sum(counts["atoms"] for counts in card["parts"].values()) == minima.n_atoms
    first = set(minima.names[:60])
    assert {part: counts["displaced"] for part, counts in card["parts"].items()} == {
        part: 2 * len(first & set(split.ids(part))) for part in ("train", "validation", "test")
    }


def test_elements_and_sizes_by_part(minima: Structures, card: dict) -> None:
    members = set(qm7.default_split().test)
    test = [molecule for molecule in minima if molecule.id in members]
    assert card["elements"]["test"]["S"] == sum(16 in molecule.numbers for molecule in test)
    assert card["atoms_of"]["test"]["O"] == sum(int((molecule.numbers == 8).sum()) for molecule in test)
    assert card["sizes"]["test"]["15"] == sum(len(molecule.numbers) == 15 for molecule in test)
    assert card["heavy_atoms"]["test"]["7"] == sum(int((molecule.numbers > 1).sum()) == 7 for molecule in test)
    for part in ("train", "validation", "test"):
        for key in ("sizes", "heavy_atoms"):
            assert sum(card[key][part].values()) == card["parts"][part]["minima"]


def test_distributions(card: dict) -> None:
    energies = card["displacement_energies"]
    assert energies["count"] == 120
    assert (energies["min"], energies["max"], energies["mean"]) == (0.5, 1.0, 0.75)
    # largest force on an atom: 2 eV/Å on the first 60, 4 on the others; 0.1 on the minima among the displaced structures
    assert card["displaced_forces"]["p50"] == pytest.approx(3.0)
    assert card["minima_forces"]["p50"] == pytest.approx(0.1)
    assert card["minima_forces"]["count"] == 60
    rmsd = card["displacement_rmsd"]
    assert 0.1 < rmsd["p5"] < rmsd["p95"] < 1.0
    histogram = rmsd["histogram"]
    assert sum(histogram["counts"]) + histogram["beyond"] == 120
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1


def test_a_distribution_of_nothing_and_of_one_value() -> None:
    assert cards.distribution(np.array([np.nan])) is None
    same = cards.distribution(np.full(5, 2.0))
    assert same is not None
    assert sum(same["histogram"]["counts"]) == 5


def test_a_sample_stands_for_many(minima: Structures, displaced: Structures) -> None:
    sampled = cards.data_card("QM7", minima, qm7.default_split(), displaced=displaced, sample=40)
    assert sampled["sampled"] == 40
    assert sampled["displacement_rmsd"]["count"] == 40
    assert sum(counts["displaced"] for counts in sampled["parts"].values()) == 120


def test_energies_above_the_minimum_are_found_from_energies(minima: Structures, displaced: Structures) -> None:
    some = displaced[60:].without_columns().with_columns({"energy": Column(np.full(120, -9.0), "eV")})
    labelled = minima.with_columns({"energy": Column(np.full(len(minima), -10.0), "eV")})
    found = cards.data_card("QM7", labelled, qm7.default_split(), displaced=some)
    assert found["displacement_energies"]["mean"] == pytest.approx(1.0)
    assert found["displaced_forces"] is None


def test_a_stranger_among_the_displaced_structures_is_named(minima: Structures, displaced: Structures) -> None:
    stranger = displaced[:1]
    stranger.references = as_names(["qm7/9999"])
    with pytest.raises(KeyError, match="qm7/9999"):
        cards.data_card("QM7", minima, qm7.default_split(), displaced=stranger)


def test_digests_and_lists(minima: Structures, card: dict) -> None:
    assert card["duplicates"]["removed"] == 2
    # 22 graphs have more than one minimum: 7101 - 7079 repeats, one graph has three
    assert card["duplicates"]["minima_sharing_a_graph"] == 22 + 21
    assert card["failures"] == {"count": 1, "sorts": {"no": 1}, "reasons": {"c": "no"}}
    assert card["split"]["digest"] == qm7.default_split().digest
    assert card["digests"]["files"]["file.txt"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
    moved = minima.with_positions(minima.positions + np.eye(3)[0] * 1e-5)
    assert cards.structures_digest(moved) != card["digests"]["structures"]


def test_cards_are_json(card: dict, tmp_path: Path) -> None:
    cards.write_card(tmp_path / "card.json", card)
    assert json.loads((tmp_path / "card.json").read_text(encoding="utf-8")) == json.loads(json.dumps(card)) == card


# --------------------------------------------------------------------- the figure


def test_the_figure_shows_what_the_card_says(card: dict, tmp_path: Path) -> None:
    figure = data_card.draw(card)
    texts = " ".join(t.get_text() for axes in figure.axes for t in (*axes.texts, *axes.get_xticklabels())).replace("\u202f", " ")
    for words in ("4 500", "1 250", "1 329", "4 514", "median"):
        assert words in texts
    assert "7 101 minima of 7 079 molecular graphs, 120 displaced" in figure._suptitle.get_text().replace("\u202f", " ")
    assert [bar.get_height() for bar in figure.axes[0].patches] == [4500, 1250, 1329]
    data_card.make(card, tmp_path / "card.png")
    for ending in ("png", "pdf", "csv"):
        assert (tmp_path / f"card.{ending}").stat().st_size > 500
    table = data_card.numbers(card)
    assert table.query("panel == 'atoms' and series == 'test'")["value"].sum() == 1332
    # energies of 0.5 to 1 eV: 11.5 to 23.06 kcal/mol
    assert table.query("panel == 'displacement_energies'")["x"].min() == pytest.approx(11.53, abs=0.01)


def test_minima_alone_have_a_figure(minima: Structures) -> None:
    figure = data_card.draw(cards.data_card("QM7", minima, qm7.default_split()))
    assert len(figure.axes) == 3
