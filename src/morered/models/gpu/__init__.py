"""PaiNN's steps on a GPU, written in Triton: the filters of all pairs are never stored, and a step is one kernel.

`kernels` holds the kernels, `ops` the functions that have the interface of `torch_ops`; both need Triton, which comes with
PyTorch for GPUs, and are imported only where they are used.
"""

from __future__ import annotations

import importlib.util

import torch

from morered.models.painn import PaiNN

#: Oldest GPUs whose tensor cores take the kernels' products (TF32): Ampere.
CAPABILITY = (8, 0)
#: Bytes of shared memory of the kernel that needs most, as Triton 3.9 compiles it for Ampere, whatever the features.
SHARED = 65536


def fits(representation: PaiNN) -> bool:
    """Whether the kernels take a network's numbers: float32 on a GPU."""
    weight = representation.embedding.weight
    return weight.device.type == "cuda" and weight.dtype == torch.float32 and not torch.is_autocast_enabled("cuda")


def unfit(device: torch.device) -> str | None:
    """Why the kernels cannot run on a GPU, as a clause; None where they can."""
    if torch.version.hip is not None:
        return "the kernels are for GPUs of NVIDIA, and this is none"
    found = torch.cuda.get_device_properties(device)
    if (found.major, found.minor) < CAPABILITY:
        return (
            f"{found.name} has compute capability {found.major}.{found.minor}, the kernels need {CAPABILITY[0]}.{CAPABILITY[1]}"
        )
    if found.shared_memory_per_block_optin < SHARED:
        there = found.shared_memory_per_block_optin // 1024
        return f"{found.name} gives a block {there} kB of shared memory, the kernels need {SHARED // 1024} kB"
    return None


def available() -> bool:
    """Whether Triton is installed."""
    return importlib.util.find_spec("triton") is not None
