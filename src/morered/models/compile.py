"""Decide how a network is computed: plainly, by compiled kernels, or through `torch.compile`.

- PaiNN in float32 on a CPU: kernels (`native`), which come with the package, for every size of molecule.
- PaiNN in float32 on a GPU: kernels in Triton (`gpu`), which compile within seconds as well. They have no second derivatives: a
  force field that is trained goes the next way. Nor do they run on every GPU: on others, plainly, and a warning says so once.
- Else, `torch.compile` with dynamic shapes. That takes half a minute, so "auto" compiles a network only after it has run plainly
  for as long; Inductor keeps what it made in its cache, so a second run's compilation is short.
- Without what these need (kernels that were built, a C++ compiler that works): plainly, and a warning says so once.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from morered.models import gpu, inductor
from morered.models.native import library
from morered.models.painn import PaiNN

if TYPE_CHECKING:
    from morered.models.networks import Network

Mode = Literal["auto", "always", "never"]
#: What a network is doing: "plain", "kernels" (CPU), "triton" (GPU), "compiled", or "waiting": plain until compiling pays.
Execution = Literal["plain", "kernels", "triton", "compiled", "waiting"]

#: Seconds of plain computing after which "auto" compiles: what compiling takes.
PATIENCE = 30.0
#: What `torch.compile` compiles with.
BACKEND = "inductor"


def maybe_compile[N: Network](network: N, mode: Mode = "auto") -> N:
    """Let a network run fast where it can.

    Parameters
    ----------
    network
        Changed in place; its weights and results stay the same (to float32 rounding).
    mode
        "never": plain PyTorch. "auto": kernels where they fit, else `torch.compile` once the network has run for half a minute.
        "always": kernels where they fit, else `torch.compile` at the first call.

    Returns
    -------
    Network
        The same one.

    Raises
    ------
    ValueError
        If there is no such mode.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"compile must be one of {', '.join(get_args(Mode))}, not {mode!r}")
    network.plain_seconds = 0.0
    network.execution = _execution(network, mode)
    return network


def call(function: Callable[..., Any], network: Network, *arguments: Any) -> Any:
    """``function(network, *arguments)``, computed as the network's ``execution`` says."""
    if network.execution == "waiting":
        if network.plain_seconds >= PATIENCE:
            network.execution = "compiled"
        else:
            start = time.perf_counter()
            result = function(network, *arguments)
            network.plain_seconds += time.perf_counter() - start
            return result
    if network.execution == "compiled" and not torch.compiler.is_compiling():
        try:
            return _compiled(function, BACKEND)(network, *arguments)
        except torch._dynamo.exc.TorchDynamoException as error:  # a compiler that fails later than `inductor.problem` sees
            reason = str(getattr(error, "inner_exception", error)).strip()
            _warn(f"torch.compile fails: {reason.splitlines()[0] if reason else type(error).__name__}")
            network.execution = "plain"
    return function(network, *arguments)


def _execution(network: Network, mode: Mode) -> Execution:
    if mode == "never" or network.config.engine != "dense":
        return "plain"
    if network.kernels_fit():
        try:
            library.load()
        except library.Unavailable as error:
            _warn(str(error))
            return "plain"
        return "kernels"
    if gpu.available() and isinstance(network.representation, PaiNN) and gpu.fits(network.representation):
        reason = gpu.unfit(network.representation.embedding.weight.device)
        if reason is not None:
            _warn(reason)
            return "compiled" if mode == "always" else "plain"
        if network.config.is_diffusion or not network.training:
            return "triton"
    if (problem := inductor.problem()) is not None:
        _warn(problem)
        return "plain"
    return "compiled" if mode == "always" else "waiting"


@functools.cache
def _compiled(function: Callable[..., Any], backend: str) -> Callable[..., Any]:
    """A function of a network, compiled for all networks of one shape and all sizes of molecules."""
    torch._dynamo.config.trace_autograd_ops = True  # forces are a gradient inside the function
    return torch.compile(function, dynamic=True, backend=backend)


@functools.cache
def _warn(reason: str) -> None:
    warnings.warn(f"networks run uncompiled, several times slower: {reason}", stacklevel=4)
