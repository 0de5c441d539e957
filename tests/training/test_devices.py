"""Several processes, and what the trainer is told about devices and the cluster."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment
from training_support import QUICK

from morered.models import weights
from morered.training import TrainingConfig
from morered.training.devices import requeue_job, trainer_settings

SCRIPT = """
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from training_support import MODEL, NAMES, QUICK, ase_molecules
from morered.training import TrainingConfig, train
config = TrainingConfig.from_dict({**QUICK, "devices": 2, "max_steps": 6})
train(MODEL, config, ase_molecules(NAMES, copies=2), ase_molecules(NAMES[:6], seed=1), sys.argv[2])
print("reached once")
"""


def test_two_processes_train_as_one(quick: Callable[..., Path], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path / "two")]
    result = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("reached once") == 1  # the second process ends inside
    two, one = weights.load(tmp_path / "two" / "weights.safetensors"), weights.load(quick("one", max_steps=6))
    assert two.header.training["steps"] == 6
    assert two.header.metrics == pytest.approx(one.header.metrics, rel=1e-4)
    for name, value in one.network.state_dict().items():
        # each molecule has its own noise and gradients are means over the whole batch: equal but for the order of float32 sums
        torch.testing.assert_close(two.network.state_dict()[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("variables", "environment"),
    [
        ({}, LightningEnvironment),
        ({"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "snakejob", "SLURM_JOB_ID": "1"}, LightningEnvironment),
        ({"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_NAME": "a", "SLURM_JOB_ID": "1"}, SLURMEnvironment),
    ],
)
def test_who_starts_the_processes(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], environment: type) -> None:
    for name in ("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_JOB_NAME", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (plugin,) = trainer_settings(TrainingConfig.from_dict(QUICK))["plugins"]
    assert type(plugin) is environment
    assert not isinstance(plugin, SLURMEnvironment) or not plugin.auto_requeue  # signals are handled by the checkpoints


def test_precision_and_strategy() -> None:
    settings = trainer_settings(TrainingConfig.from_dict({**QUICK, "devices": 3, "precision": "bf16"}))
    assert (settings["strategy"], settings["devices"], settings["precision"]) == ("ddp", 3, "bf16-mixed")
    settings = trainer_settings(TrainingConfig.from_dict(QUICK))
    assert (settings["accelerator"], settings["strategy"], settings["precision"]) == ("cpu", "auto", "32-true")


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
