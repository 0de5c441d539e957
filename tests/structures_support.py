"""Molecules for the tests of containers and formats: Hypothesis strategies, real geometries, telling comparisons."""

import math

import numpy as np
from hypothesis import strategies as st

from morered.structures import Column, Structures, offsets_of

SPACING = 0.6
"""Å between the grid points that random atoms lie near: no two atoms coincide."""

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12)
words = st.text("abcXYZ0123.,=\"'\\-+é", min_size=1, max_size=6).filter(lambda word: word != "n/a")
floats = st.floats(allow_nan=True, allow_infinity=True, width=64)
integers = st.integers(-(2**63), 2**63 - 1)
KINDS = {"float64": floats, "int64": integers, "bool": st.booleans()}


def names(alphabet: str = "abcdefgXYZ_0123456789") -> st.SearchStrategy[str]:
    """Names of columns that mean nothing else in any format."""
    return st.text(alphabet, min_size=1, max_size=8).map(lambda name: f"c{name}")


COLUMN_NAMES = names()


@st.composite
def structures(
    draw: st.DrawFn,
    ids: st.SearchStrategy[str] = texts,
    column_names: st.SearchStrategy[str] = COLUMN_NAMES,
    per_atom_shapes: tuple[tuple[int, ...], ...] = ((), (3,)),
    text_columns: bool = True,
    min_molecules: int = 1,
    min_atoms: int = 1,
) -> Structures:
    """Up to four molecules of up to seven atoms, with columns of every kind."""
    sizes = draw(st.lists(st.integers(min_atoms, 7), min_size=min_molecules, max_size=4))
    n_atoms = sum(sizes)
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    points = [generator.permutation(grid)[:n] * SPACING + generator.uniform(-0.2, 0.2, (n, 3)) for n in sizes]
    labels = draw(st.lists(ids, min_size=len(sizes), max_size=len(sizes), unique_by=lambda name: name.encode()))
    references = [draw(st.sampled_from([label, f"minimum of {label}"])) for label in labels]
    built = Structures.build(
        [generator.integers(1, 119, n) for n in sizes],
        [x + draw(st.sampled_from([0.0, -7.5])) for x in points],
        labels,
        references,
    )
    columns: dict[str, Column] = {}
    for name in draw(st.lists(column_names, max_size=4, unique=True)):
        per_atom = draw(st.booleans())
        rows = n_atoms if per_atom else len(sizes)
        unit = draw(st.sampled_from(["", "eV", "eV/Å", "kcal/mol"]))
        if text_columns and draw(st.integers(0, 3)) == 0:
            given = draw(st.lists(words if per_atom else texts, min_size=rows, max_size=rows))
            columns[name] = Column(np.char.encode(np.array(given, dtype=np.str_), "utf-8"), unit, per_atom)
        else:
            shape = draw(st.sampled_from(per_atom_shapes if per_atom else ((), (3,), (1,), (2, 2))))
            kind = draw(st.sampled_from(sorted(KINDS)))
            count = rows * math.prod(shape)
            given = draw(st.lists(KINDS[kind], min_size=count, max_size=count))
            columns[name] = Column(np.array(given, dtype=kind).reshape(rows, *shape), unit, per_atom)
    return built.with_columns(columns)


def assert_same(found: Structures, expected: Structures, decimals: int | None = None) -> None:
    """Equal in everything; positions exactly, or to half a unit of the last of so many decimals."""
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.references, expected.references)
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    # Half a unit of the last printed digit, and what the decimal number loses in binary.
    tolerance = 0 if decimals is None else 0.5 * 10.0**-decimals + 1e-12
    np.testing.assert_allclose(found.positions, expected.positions, rtol=0, atol=tolerance)
    assert set(found.columns) == set(expected.columns)
    for name, column in expected.columns.items():
        other = found.columns[name]
        assert (other.unit, other.per_atom) == (column.unit, column.per_atom), name
        assert other.values.dtype.kind == column.values.dtype.kind, name
        np.testing.assert_array_equal(other.values, column.values, err_msg=name, strict=column.values.dtype.kind != "S")


def random_structures(n_molecules: int, seed: int = 0, low: int = 1, high: int = 23) -> Structures:
    """Molecules of H, C, N and O at random places, a column per molecule and one per atom."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(low, high + 1, n_molecules)
    n_atoms = int(sizes.sum())
    labels = np.char.add(b"set/", np.arange(n_molecules).astype("S"))
    return Structures(
        numbers=generator.choice([1, 6, 7, 8], n_atoms).astype(np.uint8),
        positions=generator.normal(scale=2.0, size=(n_atoms, 3)),
        offsets=offsets_of(sizes),
        ids=labels,
        references=labels.copy(),
        columns={
            "energy": Column(generator.normal(size=n_molecules), "eV"),
            "forces": Column(generator.normal(size=(n_atoms, 3)), "eV/Å", per_atom=True),
        },
    )


def rotation(generator: np.random.Generator) -> np.ndarray:
    """A proper rotation [3, 3]."""
    q, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


WATER = ([8, 1, 1], [[0.0, 0.0, 0.119], [0.0, 0.763, -0.477], [0.0, -0.763, -0.477]])
METHANE = ([6, 1, 1, 1, 1], [[0, 0, 0], [0.63, 0.63, 0.63], [-0.63, -0.63, 0.63], [0.63, -0.63, -0.63], [-0.63, 0.63, -0.63]])
