"""On a GPU: the CPU's results, and no step that makes the host wait. Collected only where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from test_garbage import METHODS

from morered.batching import pad
from morered.diffusion.schedule import NoiseSchedule
from morered.models.networks import build
from morered.relaxation import DiffusionMethod, relax
from morered.relaxation.engine.state import advance, start
from morered.relaxation.samplers.new_noise import STEPS_AHEAD
from morered.relaxation.samplers.reverse_diffusion import ReverseDiffusion
from morered.settings.networks import ModelConfig
from morered.settings.relaxation import Settled, StopRules
from morered.structures import Structures

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", sorted(name for name in METHODS if name != "mlff-ase" and not name.endswith("kernels")))
def test_results_are_those_of_the_cpu(name: str, noisy: Structures) -> None:
    """In double precision, where the two differ by rounding alone; in batches that are refilled."""
    cpu = relax(noisy, METHODS[name]).structures
    gpu = relax(noisy, METHODS[name], device="cuda", batch_size=4).structures
    for column in ("verdict", "steps", "reason"):
        assert np.array_equal(gpu.column(column), cpu.column(column)), column
    assert np.abs(gpu.positions - cpu.positions).max() < 1e-7


@contextmanager
def no_waiting() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("move", ["reverse", "jump", "accelerated"])
def test_steps_do_not_make_the_host_wait(move: str, noisy: Structures) -> None:
    network = build(ModelConfig(kind="morered-jt", features=16)).cuda().eval().requires_grad_(False)
    rules = StopRules(settled=Settled(window=2))
    method = DiffusionMethod(noise="jt", time="jt", move=move, stop=rules)  # type: ignore[arg-type]
    sampler = ReverseDiffusion(method, network, network, NoiseSchedule().to("cuda"), joint=True)
    state = start(sampler, pad(noisy.centred(), device="cuda"))
    with torch.no_grad():
        for _ in range(STEPS_AHEAD + 1):  # constants are sent, libraries loaded
            state, _ = advance(sampler, state)
        torch.cuda.synchronize()
        with no_waiting():
            for _ in range(2 * STEPS_AHEAD):
                state, _ = advance(sampler, state)
    assert int(state.taken.max()) > 0
