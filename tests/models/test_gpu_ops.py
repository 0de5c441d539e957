"""The kernels for GPUs: by Triton's interpreter everywhere, compiled where there is a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from models_support import network, random_molecules

from morered.batching import pad
from morered.models.compile import maybe_compile


def test_the_interpreted_kernels_are_pytorchs_steps() -> None:
    """In a process of its own: Triton decides on its import whether it interprets."""
    script = Path(__file__).parent / "gpu_ops_support.py"
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    run = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout == "agree\n", run.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("sizes", [(2, 5, 16), (3, 7, 24), (5, 23, 128), (2, 34, 40)])
def test_the_compiled_kernels_are_pytorchs_steps(sizes: tuple[int, int, int]) -> None:
    from gpu_ops_support import check

    check("cuda", *sizes)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["morered-jt", "noise", "time"])
def test_networks_give_on_a_gpu_what_they_give_on_a_cpu(kind: str) -> None:
    batch = pad(random_molecules((4, 7, 9)), dtype=torch.float32)
    time = torch.tensor([0.1, 0.5, 0.9]) if kind == "noise" else None
    cpu = network(kind, features=32).float()
    there = maybe_compile(network(kind, features=32).float().to("cuda"))
    assert there.execution == "triton"
    here = cpu(batch.numbers, batch.positions, batch.mask, time)
    out = there(*(v.cuda() for v in (batch.numbers, batch.positions, batch.mask)), None if time is None else time.cuda())
    for a, b in zip(here, out, strict=True):
        if a is not None:
            torch.testing.assert_close(b.cpu(), a, atol=1e-5, rtol=1e-4)
