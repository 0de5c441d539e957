"""The kernels of every instruction set: what they were compiled to, that they agree with PyTorch, and that they pay."""

import platform
import re
import subprocess
import time

import pytest
import torch
from models_support import network, predict, random_molecules

from morered.batching import pad
from morered.models.compile import maybe_compile
from morered.models.native import library
from morered.models.networks import build
from morered.relaxation.kernels import lbfgs_direction
from morered.relaxation.samplers.mixing import step
from morered.settings.networks import ModelConfig
from morered.settings.relaxation import Mixing

#: Instruction sets that are built here, and the registers that each may use: 128, 256 and 512 bits.
SETS = {"baseline": "xmm", "avx2": "ymm", "avx512": "zmm"} if platform.machine() == "x86_64" else {"baseline": ""}
HERE = library.available()


@pytest.fixture(params=HERE)
def kernels(request, monkeypatch):
    """An instruction set that this machine runs, used from then on."""
    monkeypatch.setenv(library.CHOICE, request.param)
    library.load.cache_clear()
    assert library.load().name == request.param
    yield request.param
    library.load.cache_clear()


def test_every_instruction_set_was_built():
    assert all(library._file(f"kernels_{name}") for name in SETS)
    assert "baseline" in HERE


@pytest.mark.parametrize("name", ["binding", *(f"kernels_{name}" for name in SETS if SETS[name])])
def test_compiled_code_uses_the_registers_of_its_set_and_no_longer_ones(name):
    """Also of sets that this machine lacks. The binding chooses among them, so it runs on every machine."""
    path = library._file(name)
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)], capture_output=True, text=True, check=True).stdout
    used = set(re.findall(r"%([xyz]mm)\d", code))
    widths = ["xmm", "ymm", "zmm"]
    longest = SETS.get(name.removeprefix("kernels_"), "xmm")
    assert max(used, key=widths.index) == longest
    assert ("vfmadd" in code) == (longest != "xmm")


@pytest.mark.parametrize("kind", ["morered-jt", "noise", "mlff"])
def test_results_do_not_depend_on_the_length_of_registers(kind, kernels):
    """Outputs, and gradients by the weights."""
    batch = pad(random_molecules((4, 11, 14, 1, 16, 9, 23), seed=2), dtype=torch.float32)
    plain = build_plain(kind)
    expected = predict(plain, batch)
    gradients(plain, batch)
    compiled = network(kind, engine="kernels", features=48)  # no multiple of a panel's width
    for name, value in predict(compiled, batch).items():
        error = (value - expected[name]).abs().max() / expected[name].abs().max()
        assert error < 1e-5, f"{name}: {error}"
    gradients(compiled, batch)
    for (name, ours), theirs in zip(compiled.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            error = (ours.grad - theirs.grad).abs().max() / theirs.grad.abs().max().clamp(min=1e-6)
            assert error < 1e-5, f"{name}: {error}"


def test_steps_of_optimisers_do_not_depend_on_the_length_of_registers(kernels):
    """Numbers of coordinates that fill registers, and that do not."""
    torch.manual_seed(4)
    for atoms in (1, 5, 16):
        s, y, f = torch.randn(3, 4, 3 * atoms).double(), torch.randn(3, 4, 3 * atoms).double(), torch.randn(3, 3 * atoms).double()
        rho = 1 / (s * y).sum(-1)
        direction = lbfgs_direction(s, y, rho, f, 2, 3, 0.1)
        torch.testing.assert_close(direction, two_loops(s, y, rho, f, [2, 3, 0], 0.1), rtol=1e-9, atol=1e-9)
        x, clean = torch.randn(3, atoms, 3).double(), torch.randn(3, atoms, 3).double()
        scratch = {f"mixing_{name}": torch.randn(3, 5, 3 * atoms).double() for name in ("dg", "df")}
        scratch |= {f"mixing_{name}": torch.randn(3, 3 * atoms).double() for name in ("g", "f")}
        taken, settings = torch.tensor([0, 2, 9]), Mixing()
        ours, theirs = ({name: value.clone() for name, value in scratch.items()} for _ in range(2))
        moved = step(settings, x, clean, taken, ours, 1, kernels=True)
        torch.testing.assert_close(moved, step(settings, x, clean, taken, theirs, 1), rtol=1e-9, atol=1e-9)


def two_loops(s, y, rho, f, order, h):
    """L-BFGS's recursion as it is printed (Nocedal and Wright, Algorithm 7.4)."""
    z, alphas = f.clone(), {}
    for k in reversed(order):
        alphas[k] = rho[:, k] * (s[:, k] * z).sum(-1)
        z = z - alphas[k][:, None] * y[:, k]
    z = h * z
    for k in order:
        z = z + (alphas[k] - rho[:, k] * (y[:, k] * z).sum(-1))[:, None] * s[:, k]
    return z


def build_plain(kind: str) -> torch.nn.Module:
    return maybe_compile(network(kind, engine="kernels", features=48), "never")


def gradients(model: torch.nn.Module, batch) -> None:
    inputs = (batch.numbers, batch.positions, batch.mask)
    if model.config.kind == "mlff":
        energy, forces = model.energy_forces(*inputs, create_graph=True)
        (energy.float().square().sum() + forces.square().sum()).backward()
    else:
        output = model(*inputs, None if model.time_head is not None else torch.full((len(batch),), 0.5))
        losses = [value.square().sum() for value in (output.noise, output.time_atoms) if value is not None]
        sum(losses).backward()


@pytest.mark.benchmark
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
