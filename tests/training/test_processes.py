"""Several processes that train one network, and who starts them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from training_support import QUICK

from morered.models import weights
from morered.settings.training import training_config
from morered.training.processes import Processes, device_of, group_of, requeue_job

SCRIPT = """
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from training_support import MODEL, NAMES, QUICK, ase_molecules
from morered.settings.training import training_config
from morered.training import train
config = training_config({**QUICK, "devices": 2, "max_steps": 6, "optimizer": sys.argv[3]})
train(MODEL, config, ase_molecules(NAMES, copies=2), ase_molecules(NAMES[:6], seed=1), sys.argv[2])
print("reached once")
"""


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_processes_train_as_one(quick: Callable[..., Path], tmp_path: Path, optimizer: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path / "two"), optimizer]
    result = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("reached once") == 1  # the second process ends inside
    two, one = (
        weights.load(tmp_path / "two" / "weights.safetensors"),
        weights.load(quick("one", max_steps=6, optimizer=optimizer)),
    )
    assert two.header.training["steps"] == 6
    assert two.header.metrics == pytest.approx(one.header.metrics, rel=1e-4)
    for name, value in one.network.state_dict().items():
        # each molecule has its own noise and gradients are means over the whole batch: equal but for the order of float32 sums
        torch.testing.assert_close(two.network.state_dict()[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("variables", "group"),
    [
        ({}, None),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "snakejob", "SLURM_JOB_ID": "1"}, None),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_JOB_NAME": "a", "SLURM_JOB_ID": "1"}, (2, 4)),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "bash", "SLURM_JOB_ID": "1"}, None),
        ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "a"}, None),  # not by srun
        ({"MORERED_TRAINING_RANK": "1", "WORLD_SIZE": "2"}, (1, 2)),
    ],
)
def test_who_starts_the_processes(variables: dict[str, str], group: tuple[int, int] | None) -> None:
    assert group_of(variables) == group


@pytest.mark.slow
def test_slurms_tasks_join_each_other(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    slurm = {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "training", "SLURM_JOB_ID": str(os.getpid()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path / "two"), "adamw"]
    tasks = [
        subprocess.Popen(command, env={**os.environ, **slurm, "SLURM_PROCID": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    printed = [task.communicate(timeout=300)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0]
    assert printed == ["reached once\n", ""]  # the second task ends inside
    assert weights.load(tmp_path / "two" / "weights.safetensors").header.training["steps"] == 6


@pytest.mark.slow
def test_a_signal_to_the_first_process_stops_both(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace('"max_steps": 6', '"max_steps": 100_000'))
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path / "two"), "adamw"]
    run = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)
    log, deadline = tmp_path / "two" / "log.csv", time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") > 2):
        assert run.poll() is None, run.stderr and run.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    told = run.communicate(timeout=100)[1]  # ends only with the process that it started, which holds the pipe too
    assert told.count("TrainingInterrupted: the training was stopped by SIGTERM") == 1
    assert (tmp_path / "two" / "checkpoints" / "last.ckpt").exists()


def test_one_process_agrees_with_itself() -> None:
    alone, values = Processes(torch.device("cpu")), torch.tensor([1.0, 2.0])
    assert alone.mean(values).tolist() == alone.total(values).tolist() == [1.0, 2.0]
    assert alone.largest(0.25) == 0.25
    assert device_of(training_config(QUICK)) == torch.device("cpu")


def test_a_job_array_is_requeued_by_its_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/calls\necho no such job >&2\nexit 1\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, value in {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}.items():
        monkeypatch.setenv(name, value)
    requeue_job()
    assert (tmp_path / "calls").read_text() == "requeue 7_2\n"
    assert "no such job" in caplog.text
    scontrol.unlink()
    requeue_job()
    assert "was not queued again" in caplog.records[-1].message
