"""The kernels on machines with longer and shorter registers, and that they pay on this one."""

import itertools
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch
from models_support import network, predict, random_molecules

from morered.batching import pad
from morered.models.compile import maybe_compile
from morered.models.config import ModelConfig
from morered.models.native import library
from morered.models.networks import build

#: Levels of x86-64 that kernels are made for, and the flag by which a CPU says that it has the registers.
LEVELS = {"x86-64-v2": "sse4_2", "x86-64-v3": "avx2", "x86-64-v4": "avx512vl"}
HERE = LEVELS if platform.machine() == "x86_64" else {"native": ""}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def compiled_for(monkeypatch, cache):
    """Compile the kernels for a kind of machine and use them from then on."""

    def compile_for(compiler: str, level: str) -> None:
        monkeypatch.setenv("CXX", compiler)
        monkeypatch.setattr(library, "MACHINE", (f"-march={level}",))
        library.load.cache_clear()
        library.load()

    monkeypatch.setenv("MORERED_CACHE", str(cache))
    yield compile_for
    library.load.cache_clear()


def runs(level: str) -> bool:
    return not HERE[level] or HERE[level] in Path("/proc/cpuinfo").read_text()


@pytest.mark.parametrize("level", itertools.filterfalse(runs, HERE))
def test_kernels_compile_for_levels_that_this_machine_lacks(level, tmp_path):
    out = str(tmp_path / "kernels.so")
    subprocess.run([library.find_compiler(), *library.FLAGS, f"-march={level}", str(library.SOURCE), "-o", out], check=True)


#: Each level by one compiler, and one level by each compiler that is here.
RUNS = [(library.find_compiler(), level) for level in filter(runs, HERE)]
others = {os.path.realpath(path): path for path in filter(None, map(shutil.which, ("g++", "clang++")))}
others.pop(os.path.realpath(RUNS[0][0]), None)
RUNS += [(path, RUNS[-1][1]) for path in others.values()]


@pytest.mark.parametrize(("compiler", "level"), RUNS)
@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
def test_results_do_not_depend_on_the_length_of_registers(compiler, level, kind, compiled_for):
    """Outputs, and gradients by the weights."""
    batch = pad(random_molecules((4, 11, 14, 1, 16, 9, 23), seed=2), dtype=torch.float32)
    plain = build_plain(kind)
    expected = predict(plain, batch)
    gradients(plain, batch)
    compiled_for(compiler, level)
    kernels = network(kind, engine="kernels", features=48)  # no multiple of a panel's width
    for name, value in predict(kernels, batch).items():
        error = (value - expected[name]).abs().max() / expected[name].abs().max()
        assert error < 1e-5, f"{name}: {error}"
    gradients(kernels, batch)
    for (name, ours), theirs in zip(kernels.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            error = (ours.grad - theirs.grad).abs().max() / theirs.grad.abs().max().clamp(min=1e-6)
            assert error < 1e-5, f"{name}: {error}"


def build_plain(kind: str) -> torch.nn.Module:
    return maybe_compile(network(kind, engine="kernels", features=48), "never")


def gradients(model: torch.nn.Module, batch) -> None:
    inputs = (batch.numbers, batch.positions, batch.mask)
    if model.config.kind == "mlff":
        energy, forces = model.energy_forces(*inputs, create_graph=True)
        (energy.float().square().sum() + forces.square().sum()).backward()
    else:
        output = model(*inputs)
        (output.noise.square().sum() + output.time_atoms.square().sum()).backward()


@pytest.mark.parametrize("work", ["forward", "step"])
def test_kernels_pay_on_this_machine(work):
    """1.7 times plain PyTorch's speed or more (4 was measured with AVX2): vectors longer than registers once made it 0.25."""
    torch.manual_seed(0)
    batch = pad(random_molecules((14, 15, 16, 17) * 8, seed=1), dtype=torch.float32)
    config = ModelConfig(kind="morered-jt", features=128)
    seconds = {}
    for mode in ("never", "auto"):
        model = maybe_compile(build(config), mode)
        run = (lambda m=model: gradients(m, batch)) if work == "step" else (lambda m=model: predict(m, batch))
        run()
        seconds[mode] = min(cpu_seconds(run) for _ in range(7))
    assert seconds["never"] > 1.7 * seconds["auto"], seconds


def cpu_seconds(run) -> float:
    """Of this thread and those it waits for: what else the machine does counts little."""
    start = time.process_time()
    run()
    return time.process_time() - start
