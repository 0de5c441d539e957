"""The processes that train one network together: which there are, what they run on, and what they agree on.

One process is the rule. With several devices this one starts the others, which call `morered.training.train` with the same
arguments and join it; where Slurm has started them all (``srun`` with several tasks) each is one of them.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from morered.settings.training import TrainingConfig

_log = logging.getLogger(__name__)

#: What a process that was started here runs: the paths of modules, threads and a call come through standard input.
_FOLLOWER = """import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from morered.training.processes import follow
follow()"""
_SECONDS_TO_END = 60.0


@dataclass(frozen=True)
class Processes:
    """One process among those that train one network.

    Attributes
    ----------
    device
        Where it computes.
    rank, size
        Its number, and how many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes, the same on all."""
        return self.total(values) / self.size

    def total(self, values: Tensor) -> Tensor:
        """Sum over the processes, the same on all."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def largest(self, number: float) -> float:
        """The largest number of all processes."""
        if self.size == 1:
            return number
        value = torch.tensor(float(number), device=self.device)
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return value.item()

    def average_gradients(self, network: nn.Module) -> None:
        """Give every process the mean of all gradients."""
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        if self.size > 1:
            means = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
            for gradient, mean in zip(gradients, means.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(mean.view_as(gradient))


def device_of(config: TrainingConfig, rank: int = 0) -> torch.device:
    """The device of a process.

    Raises
    ------
    ValueError
        If the config asks for GPUs that are not there.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    on_gpu = config.device == "gpu" or (config.device == "auto" and gpus > 0)
    if on_gpu and gpus < config.devices:
        raise ValueError(f"the training asks for {config.devices} GPU(s) and there are {gpus}")
    return torch.device("cuda", rank) if on_gpu else torch.device("cpu")


def group_of(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Rank and number of processes that somebody else has started: the process that this one follows, or Slurm; None: nobody.

    A Slurm job with one task, or an interactive one, starts none.
    """
    if "MORERED_TRAINING_RANK" in environment:
        return int(environment["MORERED_TRAINING_RANK"]), int(environment["WORLD_SIZE"])
    tasks = int(environment.get("SLURM_NTASKS", "1"))
    if tasks > 1 and "SLURM_PROCID" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return int(environment["SLURM_PROCID"]), tasks
    return None


@contextmanager
def joined(config: TrainingConfig, call: Callable[[], object]) -> Iterator[Processes]:
    """The processes of a training, joined on entry and parted on exit.

    Parameters
    ----------
    config
        Says how many devices there are.
    call
        What the other processes do, if they are started here: the same training, which joins this one.

    Raises
    ------
    ValueError
        If the config asks for GPUs that are not there.
    """
    there = group_of(os.environ) if config.devices > 1 else None
    rank, size = there or (0, config.devices)
    device = device_of(config, rank)
    if size == 1:
        yield Processes(device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    port = int(os.environ.get("MASTER_PORT") or 0)
    if there is None:
        port = _free_port()
    elif not port:  # Slurm tells none: one that goes by the job
        port = 15_000 + int(os.environ["SLURM_JOB_ID"]) % 10_000
    followers = [_follower(k, size, port, call) for k in range(1, size)] if there is None else []
    try:
        where = f"tcp://127.0.0.1:{port}"
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", where, rank=rank, world_size=size)
        yield Processes(device, rank, size)
    except BaseException:
        for follower in followers:
            follower.terminate()
        raise
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
        for follower in followers:
            try:
                follower.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                follower.kill()


def follow() -> None:
    """Body of a process that was started here. An interruption is the first process's to tell."""
    from morered.training.checkpoints import TrainingInterrupted

    threads, call = pickle.load(sys.stdin.buffer)
    torch.set_num_threads(threads)
    try:
        call()
    except TrainingInterrupted:
        sys.exit(0)


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


def _follower(rank: int, size: int, port: int, call: Callable[[], object]) -> subprocess.Popen[bytes]:
    group: dict[str, Any] = {"MORERED_TRAINING_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    environment = {**os.environ, **{name: str(value) for name, value in group.items()}}
    process = subprocess.Popen([sys.executable, "-P", "-c", _FOLLOWER], stdin=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(pickle.dumps(sys.path) + pickle.dumps((torch.get_num_threads(), call)))
    return process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
