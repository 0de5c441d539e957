from morered import storage
from morered.stale import stale
from morered.structures import Structures

WATER = Structures.build([[8, 1, 1]], [[[0, 0, 0], [0, 0, 1], [0, 1, 0]]], ["water"])


def test_results_of_other_code_and_broken_ones_are_listed(tmp_path):
    storage.write(tmp_path / "fresh.h5", WATER, storage.provenance())
    storage.write(tmp_path / "old.h5", WATER, {**storage.provenance(), "code": "0" * 64})
    storage.write(tmp_path / "unknown.h5", WATER)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/broken.h5").write_bytes(b"no HDF5")
    listed = {path.name: why for path, why in stale(tmp_path)}
    assert set(listed) == {"old.h5", "unknown.h5", "broken.h5"}
    assert "000000000000" in listed["old.h5"]
    assert "does not say" in listed["unknown.h5"]
