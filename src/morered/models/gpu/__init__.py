"""PaiNN's steps on a GPU, written in Triton: the filters of all pairs are never stored, and a step is one kernel.

`kernels` holds the kernels, `ops` the functions that have the interface of `torch_ops`; both need Triton, which comes with
PyTorch for GPUs, and are imported only where they are used.
"""

from __future__ import annotations

import importlib.util

import torch

from morered.models.painn import PaiNN


def fits(representation: PaiNN) -> bool:
    """Whether the kernels take a network's numbers: float32 on a GPU."""
    weight = representation.embedding.weight
    return weight.device.type == "cuda" and weight.dtype == torch.float32 and not torch.is_autocast_enabled("cuda")


def available() -> bool:
    """Whether Triton is installed."""
    return importlib.util.find_spec("triton") is not None
