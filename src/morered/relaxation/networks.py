"""Models of a method, loaded and ready to be called.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import atexit
import copy
import os
from functools import lru_cache

import torch
from torch import nn

from morered.models.compile import Mode, maybe_compile
from morered.models.networks import Network
from morered.models.weights import LoadedModel, find, load
from morered.settings.relaxation import Model

#: Models that stay in memory: both parts of one method, a force field, and the network for organic molecules.
KEPT = 4


def loaded(
    model: Model, device: torch.device | str, role: str, precision: torch.dtype | None = None, compile: Mode = "auto"
) -> LoadedModel:
    """A model given as `LoadedModel`, by name or by path, on a device; its kind must be able to play ``role``.

    A file is read once, and again when it changes: whoever relaxes molecules one by one does not wait for it each time.

    Parameters
    ----------
    model
        As in a method.
    device
        Where it is put; a `LoadedModel` elsewhere is copied.
    role : {"noise", "time", "potential"}
        What it is needed for.
    precision : torch.dtype, optional
        Other than its own.
    compile : {"auto", "always", "never"}
        See `morered.models.compile.maybe_compile`.

    Raises
    ------
    ValueError
        If it predicts something else.
    morered.models.weights.WeightsError
        If there is no such file or name, or the file is broken.
    """
    target = torch.empty(0, device=device).device  # with its index, as parameters have it
    found = _read(os.fspath(model), target) if isinstance(model, (str, os.PathLike)) else model
    config = found.config
    able = {"noise": config.predicts_noise, "time": config.predicts_time, "potential": not config.is_diffusion}[role]
    if not able:
        name = model if isinstance(model, (str, os.PathLike)) else "the model given"
        wanted = {"noise": "morered-jt or noise", "time": "morered-jt or time", "potential": "mlff"}[role]
        raise ValueError(f"{name} is of kind {config.kind} and cannot be used as the {role} model: that needs {wanted}")
    parameter = next(found.network.parameters())
    if parameter.device != target or (precision is not None and parameter.dtype != precision):
        found = found._replace(network=copy.deepcopy(found.network).to(target, precision))
    if isinstance(found.network, Network):
        maybe_compile(found.network, compile)
    return found


def _read(path_or_name: str, device: torch.device) -> LoadedModel:
    path = find(path_or_name).resolve()
    status = path.stat()
    return _kept(str(path), (status.st_ino, status.st_size, status.st_mtime_ns), device)


@lru_cache(maxsize=KEPT)
def _kept(path: str, stamp: tuple[int, ...], device: torch.device) -> LoadedModel:
    """``stamp`` tells one content of the file from another."""
    return load(path, device=device)


atexit.register(_kept.cache_clear)  # the kernels' weights go before the interpreter does: nanobind would report a leak


def uses_kernels(network: nn.Module) -> bool:
    """Whether a network runs through the compiled kernels: then they are there for other things as well."""
    return isinstance(network, Network) and network.execution == "kernels" and network.kernels_fit()


def pair_bytes(features: int, gradients: bool = False) -> int:
    """Bytes that a network of so many features takes per pair of atoms.

    Measured with PaiNN in plain PyTorch, 3 interactions: 9 float32 per feature, 25 with gradients; the kernels take a fifth of
    that.
    """
    return features * 4 * (32 if gradients else 12)
