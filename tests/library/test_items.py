"""Molecules of files one after another: all of them, under the names and with the faults that reading the whole file gives."""

import gzip
import tracemalloc

import numpy as np
import pytest

from morered import formats
from morered.datasets import qm7
from morered.items import counted, items
from morered.unique_names import UniqueNames


@pytest.fixture(scope="module")
def minima():
    return qm7.load().without_columns()[:60]


def same(streamed, whole):
    """Records of a stream are those of the whole file."""
    streamed = [item.record() for item in streamed]
    assert [record.name for record in streamed] == [record.name for record in whole]
    for one, other in zip(streamed, whole, strict=True):
        assert one.problem == other.problem
        assert one.index == other.index
        for name in ("numbers", "positions"):
            a, b = getattr(one, name), getattr(other, name)
            assert (a is None) == (b is None)
            assert a is None or np.array_equal(a, b)
        assert (one.info, one.charge) == (other.info, other.charge)


@pytest.mark.parametrize("ending", ["sdf", "sdf.gz", "xyz", "extxyz.gz", "xyz.bz2"])
def test_a_stream_has_what_the_file_has(minima, tmp_path, ending):
    path = str(tmp_path / f"in.{ending}")
    formats.write(path, minima)
    same(items([path]), formats.read(path).records)
    assert counted([path]) == len(minima)


def test_broken_frames_are_the_same_in_a_stream_wherever_its_window_ends(minima, tmp_path, monkeypatch):
    formats.write(tmp_path / "in.xyz", minima)
    lines = (tmp_path / "in.xyz").read_text().split("\n")
    rng = np.random.default_rng(0)
    for _ in range(40):  # lines lost, doubled, turned into prose, counts changed
        k = int(rng.integers(len(lines)))
        lines[k : k + 1] = [[], [lines[k], lines[k]], ["some prose"], ["12"], ["", ""], ["7", "8"]][int(rng.integers(6))]
    path = tmp_path / "broken.xyz"
    path.write_text("\n".join(lines) + "\n\n\n")
    whole = formats.read(path)
    assert any(record.problem for record in whole.records)
    for window in (1, 2, 3, 17, 64):
        monkeypatch.setattr("morered.formats.xyz._LINES", window)
        remarks: list[str] = []
        streamed = formats.Reading("", [item.record() for item in items([str(path)], remarks=remarks)])
        same([_Kept(record) for record in streamed.records], whole.records)
        assert remarks == whole.remarks


class _Kept:
    def __init__(self, record):
        self._record = record

    def record(self):
        return self._record


def test_an_sdf_keeps_names_that_stand_in_its_fields_or_come_twice(tmp_path, minima):
    long = minima[:3]
    names = np.array([b"x" * 90, b"water", b"water"])
    long.ids = long.references = names
    path = str(tmp_path / "in.sdf")
    formats.write(path, long)
    text = (tmp_path / "in.sdf").read_text()
    (tmp_path / "in.sdf").write_text(text + "\n\nnameless\ncut off")
    whole = formats.read(path).records
    assert [record.name for record in whole][:3] == ["x" * 90, "water", "water#2"]
    streamed = list(items([path]))
    assert [item.name for item in streamed] == [record.name for record in whole]
    assert [item.record().problem for item in streamed] == [record.problem for record in whole]


def test_a_list_of_smiles(library):
    found = list(items([str(library)]))
    assert [item.name for item in found[:5]] == ["mol 0", "mol 1", "mol 2", "lib/4", "broken"]
    assert found[30].name == "mol 0#2"
    assert len({item.name for item in found}) == len(found) == 40 == counted([str(library)])
    record = found[0].record()
    assert (record.info["smiles"], record.problem) == ("CCO", None)
    assert found[4].record().problem == f"{library}, molecule 5 (broken): 'C1CC' is no SMILES"


@pytest.mark.parametrize("ending", ["smi.gz", "sdf.gz", "xyz.gz"])
def test_a_file_that_is_cut_off_says_so_after_what_it_has(tmp_path, minima, ending):
    path = tmp_path / f"in.{ending}"
    many = gzip.compress(b"".join(b"CCO %d\n" % k for k in range(20000)))
    if not ending.startswith("smi"):
        formats.write(path, minima)
        many = path.read_bytes()
    path.write_bytes(many[: len(many) // 2])
    *whole, last = list(items([str(path)]))
    assert "the compressed file is cut off" in last.record().problem
    assert all(item.record().problem is None for item in whole)
    if not ending.startswith("smi"):
        assert len(whole) == len(formats.read(path).good) > len(minima) / 3


def test_what_is_no_file_or_holds_nothing_is_one_broken_molecule(tmp_path):
    (tmp_path / "empty.smi").write_text("# nothing\n")
    (tmp_path / "bomb.smi").write_text("C" * 5_000_000)
    for name, reason in (("no.smi", "no such file"), ("empty.smi", "no molecule"), ("bomb.smi", "a line of more than")):
        (only,) = items([str(tmp_path / name)])
        assert reason in only.record().problem


def test_names_are_unique_as_those_of_a_reading():
    given = ["a", "b", "a", "a#2", "a", "b", "a#2"] * 3
    names = UniqueNames()
    assert [names.unique(name) for name in given] == [
        record.name for record in formats.Reading("", [formats.Record(name, k, "") for k, name in enumerate(given)]).records
    ]


def test_a_stream_holds_few_molecules_however_long_the_file(tmp_path, minima):
    peaks = []
    for repeats in (20, 200):
        for ending in ("sdf", "xyz"):
            path = tmp_path / f"in{repeats}.{ending}"
            formats.write(path, minima[:20])
            path.write_text(path.read_text() * repeats)
            for _ in items([str(path)]):  # caches and imports
                break
            tracemalloc.start()
            count = sum(1 for _ in items([str(path)]))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert count == 20 * repeats
    # Ten times the molecules take a digest for each of the last names.
    assert peaks[2] < peaks[0] + 2**20
    assert peaks[3] < peaks[1] + 2**20
    assert max(peaks) < (tmp_path / "in200.sdf").stat().st_size / 2
