import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from morered import resumable, storage
from morered.datasets import qm7
from morered.datasets.builder import Displacing, displace
from morered.structures import Column, Structures

MOLECULES = Structures.build(
    [[1, 1]] * 40, [[[0, 0, 0], [0, 0, 0.7 + 0.01 * k]] for k in range(40)], [f"h2/{k:02d}" for k in range(40)]
)


def doubled(molecule: Structures) -> Structures:
    """Two structures from one, with a column."""
    two = Structures.concatenate([molecule, molecule.with_positions(molecule.positions * 2)])
    return two.with_columns({"length": Column(np.array([1.0, 2.0]) * molecule.positions[1, 2], "Å")})


class Interrupted(BaseException):
    """As Ctrl-C: no exception that a build may take for a failure of a molecule."""


def test_results_stand_in_the_order_of_the_molecules_and_failures_do_not_stop_others() -> None:
    def some(molecule: Structures) -> Structures:
        if molecule.names[0] in ("h2/03", "h2/20"):
            raise ValueError("no such\n bond")
        return doubled(molecule)

    built = resumable.build(MOLECULES, some)
    assert built.failures == {"h2/03": "ValueError: no such bond", "h2/20": "ValueError: no such bond"}
    kept = [name for name in MOLECULES.names if name not in built.failures]
    assert built.structures.names == [name for name in kept for _ in range(2)]
    assert built.structures.column("length")[:2] == pytest.approx([0.7, 1.4])


def test_a_killed_build_continues(tmp_path: Path) -> None:
    calls: list[str] = []

    def killed(molecule: Structures) -> Structures:
        calls.append(molecule.names[0])
        if len(calls) == 25:
            raise Interrupted
        return doubled(molecule)

    build = partial(resumable.build, key={"a": 1}, version=1, folder=tmp_path / "pieces")
    with pytest.raises(Interrupted):
        build(MOLECULES, killed)
    finished = len(list((tmp_path / "pieces").iterdir())) * resumable.PIECE
    assert finished == 16
    progress: list[tuple[int, int | None]] = []
    built = build(MOLECULES, killed, progress=lambda done, total: progress.append((done, total)))
    assert calls[25:] == MOLECULES.names[finished:]
    assert progress[0] == (finished, 40)
    assert progress[-1] == (40, 40)
    assert built.structures.same_as(resumable.build(MOLECULES, doubled).structures)
    # complete: nothing is done again, and nothing of it is taken for other settings or other molecules
    calls.clear()
    assert build(MOLECULES, killed).structures.same_as(built.structures)
    assert not calls
    build(MOLECULES[:16], doubled, key={"a": 2})
    build(MOLECULES[:16], doubled, version=2)
    moved = MOLECULES.with_positions(MOLECULES.positions + 1e-9)
    build(moved[:5], killed)
    assert calls == MOLECULES.names[:5]
    resumable.discard(tmp_path / "pieces")
    assert not (tmp_path / "pieces").exists()


BUILD = """
import sys
import numpy as np
from morered.datasets import displaced
from morered.datasets.builder import Displacing
from morered.structures import Structures
water = Structures.build([[8, 1, 1]], [[[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]], ["water"])
displaced.displaced_structures(water, Displacing(per_minimum=2, calculator="gfn2"), folder=sys.argv[1])
"""


def test_finished_pieces_survive_an_edit_of_the_code_until_the_version_is_raised(tmp_path: Path) -> None:
    package, kept = tmp_path / "src/morered", tmp_path / "pieces"
    ignored = shutil.ignore_patterns("__pycache__", "weights", "viewer", "*.h5")
    shutil.copytree(Path(storage.__file__).parent, package, ignore=ignored)
    builder = package / "datasets/builder.py"

    def build() -> dict[str, int]:
        # byte code is told from a source of the same size by its second: two edits may be in one
        environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, "-c", BUILD, str(kept)], check=True, env=environment)
        return {file.name: file.stat().st_mtime_ns for file in kept.iterdir()}

    def edit(old: str, new: str) -> None:
        text = builder.read_text(encoding="utf-8")
        assert old in text
        builder.write_text(text.replace(old, new, 1), encoding="utf-8")

    finished = build()
    assert len(finished) == 1
    edit('"""Displaced structures of minima', '"""Structures displaced from minima')
    edit("Floats = NDArray[np.float64]", "Floats = NDArray[np.float64]\nUNUSED = 1")
    assert build() == finished
    edit("VERSION = 1", "VERSION = 2")
    again = build()
    assert finished.items() < again.items()
    assert len(again) == 2


def slow_at_seven(molecule: Structures) -> Structures:
    if molecule.names == ["h2/07"] and "SLOW" in os.environ:
        time.sleep(600)
    return molecule


def test_what_was_over_its_time_is_tried_again_where_more_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = partial(resumable.build, MOLECULES[:10], slow_at_seven, version=1, folder=tmp_path, workers=1, piece=5)
    monkeypatch.setenv("SLOW", "1")
    late = {"h2/07": "over the time limit of 4 s"}
    assert build(timeout=4).failures == late
    made = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    monkeypatch.delenv("SLOW")
    assert build(timeout=4).failures == build(timeout=3).failures == late
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == made
    assert len(build(timeout=60).structures) == 10
    assert sum(path.stat().st_mtime_ns != made[path.name] for path in tmp_path.iterdir()) == 1


def killed_at_seven(molecule: Structures) -> Structures:
    if molecule.names == ["h2/07"] and "KILLED" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return molecule


def test_what_was_killed_is_a_failure_and_is_tried_again_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = partial(resumable.build, MOLECULES[:10], killed_at_seven, version=1, folder=tmp_path, workers=1, piece=5)
    monkeypatch.setenv("KILLED", "1")
    (reason,) = build().failures.values()
    assert "memory" in reason
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.delenv("KILLED")
    assert len(build().structures) == 10
    assert len(list(tmp_path.iterdir())) == 2


def test_pieces_without_a_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="version"):
        resumable.build(MOLECULES, doubled, key=1, folder=tmp_path)


def test_a_damaged_piece_is_made_again(tmp_path: Path) -> None:
    built = resumable.build(MOLECULES, doubled, key=1, version=1, folder=tmp_path)
    first = sorted(tmp_path.iterdir())[0]
    first.write_bytes(first.read_bytes()[:100])
    assert resumable.build(MOLECULES, doubled, key=1, version=1, folder=tmp_path).structures.same_as(built.structures)


def test_a_build_of_failures_alone_is_empty(tmp_path: Path) -> None:
    def fails(molecule: Structures) -> Structures:
        raise ValueError("no")

    built = resumable.build(MOLECULES[:3], fails, key=1, version=1, folder=tmp_path)
    assert len(built.structures) == 0
    assert len(built.failures) == 3
    assert resumable.build(MOLECULES[:3], doubled, key=1, version=1, folder=tmp_path).failures == built.failures


def test_saved_loaded_and_gathered(tmp_path: Path) -> None:
    def some(molecule: Structures) -> Structures:
        if molecule.names[0] == "h2/07":
            raise ValueError("seven")
        return doubled(molecule)

    whole = resumable.build(MOLECULES, some)
    for k in range(3):
        resumable.save(tmp_path / f"{k}.h5", resumable.build(MOLECULES[resumable.chunk(40, k, 3)], some), {"chunk": k})
    joined = resumable.gather([tmp_path / f"{k}.h5" for k in range(3)], tmp_path / "all.h5")
    read = resumable.load(tmp_path / "all.h5")
    assert read.structures.same_as(whole.structures)
    assert read.failures == joined.failures == whole.failures == {"h2/07": "ValueError: seven"}
    assert len(storage.read_provenance(tmp_path / "all.h5")["parents"]) == 3
    storage.write(tmp_path / "plain.h5", MOLECULES)
    assert resumable.load(tmp_path / "plain.h5").failures == {}


def test_chunks_without_a_structure_are_an_error_with_reasons(tmp_path: Path) -> None:
    def none(molecule: Structures) -> Structures:
        raise ValueError("the program is not there")

    for k in range(2):
        resumable.save(tmp_path / f"{k}.h5", resumable.build(MOLECULES[resumable.chunk(40, k, 2)], none), {"chunk": k})
    with pytest.raises(
        ValueError, match=r"all\.h5: nothing .* all of 40 molecules failed; h2/00: ValueError: the program is not"
    ):
        resumable.gather([tmp_path / "0.h5", tmp_path / "1.h5"], tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()


@pytest.mark.parametrize(("count", "chunks"), [(40, 1), (40, 3), (3, 5), (0, 2), (1000, 7)])
def test_chunks_cover_everything_once(count: int, chunks: int) -> None:
    found = [k for index in range(chunks) for k in range(*resumable.chunk(count, index, chunks).indices(count))]
    assert found == list(range(count))
    sizes = [len(range(*resumable.chunk(count, index, chunks).indices(count))) for index in range(chunks)]
    assert max(sizes) - min(sizes) <= 1
    with pytest.raises(ValueError, match="no chunk"):
        resumable.chunk(count, chunks, chunks)


def test_workers_give_what_this_process_gives() -> None:
    """Also chunking: molecules built alone, in another order, in other processes are the same to the last bit."""
    minima = qm7.load().without_columns()[[0, 1, 2, 3]]
    function = partial(displace, settings=Displacing(per_minimum=3, calculator="gfn2"), seed=0)
    here = resumable.build(minima, function)
    there = resumable.build(minima, function, workers=2, timeout=100)
    assert there.structures.same_as(here.structures)
    alone = resumable.build(minima[[2]], function).structures
    assert np.array_equal(alone.positions, here.structures[here.structures.references == b"qm7/0003"].positions)
