"""Ctrl-C as a terminal sends it, SIGTERM and a closed terminal end `morered relax` early and keep what is done."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import ase.io
import numpy as np
import pandas as pd
import pytest

from morered.datasets import qm7
from morered.formats import write

pytestmark = pytest.mark.slow

#: Seconds that a run may take to show progress, and to end when it is told to; imports alone take some on a busy machine.
PATIENCE = 120.0
#: Molecules: so many that some are left when the first ones are done, however late a busy machine tells of these.
COUNT = 42


@pytest.fixture
def molecules(tmp_path):
    """`COUNT` molecules, as many in each of seven buckets of the engine, which it runs one after another."""
    minima = qm7.load().without_columns()
    index = [m for n in (8, 11, 13, 15, 17, 19, 21) for m in np.flatnonzero(minima.sizes == n)[: COUNT // 7].tolist()]
    moved = minima[index]
    moved = moved.with_positions(moved.positions + 0.1 * np.random.default_rng(0).normal(size=moved.positions.shape))
    write(tmp_path / "in.xyz", moved)
    return moved


def stopped(folder, done, *arguments, number=signal.SIGINT):
    """Run the command on a terminal until so many molecules are done, send a signal; its exit code and what it said."""
    terminal, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    command = [sys.executable, "-m", "morered", "relax", "in.xyz", "-o", "out.xyz", "--table", "t.csv", "--html", "page.html"]
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=other,
        start_new_session=True,  # its own group, as a shell gives each command: the workers belong to it
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.close(other)
    said, pressed, end = "", False, time.monotonic() + PATIENCE
    try:
        while time.monotonic() < end:
            ready, _, _ = select.select([terminal], [], [], 0.5)
            try:
                text = os.read(terminal, 65536).decode(errors="replace") if ready else ""
            except OSError:  # the other end is closed: it has ended
                break
            said += text
            counts = [int(count) for count in re.findall(rf"(\d+)/{COUNT} \[", said)]
            if not pressed and counts and max(counts) >= done:
                os.killpg(process.pid, number)
                if number != signal.SIGINT:
                    time.sleep(0.3)
                    os.killpg(process.pid, number)  # as a shell and the kernel both do when a terminal closes
                if number == signal.SIGHUP:
                    os.close(terminal)  # what is said from now on fails
                    pressed = True
                    break
                pressed, end = True, time.monotonic() + PATIENCE
        assert pressed, said
        return process.wait(timeout=PATIENCE), said
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if number != signal.SIGHUP or not pressed:
            os.close(terminal)


def assert_done_is_kept(folder, molecules):
    table = pd.read_csv(folder / "t.csv").set_index("name")
    assert list(table.index) == molecules.names
    left = table.reason == "interrupted"
    assert left.any()
    assert not left.all()
    assert (table.verdict[left] == "failed").all()
    assert (table.steps[~left] > 0).all()
    for atoms, given in zip(ase.io.read(folder / "out.xyz", ":"), molecules, strict=True):
        moved = np.abs(atoms.positions - given.positions).max()
        if left[given.id]:
            assert moved < 1e-6  # as printed
        elif atoms.info["verdict"] in ("converged", "step-cap"):
            assert moved > 1e-3
    assert "interrupted" in (folder / "page.html").read_text(encoding="utf-8")


def test_a_batched_method_keeps_the_molecules_that_are_done(molecules, tmp_path, repository):
    weights = str(repository / "tests/data/model-v1-morered-jt.safetensors")
    code, said = stopped(tmp_path, 2, "--method", "jt", "--weights", weights, "--steps", "2000")
    assert code == 1
    assert "Traceback" not in said
    assert "what was done by then has been written" in said
    assert_done_is_kept(tmp_path, molecules)


@pytest.mark.parametrize("workers", ["1", "2"], ids=["here", "in worker processes"])
def test_a_program_keeps_the_molecules_that_are_done(molecules, tmp_path, workers):
    code, said = stopped(tmp_path, 1, "--method", "gfn2", "--workers", workers)
    assert code == 1
    assert "Traceback" not in said
    assert_done_is_kept(tmp_path, molecules)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_do_the_same(molecules, tmp_path, number):
    code, said = stopped(tmp_path, 1, "--method", "gfn2", "--workers", "1", number=number)
    assert code == 1
    assert "Traceback" not in said
    assert_done_is_kept(tmp_path, molecules)
    table = pd.read_csv(tmp_path / "t.csv")
    assert not table.reason.str.contains("process ended").any()  # the workers, which got it as well, wait for the parent
