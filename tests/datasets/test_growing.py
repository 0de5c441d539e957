"""Structures collected on disk come out as `storage.write` would have written them in one go."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from morered import storage
from morered.datasets.growing import ID_WIDTH, GrowingStructures
from morered.structures import Column, Structures


def example(rng: np.random.Generator, count: int, start: int = 0) -> Structures:
    sizes = rng.integers(1, 9, count)
    structures = Structures.build(
        [rng.integers(1, 10, n) for n in sizes],
        [rng.normal(size=(n, 3)) for n in sizes],
        [f"m{start + k}" for k in range(count)],
    )
    return structures.with_columns(
        {
            "energy": Column(rng.normal(size=count), "eV"),
            "minimum": Column(rng.random(count) < 0.5),
            "forces": Column(rng.normal(size=(structures.n_atoms, 3)), "eV/Å", True),
        }
    )


def test_pieces_give_the_same_file_as_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    pieces = [example(rng, count, start) for count, start in ((5, 0), (1, 5), (0, 6), (900, 6))]
    whole = Structures.concatenate(pieces)
    storage.write(tmp_path / "whole.h5", whole, {"note": "x"})
    with GrowingStructures(tmp_path / "spooled.h5") as growing:
        for piece in pieces:
            growing.append(piece)
        growing.write({"note": "x"})
        assert (growing.molecules, growing.atoms) == (len(whole), whole.n_atoms)
    assert (tmp_path / "spooled.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spooled.h5", "whole.h5"]


def test_single_precision_is_for_what_belongs_to_atoms(tmp_path):
    piece = example(np.random.default_rng(1), 20)
    with GrowingStructures(tmp_path / "a.h5", float32=True) as growing:
        growing.append(piece)
        growing.write()
    stored = storage.read(tmp_path / "a.h5")
    assert stored.positions.dtype == stored.column("forces").dtype == np.float32
    assert stored.column("energy").dtype == np.float64
    np.testing.assert_allclose(stored.positions, piece.positions, rtol=1e-7)  # half a unit in the last place of float32 is 6e-8
    assert isinstance(stored.positions, np.memmap)


def test_nothing_appended_gives_an_empty_file(tmp_path):
    with GrowingStructures(tmp_path / "a.h5") as growing:
        growing.write()
    assert len(storage.read(tmp_path / "a.h5")) == 0


def test_pieces_must_fit_together(tmp_path):
    rng = np.random.default_rng(2)
    with GrowingStructures(tmp_path / "a.h5") as growing:
        growing.append(example(rng, 3))
        with pytest.raises(ValueError, match="columns differ"):
            growing.append(example(rng, 3).without_columns())
        long = example(rng, 1)
        long.ids = np.array([b"x" * (ID_WIDTH + 1)])
        with pytest.raises(ValueError, match="an id of more than 64 bytes"):
            growing.append(long)
    assert list(tmp_path.iterdir()) == []


FILLING = """
import resource, sys
import numpy as np
from morered.datasets.integrity import DiskError
from morered.datasets.growing import GrowingStructures
from morered.structures import Column, Structures
limit, path = sys.argv[1:]
piece = Structures.build([[1] * 1000], [np.zeros((1000, 3))], ["m"])
try:
    with GrowingStructures(path) as growing:
        for _ in range(40):
            growing.append(piece)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        for _ in range(5):
            growing.append(piece)
        growing.write()
except DiskError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("limit", [1_000_000, 1_090_000], ids=["while appending", "while writing"])
def test_a_disk_that_fills_up_is_named_and_leaves_nothing(tmp_path, limit):
    path = tmp_path / "a.h5"
    done = subprocess.run([sys.executable, "-c", FILLING, str(limit), str(path)], check=False, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert str(path) in done.stdout
    assert list(tmp_path.iterdir()) == []
