"""A library is relaxed whole and in order, in any number of processes, and whatever stops the run."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import pytest
from rdkit import Chem

from morered import formats
from morered.library import journal, run
from morered.library.batch import Relaxing
from morered.library.journal import JournalProblem
from morered.library.outputs import GrowingFile, OutputProblem
from morered.library.run import LibraryOptions, relax_library
from morered.relaxation.methods import preset

#: Makes batches of the command small, and has it save after each: kills then meet it in the middle.
SMALL = "from morered.library import run; run.BATCH.update(network=8); run._SECONDS_BETWEEN_SAVES = 0.0; "
PATIENCE = 600.0  # on a machine that others use as well


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setitem(run.BATCH, "network", 8)
    monkeypatch.setattr(run, "_SECONDS_BETWEEN_SAVES", 0.0)


@pytest.fixture(scope="module")
def stages(repository):
    """A tiny stored model: its results are no good, but they are results."""
    return [preset("jt", str(repository / "tests/data/model-v1-morered-jt.safetensors"), steps=3)]


def relax(library, folder, stages, output="out.sdf", **options):
    return relax_library(
        [str(library)], str(folder / output), stages, table=str(folder / "t.csv"), options=LibraryOptions(**options)
    )


def made(folder, output="out.sdf"):
    return (folder / output).read_bytes(), (folder / "t.csv").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, library, stages):
    """What one process makes of the library, left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(run.BATCH, "network", 8)
        summary = relax(library, folder, stages, workers=1)
    return made(folder), summary


def test_every_molecule_is_there_once_and_in_order(undisturbed, library):
    (molecules, table), summary = undisturbed
    rows = list(csv.DictReader(table.decode().splitlines()))
    names = [item.name for item in run.items([str(library)])]
    assert [row["name"] for row in rows] == names
    assert "seconds" not in rows[0]
    supplier = Chem.SDMolSupplier()
    supplier.SetData(molecules.decode(), removeHs=False)
    written = [molecule.GetProp("_Name") for molecule in supplier]
    assert written == [row["name"] for row in rows if int(row["n_atoms"])]
    assert len(written) == 38
    assert summary.done.molecules == summary.molecules == 40
    assert sum(summary.done.verdicts.values()) == 40
    assert summary.done.verdicts["refused"] == 4  # two are no molecules, two have an element that the model does not know


def test_two_processes_give_the_bytes_of_one(undisturbed, library, tmp_path, stages):
    relax(library, tmp_path, stages, workers=2)
    assert made(tmp_path) == undisturbed[0]


class Killed(BaseException):
    """Nothing of the run is executed after it, as after SIGKILL."""


@pytest.mark.parametrize("output", ["out.sdf", "out.xyz.gz"])
def test_a_run_killed_at_any_write_goes_on_to_the_same_bytes(library, tmp_path, stages, monkeypatch, output):
    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir()
    part.mkdir()
    relax(library, whole, stages, output, workers=1)
    kills = [0]  # writes until the next one

    def dying(write):
        def one(self, content):
            if kills[0] == 0:
                write(self, bytes(content)[: len(content) // 2])  # what the system had taken by then
                raise Killed
            kills[0] -= 1
            return write(self, content)

        return one

    class File:
        def __init__(self, file):
            self._file = file

        def __getattr__(self, name):
            return getattr(self._file, name)

        write = dying(lambda self, content: self._file.write(content))

    opened = GrowingFile._opened
    monkeypatch.setattr(GrowingFile, "_opened", lambda self: File(opened(self)))
    monkeypatch.setattr("morered.library.outputs.fcntl.flock", lambda *_: None)
    died = 0
    for writes in (0, 1, 3, 2, 4, 1, 100):
        kills[0] = writes
        try:
            summary = relax(library, part, stages, output, workers=1, resume=True)
        except Killed:
            died += 1
            assert os.path.exists(journal.path_of(str(part / output)))
    assert died == 6
    assert summary.molecules < summary.done.molecules == 40
    assert made(part, output) == made(whole, output)
    assert not os.path.exists(journal.path_of(str(part / output)))
    assert len(formats.read(part / output).records) == 38


@pytest.mark.slow
@pytest.mark.parametrize(("method", "workers"), [("mmff94", 2), ("fast", 1)])
def test_kill_9_and_resume(library, tmp_path, method, workers):
    """The program itself, killed while it works, with all of its processes or alone."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir()
    part.mkdir()
    relax(library, whole, [preset(method)], workers=1)
    code = SMALL + "import sys; from morered.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "relax", str(library), "-o", "out.sdf", "--table", "t.csv", "-q"]
    command += ["--method", method, "--workers", str(workers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=part, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            done = json.loads((part / "out.sdf.progress").read_text())["molecules"]
        except (FileNotFoundError, ValueError):
            done = 0
        if done >= 8:
            process.kill()
            break
        time.sleep(0.005)
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert (part / "out.sdf").read_bytes() != (whole / "out.sdf").read_bytes()
    again = subprocess.run([*command, "--resume"], cwd=part, env=environment, capture_output=True, timeout=PATIENCE, text=True)
    assert again.returncode == 1, again.stderr  # two molecules of the library are none
    assert made(part) == made(whole)


@pytest.mark.parametrize("batches", [0, 2])
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(undisturbed, library, tmp_path, stages, monkeypatch, batches):
    calls = []
    relaxing = Relaxing.__call__

    def pressed(self, batch):
        calls.append(len(batch))
        if len(calls) == batches + 1:
            raise KeyboardInterrupt
        return relaxing(self, batch)

    monkeypatch.setattr(Relaxing, "__call__", pressed)
    summary = relax(library, tmp_path, stages, workers=1)
    assert summary.interrupted
    assert summary.done.molecules == 8 * batches
    assert made(tmp_path)[1] == b"".join(undisturbed[0][1].splitlines(keepends=True)[: 8 * batches + 1])
    with pytest.raises(JournalProblem, match="holds an unfinished run: --resume goes on"):
        relax(library, tmp_path, stages, workers=1)
    relax(library, tmp_path, stages, workers=1, resume=True)
    assert made(tmp_path) == undisturbed[0]


def test_a_full_disk_loses_nothing_that_is_done(undisturbed, library, tmp_path, stages, monkeypatch):
    append, calls = GrowingFile.append, []

    def full(self, text):
        calls.append(text)
        if len(calls) == 6:
            self._file.write(text[:100].encode())
            raise self._problem(OSError(28, "No space left on device"))
        append(self, text)

    with monkeypatch.context() as patch:
        patch.setattr(GrowingFile, "append", full)
        with pytest.raises(OutputProblem, match="no space left"):
            relax(library, tmp_path, stages, workers=1)
    relax(library, tmp_path, stages, workers=1, resume=True)
    assert made(tmp_path) == undisturbed[0]


def test_what_cannot_be_resumed_is_refused(library, tmp_path, stages, undisturbed, monkeypatch):
    def never(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Relaxing, "__call__", never)
        with pytest.raises(Killed):
            relax(library, tmp_path, stages, workers=1)
    with pytest.raises(JournalProblem, match="seed was 0 and is 1"):
        relax(library, tmp_path, stages, workers=1, resume=True, seed=1)
    text = library.read_text()
    library.write_text(text.replace("mol 29", "mol 99"))
    with pytest.raises(JournalProblem, match=r"input .*lib\.smi was"):
        relax(library, tmp_path, stages, workers=1, resume=True)
    library.write_text(text)
    with GrowingFile(str(tmp_path / "out.sdf")), pytest.raises(OutputProblem, match="another run writes this file"):
        relax(library, tmp_path, stages, workers=1, resume=True)
    relax(library, tmp_path, stages, workers=1, resume=True)
    assert made(tmp_path) == undisturbed[0]
    with pytest.raises(JournalProblem, match="holds no unfinished run: it is complete"):
        relax(library, tmp_path, stages, workers=1, resume=True)
    assert made(tmp_path) == undisturbed[0]


def test_pieces_of_a_chunk_that_other_settings_left_are_made_anew(library, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "preset", lambda name: preset("mmff94"))

    def chunk(folder, **options):
        paths = [str(tmp_path / folder / name) for name in ("out.sdf", "t.csv")]
        run.relax_chunk(str(library), *paths, chunk=(0, 4), count=40, method="mmff94", **options)
        return [Path(path).read_bytes() for path in paths]

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Relaxing, "__call__", killed)
        with pytest.raises(Killed):
            chunk("a", seed=0)
    assert chunk("a", seed=1) == chunk("b", seed=1)
    assert "seed was 0 and is 1" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["out.sdf", "t.csv"]


def same_to_rounding(lines, others):
    """Tables that differ in the last digits of numbers at most."""
    tables = [list(csv.reader(text)) for text in (lines, others)]
    assert [len(row) for row in tables[0]] == [len(row) for row in tables[1]]
    for one, other in zip(*(chain.from_iterable(rows) for rows in tables), strict=True):
        assert one == other or float(one) == pytest.approx(float(other), abs=1e-9)


@pytest.mark.parametrize("middle", [16, 13], ids=["of whole batches", "of other batches"])
def test_a_window_is_a_part_of_the_whole(undisturbed, library, tmp_path, stages, middle):
    """The same bytes where the batches are the same; other batches may round otherwise in the last digits."""
    texts = []
    for k, window in enumerate([(0, middle), (middle, 40)]):
        folder = tmp_path / str(k)
        folder.mkdir()
        assert relax(library, folder, stages, workers=1, window=window).done.molecules == window[1] - window[0]
        texts.append(made(folder))
    (first, table), (second, rest) = texts
    together = first + second, table + b"".join(rest.splitlines(keepends=True)[1:])
    if middle % run.BATCH["network"] == 0:
        assert together == undisturbed[0]
        return
    same_to_rounding(*(text.decode().splitlines() for text in (together[1], undisturbed[0][1])))
    coordinates = []
    for text in (together[0], undisturbed[0][0]):
        supplier = Chem.SDMolSupplier()
        supplier.SetData(text.decode(), removeHs=False)
        coordinates.append([molecule.GetConformer().GetPositions() for molecule in supplier])
    assert len(coordinates[0]) == len(coordinates[1])
    for one, other in zip(*coordinates, strict=True):
        assert one == pytest.approx(other, abs=1.5e-4)  # a file has four digits


class Fragile(Relaxing):
    """Dies of one molecule, and fails on another."""

    def __call__(self, batch):
        for item in batch:
            if item.name == "mol 9":
                os._exit(3)
            if item.name == "mol 11":
                raise ValueError("no such luck")
        return super().__call__(batch)


@pytest.mark.slow
def test_a_molecule_that_kills_its_process_takes_nothing_else_along(undisturbed, library, stages):
    batch = tuple(run.items([str(library)]))[8:16]
    fragile = Fragile(tuple(stages), "sdf")
    table = "".join(texts.table for texts in run._in_processes(fragile, [batch], 1)).splitlines()
    whole = undisturbed[0][1].decode().splitlines()[9:17]
    for k, (line, expected) in enumerate(zip(table, whole, strict=True)):
        name, atoms, verdict, *_, reason = next(csv.reader([line]))
        if k == 1:
            assert (name, atoms, verdict, reason) == ("mol 9", "0", "failed", "its process ended (exit status 3)")
        elif k == 3:
            assert (name, atoms, verdict, reason) == ("mol 11", "0", "failed", "ValueError: no such luck")
        else:  # those that were with them are relaxed in other batches
            same_to_rounding([line], [expected])


def test_a_library_that_does_not_end_is_read_no_further_than_it_is_relaxed(monkeypatch, tmp_path, stages):
    """How many molecules there are at one time does not depend on how many the library has."""
    from morered.items import Item
    from morered.library.batch import Texts

    given = [0]

    def endless(*_, **__):
        while True:
            given[0] += 1
            yield Item("endless", given[0], f"m{given[0]}", "C")

    waiting = []

    def counted(self, batch):
        waiting.append(given[0] - batch[-1].index)
        if len(waiting) > 100:
            raise KeyboardInterrupt
        return Texts("", "", {"converged": len(batch)})

    monkeypatch.setattr(run, "items", endless)
    monkeypatch.setattr(Relaxing, "__call__", counted)
    summary = relax(tmp_path / "endless.smi", tmp_path, stages, workers=1)
    assert summary.done.molecules == 800
    assert max(waiting) <= 8  # one batch read ahead
