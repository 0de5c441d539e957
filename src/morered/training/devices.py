"""Devices, precision and the cluster, in Lightning's terms."""

from __future__ import annotations

import logging
import os
import subprocess
from typing import Any

import torch
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment

from morered.training.config import TrainingConfig

_log = logging.getLogger(__name__)


def trainer_settings(config: TrainingConfig) -> dict[str, Any]:
    """Arguments of Lightning's Trainer for the devices, the precision and the cluster.

    Raises
    ------
    ValueError
        If the config asks for GPUs that are not there.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    on_gpu = config.device == "gpu" or (config.device == "auto" and gpus > 0)
    if on_gpu and gpus < config.devices:
        raise ValueError(f"the training asks for {config.devices} GPU(s) and there are {gpus}")
    tasks = int(os.environ.get("SLURM_NTASKS", "1"))
    settings: dict[str, Any] = {
        "accelerator": "gpu" if on_gpu else "cpu",
        "devices": config.devices,
        "precision": "bf16-mixed" if config.precision == "bf16" else "32-true",
        "strategy": "ddp" if config.devices > 1 else "auto",
    }
    # One task that starts its own processes, or none at all, is not srun's to manage; and signals are handled here
    # (`Checkpoints`).
    settings["plugins"] = [
        SLURMEnvironment(auto_requeue=False) if tasks > 1 and SLURMEnvironment.detect() else LightningEnvironment()
    ]
    return settings


def requeue_job() -> None:
    """Ask Slurm to queue this job again; nothing where this is no Slurm job."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        result = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("Slurm job %s was not queued again: %s", job, error)
        return
    if result.returncode:
        _log.warning("Slurm job %s was not queued again: %s", job, result.stderr.strip())
