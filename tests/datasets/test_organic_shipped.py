"""The organic minima that come with the package: what is packed is read again, and a chunk made anew equals what ships."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from rdkit import Chem

from morered.datasets.organic import choice, compact, minima, packages, shipped
from morered.datasets.organic.choice import Entry
from morered.datasets.organic.identity import skeleton
from morered.metrics.rmsd import rmsd
from morered.parallel import map_processes
from morered.resumable import Built
from morered.structures import Column, Structures

SMILES = ["CCO", "CC(=O)[O-]", "C=C", "CSC", "c1ccccc1", "FC(F)F"]
OF = 3
#: From this chunk on L-BFGS took new Hessians on the way: the same minima in fewer calls.
RENEWED = 91


@pytest.fixture
def entries() -> list[Entry]:
    return [
        Entry(f"list/{k}", text, skeleton(Chem.MolFromSmiles(text)), "ion" if "-" in text else "listed", 1)
        for k, text in enumerate(SMILES)
    ]


@pytest.fixture
def chunks(entries: list[Entry]) -> list[tuple[int, Built]]:
    rng = np.random.default_rng(0)
    made = []
    for index in range(OF):
        own = minima.chunk_of(entries, index, OF)
        names = [f"{entry.name}/0" for entry in own]
        s = Structures.build([[6, 8]] * len(own), rng.normal(size=(len(own), 2, 3)), names)
        s = s.with_electrons([Chem.GetFormalCharge(Chem.MolFromSmiles(entry.smiles)) for entry in own])
        columns = {
            name: Column(np.array([getattr(entry, name).encode() for entry in own]))
            for name in ("smiles", "kind", "part", "skeleton")
        }
        columns["energy"] = Column(rng.normal(-4e3, 1e3, len(own)), "eV")
        made.append((index, Built(s.with_columns(columns), {f"{own[0].name}/1": "the same minimum as another conformer"})))
    return made


def test_what_is_read_is_what_was_packed(entries: list[Entry], chunks: list[tuple[int, Built]], tmp_path: Path) -> None:
    path = tmp_path / "o.zip"
    shipped.write(path, entries, chunks[:2], OF)
    assert shipped.indices(path) == [0, 1]
    assert shipped.entries(path) == entries
    assert shipped.about(path)["chunks"] == OF
    assert [index for index, _ in shipped.chunks(path)] == [0, 1]
    for index, built in chunks[:2]:
        read = shipped.load(index, path)
        assert read.failures == built.failures
        assert read.structures.names == built.structures.names
        np.testing.assert_allclose(read.structures.positions, built.structures.positions, rtol=0, atol=compact.GRID * 0.501)
        assert set(read.structures.columns) == set(built.structures.columns)
        for name in ("smiles", "kind", "part", "skeleton", "charge"):
            np.testing.assert_array_equal(read.structures.column(name), built.structures.column(name))
    with pytest.raises(ValueError, match=r"o\.zip has no chunk 2"):
        shipped.load(2, path)


def test_a_file_with_more_chunks_begins_like_one_with_fewer(
    entries: list[Entry], chunks: list[tuple[int, Built]], tmp_path: Path
) -> None:
    for count in (2, 3):
        shipped.write(tmp_path / f"{count}.zip", entries, chunks[:count], OF)
    fewer, more = ((tmp_path / f"{count}.zip").read_bytes() for count in (2, 3))
    with zipfile.ZipFile(tmp_path / "3.zip") as archive:
        third = archive.getinfo("002.zip").header_offset
    assert 500 < third < len(fewer)
    assert fewer[:third] == more[:third]


def test_what_is_no_such_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    compact.write(tmp_path / "other.zip", Built(Structures.build([], [], [])))
    for name in ("text.zip", "other.zip"):
        with pytest.raises(ValueError, match=f"{name} holds no organic minima"):
            shipped.indices(tmp_path / name)


def test_the_file_that_ships_is_small_says_where_it_comes_from_and_holds_out_what_is_tested_on() -> None:
    assert shipped.file().stat().st_size < 10e6
    about = shipped.about()
    assert about["packages"] == {f"{package.name} {package.version}": package.sha256 for package in packages.PACKAGES}
    assert about["version"] == minima.VERSION
    with zipfile.ZipFile(shipped.file()) as archive:
        notice = archive.read("NOTICE.txt").decode()
    assert notice == packages.notice()
    assert "CC BY-SA" in notice
    entries = shipped.entries()
    held_out = {test.skeleton for test in choice.frozen_tests()} | choice.held_out_skeletons()
    assert not held_out & {entry.skeleton for entry in entries}
    found = shipped.load(shipped.indices()[-1])
    names = {entry.name for entry in minima.chunk_of(entries, shipped.indices()[-1], about["chunks"])}
    made = {name.rpartition("/")[0] for name in found.structures.names}
    assert made <= names
    assert names - made <= {name.rpartition("/")[0] for name in found.failures} | set(found.failures)
    assert found.structures.column("fmax").max() <= minima.Settings().fmax


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, -1])
def test_a_chunk_made_anew_equals_the_one_that_ships(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sixth entry of the first and the last chunk: what becomes of an entry does not hang on the others."""
    chunk = shipped.indices()[place]
    ships = shipped.load(chunk)
    some = minima.chunk_of(shipped.entries(), chunk, shipped.about()["chunks"])[::6]
    assert len({entry.kind for entry in some}) >= 4
    # PyTorch's vector instructions decide along soft modes where a search stops; the plain ones are the same on every processor.
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    [(_, built)] = map_processes(minima.build, [some], workers=1)
    names = {entry.name for entry in some}
    expected = {name: reason for name, reason in ships.failures.items() if name in names or name.rpartition("/")[0] in names}
    own = [m for m, name in enumerate(ships.structures.names) if name.rpartition("/")[0] in names]
    ours, theirs = built.structures, ships.structures[own]
    assert ours.names == theirs.names
    assert {name: reason.split(":")[0] for name, reason in built.failures.items()} == {
        name: reason.split(":")[0] for name, reason in expected.items()
    }
    for name in ("smiles", "kind", "part", "skeleton", "charge"):
        np.testing.assert_array_equal(ours.column(name), theirs.column(name))
    # Rounding moves a minimum along its softest modes, within the largest force that is let stand.
    far = rmsd(ours.without_columns(), theirs.without_columns())
    assert np.median(far) < 1e-3
    assert far.max() < 0.05
    np.testing.assert_allclose(ours.column("energy"), theirs.column("energy"), rtol=0, atol=1e-3)
    if chunk >= RENEWED:
        assert Counter(np.abs(ours.column("calls") - theirs.column("calls")) < 5)[True] > 0.8 * len(own)
    else:
        assert ours.column("calls").sum() < theirs.column("calls").sum()


def test_the_document_counts_what_ships(repository: Path) -> None:
    text = (repository / "docs/organic.md").read_text(encoding="utf-8").replace("\n", " ")
    told = re.search(
        r"the first (\d+) of the 200 chunks: ([\d ]+) minima of ([\d ]+) molecules, of which ([\d ]+) are charged", text
    )
    assert told is not None
    parts = [built for _, built in shipped.chunks()]
    minima_of_all = Built.concatenate(parts)
    names = [name.rpartition("/")[0] for name in minima_of_all.structures.names]
    charged = {name for name, charge in zip(names, minima_of_all.structures.charges, strict=True) if charge}
    found = [len(parts), len(names), len(set(names)), len(charged)]
    assert [int(number.replace(" ", "")) for number in told.groups()] == found
    starts = re.search(r"in [\d ]+ molecules\. ([\d ]+) starts gave", text)
    assert starts is not None
    assert int(starts[1].replace(" ", "")) == len(minima_of_all.failures)
    config = yaml.safe_load((repository / "config/organic.yaml").read_text(encoding="utf-8"))
    assert {dataset["chunks_used"] for dataset in config["datasets"].values()} == {len(parts)}
