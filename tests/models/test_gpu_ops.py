"""The kernels for GPUs: by Triton's interpreter everywhere, compiled where there is a GPU."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from models_support import network, random_molecules

from morered.batching import pad
from morered.models import compile as compile_module
from morered.models import gpu
from morered.models.compile import maybe_compile
from morered.models.networks import Network


@pytest.mark.slow
def test_the_interpreted_kernels_are_pytorchs_steps() -> None:
    """In a process of its own: Triton decides on its import whether it interprets."""
    script = Path(__file__).parent / "gpu_ops_support.py"
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    run = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout == "agree\n", run.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("sizes", [(2, 5, 16), (3, 7, 24), (5, 23, 128), (2, 34, 40), (3, 23, 256), (2, 34, 512)])
def test_the_compiled_kernels_are_pytorchs_steps(sizes: tuple[int, int, int]) -> None:
    from gpu_ops_support import check

    check("cuda", *sizes)


@pytest.mark.gpu
@pytest.mark.parametrize("features", [32, 128, 256])
def test_forces_on_a_gpu_are_pytorchs(features: int) -> None:
    from gpu_ops_support import check_forces

    check_forces("cuda", features)


@pytest.mark.gpu
@pytest.mark.parametrize("features", [32, 256, 512])
@pytest.mark.parametrize("kind", ["morered-jt", "noise", "time"])
def test_networks_give_on_a_gpu_what_they_give_on_a_cpu(kind: str, features: int) -> None:
    batch = pad(random_molecules((4, 7, 9)), dtype=torch.float32)
    time = torch.tensor([0.1, 0.5, 0.9]) if kind == "noise" else None
    cpu = network(kind, features=features).float()
    there = maybe_compile(network(kind, features=features).float().to("cuda"))
    assert there.execution == "triton"
    here = cpu(batch.numbers, batch.positions, batch.mask, time)
    out = there(*(v.cuda() for v in (batch.numbers, batch.positions, batch.mask)), None if time is None else time.cuda())
    for a, b in zip(here, out, strict=True):
        if a is not None:
            torch.testing.assert_close(b.cpu(), a, atol=1e-5, rtol=1e-4)


OLD = SimpleNamespace(name="Tesla P100", major=6, minor=0, shared_memory_per_block_optin=49152)
SMALL = SimpleNamespace(name="a small one", major=8, minor=9, shared_memory_per_block_optin=32768)
FIT = SimpleNamespace(name="H100", major=9, minor=0, shared_memory_per_block_optin=232448)


@pytest.fixture
def on_a_gpu(monkeypatch):
    """As if networks were on a GPU of these properties, the kernels being installed."""

    def pretend(properties: SimpleNamespace) -> None:
        monkeypatch.setattr(gpu, "fits", lambda representation: True)
        monkeypatch.setattr(gpu, "available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
        monkeypatch.setattr(Network, "kernels_fit", lambda network: False)
        compile_module._warn.cache_clear()

    return pretend


@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
@pytest.mark.parametrize(
    ("properties", "words"),
    [(OLD, r"Tesla P100 .* compute capability 6\.0, .* 8\.0"), (SMALL, r"a small one .* 32 kB of shared memory, .* kB")],
)
def test_a_gpu_that_the_kernels_do_not_fit_runs_pytorch(on_a_gpu, kind: str, properties: SimpleNamespace, words: str) -> None:
    on_a_gpu(properties)
    with pytest.warns(UserWarning, match=words):
        assert maybe_compile(network(kind).float()).execution == "plain"
    assert maybe_compile(network(kind).float(), "always").execution == "compiled"


def test_a_force_field_that_is_used_does_not_wait_for_a_compilation(on_a_gpu) -> None:
    """Only one that is trained does: its loss differentiates the forces, which the kernels cannot."""
    on_a_gpu(FIT)
    field = network("mlff").float()
    assert maybe_compile(field.eval()).execution == "triton"
    assert maybe_compile(field.train()).execution == "waiting"
    assert maybe_compile(network("time").float().train()).execution == "triton"
