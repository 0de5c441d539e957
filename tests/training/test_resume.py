"""Interrupted runs: killed anywhere, they end with the very weights of a run that was not."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_run import rows, same, tensors
from training_support import MODEL

from morered.models import weights
from morered.training import TrainingInterrupted
from morered.training.module import TrainingModule

Run = Callable[..., Path]
EVERY_BATCH = {"checkpoint_minutes": 0.0, "schedule": "plateau", "plateau": {"patience": 0, "cooldown": 0}}


class Killed(BaseException):
    """Stands for the end of the process."""


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, then: Callable[[], None]) -> None:
    original = TrainingModule.training_step

    def step(self: TrainingModule, draw):
        if draw.number == number:
            then()
        return original(self, draw)

    monkeypatch.setattr(TrainingModule, "training_step", step)


def die() -> None:
    raise Killed


def run_until(number: int, monkeypatch: pytest.MonkeyPatch, run: Run, *folder: str, **settings: object) -> None:
    """Run, and die at the start of batch ``number``."""
    with monkeypatch.context() as patch:
        killed_at(patch, number, die)
        with pytest.raises(Killed):
            run(*folder, **settings)


@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
def test_stopped_at_any_batch(quick: Run, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    model = replace(MODEL, kind=kind)
    whole = quick("whole", model=model, **EVERY_BATCH)
    # one run, interrupted in the middle of an interval, just before and just after a validation, and at the last batch
    for number in (1, 3, 4, 6, 8, 9) if kind == "morered-jt" else (5,):
        run_until(number, monkeypatch, quick, "stopped", model=model, **EVERY_BATCH)
    resumed = quick("stopped", model=model, **EVERY_BATCH)
    assert same(whole, resumed)
    for a, b in zip(rows(whole), rows(resumed), strict=True):
        a.pop("seconds"), b.pop("seconds")
        assert a == b
    assert weights.load(whole).header.metrics == weights.load(resumed).header.metrics


def test_a_checkpoint_may_be_older_than_the_end(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"schedule": "cosine", "warmup_steps": 3, "max_steps": 12}
    whole = quick("whole", **settings)
    run_until(6, monkeypatch, quick, "stopped", checkpoint_minutes=0.0, **settings)
    run_until(11, monkeypatch, quick, "stopped", **settings)  # rows of the log were written after the checkpoint
    resumed = quick("stopped", **settings)
    assert same(whole, resumed)
    assert [row["step"] for row in rows(resumed)] == ["4", "8", "12"]


@pytest.mark.slow
def test_a_killed_process_is_continued(quick: Run, tmp_path: Path) -> None:
    settings = {"max_steps": 100, "checkpoint_minutes": 0.0005, "validate_every": 7}
    code = (
        "import sys, torch; torch.set_num_threads(1); sys.path.insert(0, sys.argv[1]);"
        "from training_support import *; from morered.settings.training import training_config;"
        "from morered.training import train;"
        f"config = training_config({{**QUICK, **{settings!r}}});"
        "train(MODEL, config, ase_molecules(NAMES, copies=2), ase_molecules(NAMES[:6], seed=1), sys.argv[2])"
    )
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(folder)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)
    log = folder / "log.csv"
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n") > 3):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr and process.stderr.close()
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert 0 < state["counters"]["batches"] < 100
    assert not (folder / "weights.safetensors").exists()
    assert same(quick("killed", **settings), quick("whole", **settings))


def test_a_finished_run_is_not_repeated_and_a_longer_one_continues(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tensors(quick("run"))
    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", lambda *_: die())
        path = quick("run")
        assert all(torch.equal(first[name], value) for name, value in tensors(path).items())
        # a workflow removes the outputs of a job that it runs again: the log comes from the checkpoint
        log = rows(path)
        (path.parent / "log.csv").unlink()
        assert rows(quick("run")) == log
        assert len(log) == 3
        killed_at(patch, 0, die)
        with pytest.raises(Killed):
            quick("run", resume=False)
    longer = quick("longer")
    assert weights.load(quick("longer", max_steps=16)).header.training["steps"] == 16
    assert [row["step"] for row in rows(longer)] == ["4", "8", "10", "12", "16"]


def test_a_longer_run_whose_rate_depends_on_its_length_starts_anew(quick: Run, caplog: pytest.LogCaptureFixture) -> None:
    for name, settings in {"cosine": {"schedule": "cosine"}, "stages": {"stages": [{"until": 0.5, "step_power": 2}]}}.items():
        quick(name, **settings)
        with caplog.at_level(logging.WARNING, "morered"):
            longer = quick(name, max_steps=16, **settings)
        assert "starts anew" in caplog.text
        caplog.clear()
        assert same(longer, quick(f"whole {name}", max_steps=16, **settings))


def test_a_run_from_other_weights_of_the_same_name_starts_anew(quick: Run, caplog: pytest.LogCaptureFixture) -> None:
    before = quick("before")
    first = tensors(quick("run", init=str(before)))
    quick("before", seed=1)
    with caplog.at_level(logging.WARNING, "morered"):
        again = quick("run", init=str(before))
    assert "starts anew, and it is kept as other.ckpt" in caplog.text
    assert (again.parent / "checkpoints" / "other.ckpt").exists()
    assert any(not torch.equal(first[name], value) for name, value in tensors(again).items())
    assert same(again, quick("fresh", init=str(before)))


def test_an_early_stop_is_an_end(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"max_steps": None, "validate_every": 1, "early_stopping": 2, "learning_rate": 1e-12}
    n = len(rows(quick(**settings)))
    monkeypatch.setattr(TrainingModule, "training_step", lambda *_: die())
    assert len(rows(quick(**settings))) == n


def test_checkpoints_of_other_runs_are_not_continued(quick: Run, caplog: pytest.LogCaptureFixture) -> None:
    quick("run", seed=1)
    with caplog.at_level(logging.WARNING, "morered"):
        other = quick("run", seed=2)
    assert "belongs to another model, other settings or other data" in caplog.text
    assert same(other, quick("fresh", seed=2))
    assert len(rows(other)) == 3  # the other run's rows are gone


def test_a_damaged_checkpoint_is_reported(quick: Run, caplog: pytest.LogCaptureFixture) -> None:
    path = quick("run")
    checkpoint = path.parent / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    before = tensors(path)
    with caplog.at_level(logging.WARNING, "morered"):
        after = tensors(quick("run"))
    assert "cannot be read" in caplog.text
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_signals_save_and_stop(quick: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals) -> None:
    calls = tmp_path / "calls"
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        killed_at(patch, 5, lambda: os.kill(os.getpid(), number))
        with pytest.raises(TrainingInterrupted, match=f"{number.name} after 6 batches; run it again"):
            quick("run")
    assert signal.getsignal(number) == before
    # a time limit is announced by SIGUSR1: then the job is queued again
    assert (calls.read_text() if calls.exists() else "") == ("requeue 123\n" if number == signal.SIGUSR1 else "")
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["counters"]["batches"] == 6
    assert same(quick("run"), quick("whole"))


@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
def test_compiled_kernels_resume_as_well(quick: Run, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    settings = {"model": replace(MODEL, kind=kind, features=16), "compile": "auto", "checkpoint_minutes": 0.0}
    whole = quick("whole", **settings)
    run_until(6, monkeypatch, quick, "stopped", **settings)
    assert same(whole, quick("stopped", **settings))
    plain = weights.load(quick("plain", **{**settings, "compile": "never"})).header.metrics
    assert weights.load(whole).header.metrics["loss"] == pytest.approx(plain["loss"], rel=1e-3)  # float32 rounding over 10 steps
