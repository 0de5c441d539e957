"""The container: construction, access by index, mask and id, sums over molecules, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morered.structures import Column, Structures, as_names, offsets_of
from structures_support import METHANE, WATER, assert_same, random_structures, structures


@pytest.fixture
def pair() -> Structures:
    both = Structures.build([WATER[0], METHANE[0]], [WATER[1], METHANE[1]], ["water", "methane"])
    return both.with_columns(
        {"energy": Column(np.array([-1.0, -2.0]), "eV"), "charge": Column(np.arange(8.0), "e", per_atom=True)}
    )


def test_build_stores_flat_arrays(pair: Structures) -> None:
    assert pair.numbers.tolist() == [8, 1, 1, 6, 1, 1, 1, 1]
    assert pair.offsets.tolist() == [0, 3, 8]
    assert pair.sizes.tolist() == [3, 5]
    assert pair.names == ["water", "methane"]
    assert pair.molecule_index.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert (pair.references == pair.ids).all()
    assert repr(pair) == "Structures(2 molecules, 8 atoms; energy [eV], charge [e])"


def test_molecules_are_views(pair: Structures) -> None:
    molecule = pair.molecule(1)
    assert molecule.id == "methane"
    assert np.shares_memory(molecule.positions, pair.positions)
    assert [m.id for m in pair] == ["water", "methane"]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (1, [1]),
        (-1, [9]),
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, -3), [9, 6, 3, 0]),
        ([3, 3, 0], [3, 3, 0]),
        ([-1, 0], [9, 0]),
        (np.array([], dtype=int), []),
        ([], []),
        (np.arange(10) % 4 == 1, [1, 5, 9]),
    ],
)
def test_indexing_takes_molecules_with_their_columns(index: object, expected: list[int]) -> None:
    whole = random_structures(10)
    part = whole[index]  # type: ignore[index]
    assert part.ids.tolist() == [whole.ids[m] for m in expected]
    for row, m in enumerate(expected):
        assert part.column("energy")[row] == whole.column("energy")[m]
        here, there = slice(*part.offsets[row : row + 2]), slice(*whole.offsets[m : m + 2])
        np.testing.assert_array_equal(part.positions[here], whole.positions[there])
        np.testing.assert_array_equal(part.column("forces")[here], whole.column("forces")[there])


def test_a_contiguous_choice_is_a_view() -> None:
    whole = random_structures(10)
    assert np.shares_memory(whole[2:7].positions, whole.positions)
    assert np.shares_memory(whole[[3, 4, 5]].positions, whole.positions)
    assert not np.shares_memory(whole[[3, 5]].positions, whole.positions)


@pytest.mark.parametrize("index", [10, -11, [0, 10], [0.5], np.ones(9, dtype=bool)])
def test_an_index_outside_is_refused(index: object) -> None:
    with pytest.raises((IndexError, ValueError)):
        random_structures(10)[index]  # type: ignore[index]


@settings(deadline=None, max_examples=40)
@given(structures(min_molecules=0), st.data())
def test_concatenating_parts_gives_the_whole(whole: Structures, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(whole)))
    assert_same(Structures.concatenate([whole[:cut], whole[cut:]]), whole)
    assert Structures.concatenate([whole[:cut], whole[cut:]]).same_as(whole)


def test_concatenating_nothing_is_empty() -> None:
    empty = Structures.concatenate([])
    assert (len(empty), empty.n_atoms, len(empty[:]), list(empty)) == (0, 0, 0, [])


def test_concatenating_refuses_other_columns(pair: Structures) -> None:
    with pytest.raises(ValueError, match="columns differ"):
        Structures.concatenate([pair, pair.without_columns()])


def test_index_of_finds_ids(pair: Structures) -> None:
    assert pair.index_of(["methane", "water", "methane"]).tolist() == [1, 0, 1]
    assert pair.index_of([]).tolist() == []
    with pytest.raises(KeyError, match="ethanol"):
        pair.index_of(["water", "ethanol"])
    with pytest.raises(KeyError, match="there are none"):
        pair[:0].index_of(["water"])


def test_a_missing_column_lists_those_there_are(pair: Structures) -> None:
    with pytest.raises(KeyError, match="charge, energy"):
        pair.column("dipole")


def test_centred_puts_each_centre_at_the_origin() -> None:
    centred = random_structures(50).centred()
    # Sums of 23 numbers of size 10 in double precision.
    np.testing.assert_allclose(centred.per_molecule_mean(centred.positions), 0, atol=1e-13)


def test_sums_leave_out_empty_molecules_and_use_double_precision() -> None:
    s = Structures.build([[], [1, 1], [], [8]], [[], [[0, 0, 1]] * 2, [], [[5, 5, 5]]], ["a", "b", "c", "d"])
    assert s.per_molecule_sum(s.positions).tolist() == [[0, 0, 0], [0, 0, 2], [0, 0, 0], [5, 5, 5]]
    assert s.per_molecule_mean(np.array([1.0, 3.0, 4.0])).tolist() == [0, 2, 0, 4]
    small = Structures.build([[1] * 3], [np.zeros((3, 3))], ["a"])
    values = np.array([1e8, 1.0, 1.0], dtype=np.float32)  # 1e8 + 1 is lost in single precision
    assert small.per_molecule_sum(values)[0] == 1e8 + 2


def test_blocks_cover_every_molecule_once() -> None:
    s = random_structures(200, low=0)
    found = np.zeros(200, dtype=int)
    for block in s.blocks(max_rows=40):
        n = block.atoms.shape[1]
        assert len(block.molecules) <= max(1, 40 // n)
        assert (s.sizes[block.molecules] == n).all()
        assert (s.molecule_index[block.atoms] == block.molecules[:, None]).all()
        found[block.molecules] += 1
    assert (found == (s.sizes > 0)).all()
    assert list(s[:0].blocks()) == []


def test_same_as_sees_every_difference(pair: Structures) -> None:
    assert pair.same_as(pair[:])
    assert not pair.same_as(pair.with_positions(pair.positions + 1e-12))
    assert not pair.same_as(pair.without_columns())
    assert not pair.same_as(pair.with_columns({"energy": Column(np.array([-1.0, -2.0]), "hartree")}))
    assert not pair.same_as(pair[::-1])
    lost = pair.with_columns({"energy": Column(np.array([np.nan, 0.0]))})
    assert lost.same_as(lost[:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"numbers": np.zeros(8)}, "numbers must be a flat uint8"),
        ({"positions": np.zeros((7, 3))}, r"positions must be \[8, 3\]"),
        ({"positions": np.zeros((8, 3), dtype=int)}, "floating"),
        ({"offsets": np.array([0, 8])}, r"offsets must be \[3\]"),
        ({"offsets": np.array([0, 9, 8])}, "without falling"),
        ({"offsets": np.array([0.0, 3.0, 8.0])}, "integers"),
        ({"offsets": np.array([0, 3, 7])}, "from 0 to 8"),
        ({"ids": np.array(["a", "b"])}, "must be bytes"),
        ({"references": np.array([b"a"])}, "references must be"),
        ({"columns": {"energy": Column(np.zeros(3))}}, "per-molecule column 'energy' must have 2 rows"),
        ({"columns": {"forces": Column(np.zeros((2, 3)), "", True)}}, "per-atom column 'forces' must have 8 rows"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(pair: Structures, change: dict, message: str) -> None:
    arrays = {name: getattr(pair, name) for name in ("numbers", "positions", "offsets", "ids", "references", "columns")}
    with pytest.raises(ValueError, match=message):
        Structures(**{**arrays, **change})


@pytest.mark.parametrize(
    ("numbers", "positions", "message"),
    [
        ([[1, 1], [1]], [[[0, 0, 0]], [[0, 0, 0], [1, 1, 1]]], "molecule 'a' has 2 numbers and 1 positions"),
        ([[1], [256]], [[[0, 0, 0]], [[0, 0, 0]]], "0 to 255"),
        ([[1], [-1]], [[[0, 0, 0]], [[0, 0, 0]]], "0 to 255"),
        ([[1.5], [1]], [[[0, 0, 0]], [[0, 0, 0]]], "0 to 255"),
        ([[1]], [[[0, 0, 0]]], "1 sets of numbers"),
    ],
)
def test_build_refuses_molecules_that_do_not_fit(numbers: list, positions: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Structures.build(numbers, positions, ["a", "b"])


def test_names_and_offsets() -> None:
    assert as_names(["é", b"x"]).tolist() == ["é".encode(), b"x"]
    assert as_names([]).dtype.kind == "S"
    assert offsets_of([]).tolist() == [0]
    assert offsets_of([2, 0, 3]).tolist() == [0, 2, 2, 5]


def test_parts_that_lost_a_column_are_joined_by_what_they_have_in_common():
    molecules = Structures.build([[1, 1]] * 3, [np.zeros((2, 3))] * 3, ["a", "b", "c"])
    energy, scale = Column(np.array([1.0]), "eV"), Column(np.array([2.0]))
    both, one = molecules[[0]].with_columns({"energy": energy, "scale": scale}), molecules[[1]].with_columns({"scale": scale})
    with pytest.raises(ValueError, match="columns differ"):
        Structures.concatenate([both, one])
    for parts in ([both, one], [one, both]):
        joined = Structures.concatenate(parts, common=True)
        assert set(joined.columns) == {"scale"}
        assert joined.names == [part.names[0] for part in parts]
    other_unit = molecules[[2]].with_columns({"scale": Column(np.array([2.0]), "Å")})
    with pytest.raises(ValueError, match="columns differ"):
        Structures.concatenate([one, other_unit], common=True)
