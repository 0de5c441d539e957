"""HDF5 files: exact round trips, mapped without loading, complete or absent, refused in plain words."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from morered import files, storage
from morered.code_digest import code_of
from morered.structures import Column, Structures
from structures_support import names, random_structures, structures


@settings(deadline=None, max_examples=60)
@given(structures(min_molecules=0, column_names=names("abc/%. é2F"), per_atom_shapes=((), (3,), (1,), (3, 3), (0,))))
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, s: Structures) -> None:
    path = tmp_path_factory.getbasetemp() / "round.h5"
    storage.write(path, s)
    for mmap in (True, False):
        assert storage.read(path, mmap=mmap).same_as(s)


@pytest.mark.parametrize("kind", ["f4", "f8", "i1", "i8", "u1", "u4", "bool", "S5", "c16"])
def test_every_type_of_column_comes_back(tmp_path: Path, kind: str) -> None:
    s = random_structures(5)
    values = np.arange(10).reshape(5, 2).astype(kind)
    storage.write(tmp_path / "x.h5", s.with_columns({"x": Column(values, "eV")}))
    found = storage.read(tmp_path / "x.h5").columns["x"]
    assert found.values.dtype == values.dtype
    np.testing.assert_array_equal(found.values, values)
    assert (found.unit, found.per_atom) == ("eV", False)


def test_text_columns_come_back_as_utf8_and_objects_are_refused(tmp_path: Path) -> None:
    s = random_structures(2)
    storage.write(tmp_path / "x.h5", s.with_columns({"note": Column(np.array(["Å", "b"]))}))
    assert storage.read(tmp_path / "x.h5").column("note").tolist() == ["Å".encode(), b"b"]
    with pytest.raises(TypeError, match="'note' holds Python objects"):
        storage.write(tmp_path / "y.h5", s.with_columns({"note": Column(np.array([{}, None], dtype=object))}))
    assert not (tmp_path / "y.h5").exists()


def test_arrays_are_mapped_and_aligned(tmp_path: Path) -> None:
    storage.write(tmp_path / "x.h5", random_structures(100))
    s = storage.read(tmp_path / "x.h5")
    for array in (s.numbers, s.positions, s.offsets, s.ids, s.references, *(c.values for c in s.columns.values())):
        assert isinstance(array, np.memmap)
        assert array.flags.aligned
        assert not array.flags.writeable
    assert isinstance(s[10:20].positions, np.memmap)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["positions"].id.get_offset() % storage.ALIGNMENT == 0
        assert file["positions"].attrs["unit"] == "Å"
        assert file["columns/forces"].attrs["unit"] == "eV/Å"


def test_compressed_files_of_other_programs_are_read(tmp_path: Path) -> None:
    s = random_structures(20)
    storage.write(tmp_path / "x.h5", s)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        del file["positions"]
        file.create_dataset("positions", data=s.positions, compression="gzip")
    assert storage.read(tmp_path / "x.h5").same_as(s)


def test_single_precision_halves_the_positions_only(tmp_path: Path) -> None:
    s = random_structures(20)
    storage.write(tmp_path / "x.h5", s, float32=True)
    found = storage.read(tmp_path / "x.h5")
    assert found.positions.dtype == np.float32
    assert found.column("forces").dtype == np.float64
    np.testing.assert_allclose(found.positions, s.positions, rtol=2**-24)  # half a unit of a 24-bit significand


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        storage.write(tmp_path / name, random_structures(50), storage.provenance(Structures.concatenate, config={"seed": 1}))
    assert files.sha256(tmp_path / "a.h5") == files.sha256(tmp_path / "b.h5")


def test_a_file_may_be_replaced_while_it_is_mapped(tmp_path: Path) -> None:
    old, new = random_structures(30, seed=1), random_structures(30, seed=2)
    storage.write(tmp_path / "x.h5", old)
    mapped = storage.read(tmp_path / "x.h5")
    storage.write(tmp_path / "x.h5", new)
    assert mapped.same_as(old)
    assert storage.read(tmp_path / "x.h5").same_as(new)
    assert os.listdir(tmp_path) == ["x.h5"]


def test_provenance_names_config_code_software_and_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/parent.h5").write_bytes(b"parent")
    record = storage.provenance(
        Structures.concatenate, config={"b": 1, "a": [2]}, parents=[tmp_path / "results" / "parent.h5"], stage="relax"
    )
    storage.write("child.h5", random_structures(1), record)
    found = storage.read_provenance("child.h5")
    assert found == record
    assert found["config"] == storage.config_digest({"a": [2], "b": 1}) != storage.config_digest({"a": [3], "b": 1})
    assert found["parents"] == [{"file": "results/parent.h5", "sha256": files.sha256("results/parent.h5")}]
    assert found["code"] == code_of("morered.structures")
    assert found["software"]["numpy"] == np.__version__
    assert found["stage"] == "relax"


def test_a_parent_elsewhere_is_named_without_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "weights").write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "here")
    assert storage.provenance(Structures.concatenate, parents=["../weights"])["parents"][0]["file"] == "weights"


def test_a_result_must_name_what_made_it() -> None:
    with pytest.raises(ValueError, match="name the functions"):
        storage.provenance(config={"a": 1})


def test_provenance_may_be_long(tmp_path: Path) -> None:
    record = {"notes": ["x" * 1000] * 200}  # more than HDF5's old limit of 64 kB an attribute
    storage.write(tmp_path / "x.h5", random_structures(1), record)
    assert storage.read_provenance(tmp_path / "x.h5") == record


def written(path: Path) -> Path:
    storage.write(path, random_structures(2000))
    return path


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.h5: there is no such file"):
        storage.read(tmp_path / "none.h5")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off(tmp_path: Path, kept: float) -> None:
    path = written(tmp_path / "x.h5")
    os.truncate(path, int(path.stat().st_size * kept))
    with pytest.raises(storage.StorageError, match=r"x\.h5: the file is cut off"):
        storage.read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"3\nwater\n" * 99, "not an HDF5 file"), (b"\x89HDF\r\n\x1a\n", "x.h5:")],
)
def test_a_file_that_is_not_hdf5(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(storage.StorageError, match=message):
        storage.read(tmp_path / "x.h5")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(storage.StorageError, match="is a folder"):
        storage.read(tmp_path)


def test_missing_datasets_are_all_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        del file["ids"], file["offsets"]
    with pytest.raises(storage.StorageError, match="no dataset offsets, ids"):
        storage.read(path)


def test_arrays_that_do_not_fit(tmp_path: Path) -> None:
    path = written(tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        file["offsets"][-1] = 7
    with pytest.raises(storage.StorageError, match="do not fit together: offsets"):
        storage.read(path)


def test_a_newer_version_and_another_kind(tmp_path: Path) -> None:
    path = written(tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = storage.VERSION + 1
    with pytest.raises(storage.StorageError, match="written in version 2"):
        storage.read(path)
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "morered trajectories"
    with pytest.raises(storage.StorageError, match="holds morered trajectories"):
        storage.read(path)


def replaced(path: Path, name: str, make: Callable[[h5py.File], object]) -> Path:
    """A sound file, one dataset of which is replaced."""
    storage.write(path, random_structures(2000).with_columns({"x": Column(np.zeros(2000))}))
    with h5py.File(path, "r+") as file:
        del file[name]
        make(file)
    return path


def refused(path: Path) -> str:
    with pytest.raises(storage.StorageError) as caught:
        storage.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be read: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("mmap", [True, False])
def test_texts_of_any_length_are_no_mapped_pointers(tmp_path: Path, mmap: bool) -> None:
    names = [f"m{k}" for k in range(2000)]
    path = replaced(tmp_path / "x.h5", "ids", lambda file: file.create_dataset("ids", data=names))  # h5py's default for text
    with pytest.raises(storage.StorageError, match=r"ids holds texts or lists of any length; .* write texts as"):
        storage.read(path, mmap=mmap)


def test_only_numbers_and_bytes_are_mapped(tmp_path: Path) -> None:
    def put(dtype: object) -> Path:
        return replaced(tmp_path / "x.h5", "columns/x", lambda file: file.create_dataset("columns/x", (2000,), dtype))

    assert "any length" in refused(put(h5py.vlen_dtype(np.int8)))
    assert "references" in refused(put(h5py.ref_dtype))
    assert "records" in refused(put(np.dtype([("a", "i4"), ("b", "f8")])))
    assert "values of type |V8" in refused(put(np.dtype("V8")))


def test_nothing_but_the_file_itself_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(48_000))
    other = written(tmp_path / "other.h5")
    n = storage.read(other).n_atoms

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((n, 3), np.float64)
        layout[:] = h5py.VirtualSource(str(other), "positions", (n, 3))
        file.create_virtual_dataset("positions", layout)

    def external_link(file: h5py.File) -> None:
        file["positions"] = h5py.ExternalLink(str(other), "positions")

    def external_columns(file: h5py.File) -> None:
        file["columns"] = h5py.ExternalLink(str(other), "columns")

    def soft_link(file: h5py.File) -> None:
        file["references"] = h5py.SoftLink("/ids")

    path = tmp_path / "x.h5"
    stored = {"shape": (n, 3), "dtype": "f8", "external": [(str(secret), 0, h5py.h5f.UNLIMITED)]}
    assert "another file" in refused(replaced(path, "positions", lambda file: file.create_dataset("positions", **stored)))
    assert "another file" in refused(replaced(path, "positions", virtual))
    assert "positions is a link" in refused(replaced(path, "positions", external_link))
    assert "columns is a link" in refused(replaced(path, "columns", external_columns))
    assert "references is a link" in refused(replaced(path, "references", soft_link))


def test_a_dataset_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    def bomb(file: h5py.File) -> None:
        file.create_dataset("numbers", (1 << 40,), "u1", chunks=(1 << 20,), compression="gzip")

    assert "numbers would take 1.1e+03 GB" in refused(replaced(tmp_path / "x.h5", "numbers", bomb))


def test_members_that_are_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    assert "numbers is no array" in refused(replaced(path, "numbers", lambda file: file.create_group("numbers")))
    assert "numbers is no array" in refused(replaced(path, "numbers", lambda file: file.create_dataset("numbers", data=3)))
    assert refused(replaced(path, "columns", lambda file: file.create_dataset("columns", data=[1])))
    written(path)
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = "two"
    assert refused(path)
    written(path)
    with h5py.File(path, "r+") as file:
        file.attrs["provenance.config"] = "{" * 5000
    with pytest.raises(storage.StorageError, match="its provenance cannot be read"):
        storage.read_provenance(path)
