"""Structures in one compact file: what is lost is below the grid, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from morered.datasets.organic import compact
from morered.resumable import Built
from morered.structures import Column, Structures, as_names
from structures_support import random_structures


@pytest.fixture
def built() -> Built:
    s = random_structures(60, low=1).without_columns()
    texts = [f"C{'C' * (m % 7)} é" for m in range(len(s))]
    rng = np.random.default_rng(0)
    columns = {
        "smiles": Column(as_names(texts)),
        "energy": Column(rng.normal(-2e5, 1e5, len(s)), "eV"),
        "fmax": Column(rng.random(len(s)), "eV/Å"),
        "calls": Column(rng.integers(1, 500, len(s)).astype(np.int32)),
    }
    charged = s.with_electrons(rng.integers(-2, 3, len(s)), rng.integers(0, 2, len(s)))
    return Built(charged.with_columns(columns), {"a/0": "bonds differ", "b/1": "ü"})


def test_what_is_read_is_what_was_written_to_the_grid(built: Built, tmp_path: Path) -> None:
    compact.write(tmp_path / "o.zip", built, {"made by": "a test"})
    read, s = compact.read(tmp_path / "o.zip"), built.structures
    assert read.failures == built.failures
    assert read.structures.names == s.names
    np.testing.assert_array_equal(read.structures.numbers, s.numbers)
    np.testing.assert_array_equal(read.structures.offsets, s.offsets)
    np.testing.assert_allclose(read.structures.positions, s.positions, rtol=0, atol=compact.GRID / 2 * (1 + 1e-6))
    np.testing.assert_array_equal(read.structures.charges, s.charges)
    np.testing.assert_array_equal(read.structures.unpaired, s.unpaired)
    np.testing.assert_array_equal(read.structures.column("smiles"), s.column("smiles"))
    np.testing.assert_allclose(read.structures.column("energy"), s.column("energy"), rtol=0, atol=compact.ENERGY_GRID * 0.51)
    np.testing.assert_allclose(read.structures.column("fmax"), s.column("fmax"), rtol=1e-7)
    np.testing.assert_array_equal(read.structures.column("calls"), s.column("calls"))
    assert read.structures.columns["energy"].unit == "eV"


def test_equal_structures_give_equal_bytes(built: Built, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        compact.write(tmp_path / name, built)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_empty_file_has_no_molecules(tmp_path: Path) -> None:
    compact.write(tmp_path / "o.zip", Built(Structures.build([], [], []), {"x": "no conformer"}))
    read = compact.read(tmp_path / "o.zip")
    assert len(read.structures) == 0
    assert read.failures == {"x": "no conformer"}


def test_what_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    far = Structures.build([[6, 6]], [[[0, 0, 0], [40, 0, 0]]], ["far"])
    with pytest.raises(ValueError, match=r"far: an atom is further than 33 Å"):
        compact.write(tmp_path / "o.zip", Built(far))
    forces = far.with_positions(far.positions / 40).with_columns({"forces": Column(np.zeros((2, 3)), "eV/Å", per_atom=True)})
    with pytest.raises(ValueError, match="forces is a column of atoms"):
        compact.write(tmp_path / "o.zip", Built(forces))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_something_else_is_refused(built: Built, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("x.npy", b"")
    compact.write(tmp_path / "cut.zip", built)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "cut.zip").read_bytes()[:-100])
    for name in ("text.zip", "other.zip", "cut.zip"):
        with pytest.raises(ValueError, match=f"{name} is no file of compact structures"):
            compact.read(tmp_path / name)
