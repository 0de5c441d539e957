"""Decides how many molecules run side by side: as many as fit into memory, up to a number beyond which more do not help."""

from __future__ import annotations

import os

import torch

#: On a CPU the time per molecule does not fall any further, and small batches lose little at the end (measured from 2 to 256).
CPU_MOLECULES = 32
#: On a GPU, where more keep it busier.
GPU_MOLECULES = 2048
#: Share of the free memory that a batch may take.
SHARE = 0.5


def molecules_that_fit(bytes_per_molecule: int, device: torch.device) -> int:
    """Molecules of this size in one batch on this device, at least 1."""
    most = CPU_MOLECULES if device.type == "cpu" else GPU_MOLECULES
    return max(1, min(most, int(SHARE * free_bytes(device)) // max(bytes_per_molecule, 1)))


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device, in bytes: what a CPU job's own limit leaves where it has one."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type != "cpu":
        return 4 << 30
    return min(_available(), _cgroup_room())


def _available() -> int:
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:  # not Linux
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return 4 << 30


def _cgroup_room() -> int:
    """What the limit of this process's control group (a batch job's memory) leaves; a very large number without a limit."""
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            with open(limit) as file:
                text = file.read().strip()
            with open(used) as file:
                taken = int(file.read())
        except (OSError, ValueError):
            continue
        if text.isdigit():
            return max(0, int(text) - taken)
    return 1 << 62
