"""The inputs and minima of test molecules that come with the package: what is packed is read again, and equals what is made."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from morered.datasets.organic import choice, compact, minima, packages, shipped, shipped_tests, tested
from morered.metrics.rmsd import rmsd
from morered.parallel import map_processes
from morered.resumable import Built
from morered.structures import Column, Structures

#: Molecules of each set.
FROZEN = {"drugs": 1848, "scaffolds": 500, "qm9": 300}


def test_what_is_read_is_what_was_packed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = {}
    for k, name in enumerate(shipped_tests.PARTS):
        made = Structures.build([[6, 8, 1]] * 2, rng.normal(size=(2, 3, 3)), [f"a/{k}", f"b/{k}"])
        parts[name] = Built(made.with_columns({"energy": Column(rng.normal(-4e3, 1e3, 2), "eV")}), {f"c/{k}": "no conformer"})
    for copy in ("one.zip", "other.zip"):
        shipped_tests.write(tmp_path / copy, parts)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
    for name, built in parts.items():
        read = shipped_tests.load(name, tmp_path / "one.zip")
        assert read.failures == built.failures
        assert read.structures.names == built.structures.names
        np.testing.assert_allclose(read.structures.positions, built.structures.positions, rtol=0, atol=compact.GRID * 0.501)
        np.testing.assert_allclose(read.structures.column("energy"), built.structures.column("energy"), rtol=0, atol=6e-6)
    with pytest.raises(ValueError, match=r"'train\.inputs' is none of tests\.inputs"):
        shipped_tests.load("train.inputs", tmp_path / "one.zip")
    with pytest.raises(ValueError, match=r"organic\.zip holds no organic tests: its format is 'morered organic minima"):
        shipped_tests.about(shipped.file())


def test_the_file_that_ships_has_the_frozen_molecules_and_says_where_they_come_from() -> None:
    assert shipped_tests.file().stat().st_size < 5e6
    about = shipped_tests.about()
    assert about["molecules"] == choice.TESTS_SHA256
    assert about["version"] == tested.VERSION
    assert about["reference"] == shipped.about()["reference"]
    with zipfile.ZipFile(shipped_tests.file()) as archive:
        assert archive.read("NOTICE.txt").decode() == packages.notice()
    inputs, found = shipped_tests.load("tests.inputs"), shipped_tests.load("tests.minima")
    tests = choice.frozen_tests()
    molecules = {name.rpartition("/")[0] for name in inputs.structures.names}
    assert molecules | set(inputs.failures) >= {entry.name for entry in tests}
    counts = Counter(entry.kind for entry in tests if entry.name in molecules)
    assert all(counts[kind] > 0.97 * number for kind, number in FROZEN.items())
    # each input has its minimum or a reason
    assert set(found.structures.names) | set(found.failures) == set(inputs.structures.names)
    assert set(found.structures.names).isdisjoint(found.failures)
    own = inputs.structures[inputs.structures.index_of(found.structures.ids)]
    np.testing.assert_array_equal(own.numbers, found.structures.numbers)
    np.testing.assert_array_equal(own.charges, found.structures.charges)
    assert len(found.structures) > 0.97 * len(inputs.structures)


def test_validation_molecules_are_entries_that_are_not_trained_on() -> None:
    parts = {entry.name: entry.part for entry in shipped.entries()}
    for name in shipped_tests.load("validation.inputs").structures.names:
        assert parts[name.rpartition("/")[0]] == "validation"


@pytest.mark.slow
def test_what_is_made_anew_equals_what_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    ships = {part: shipped_tests.load(f"tests.{part}") for part in ("inputs", "minima")}
    some = minima.chunk_of(choice.frozen_tests(), 0, 60)[::5]
    # PyTorch's vector instructions decide along soft modes where a search stops; the plain ones are the same on every processor.
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    [(_, made)] = map_processes(tested.build, [some], workers=1)
    own = ships["inputs"].structures[ships["inputs"].structures.index_of(made.inputs.structures.ids)]
    # RDKit's last digits differ between processors
    assert np.median(rmsd(made.inputs.structures.without_columns(), own.without_columns())) < 1e-3
    found = made.minima.structures
    theirs = ships["minima"].structures[ships["minima"].structures.index_of(found.ids)]
    np.testing.assert_allclose(found.column("energy"), theirs.column("energy"), rtol=0, atol=2e-3)
    assert np.median(rmsd(found.without_columns(), theirs.without_columns())) < 1e-3


def test_the_document_counts_what_ships(repository: Path) -> None:
    text = (repository / "docs/organic.md").read_text(encoding="utf-8").replace("\n", " ")
    inputs, found = shipped_tests.load("tests.inputs"), shipped_tests.load("tests.minima").structures
    told = re.search(
        r"([\d ]+) inputs can be made .* and ([\d ]+) fall into a minimum of their molecule\. Of the other (\d+)", text
    )
    assert told is not None
    counts = [int(number.replace(" ", "")) for number in told.groups()]
    assert counts == [len(inputs.structures), len(found), len(shipped_tests.load("tests.minima").failures)]
    kinds = {name: kind.decode() for name, kind in zip(inputs.structures.names, inputs.structures.column("kind"), strict=True)}
    rows = re.findall(r"\| (drugs|scaffolds|QM9), (ETKDGv3|MMFF94) \| ([\d ]+) of ([\d ]+) \| (\d+) \|", text)
    assert len(rows) == 6
    for kind, start, reached, made, gradients in rows:
        ending = {"ETKDGv3": "/etkdg", "MMFF94": "/mmff94"}[start]

        def own(names: list[str], kind: str = kind.lower(), ending: str = ending) -> list[int]:
            return [m for m, name in enumerate(names) if kinds[name] == kind and name.endswith(ending)]

        assert int(made.replace(" ", "")) == len(own(inputs.structures.names))
        assert int(reached.replace(" ", "")) == len(own(found.names))
        assert int(gradients) == np.median(found.column("calls")[own(found.names)])
