"""A step of training on a GPU, by the Triton kernels and by plain PyTorch -> a line for each case on the standard output.

A step is what a training does for each batch: gather, diffuse, predict noise and time, differentiate, clip, AdamW. Elastic noise,
4 000 molecules of the embedded QM7. `step` is wall time, `gpu` what the GPU's kernels take of it (PyTorch's profiler), `draw` the
part before the network.

    python benchmarks/gpu.py [--features 128] [--steps 60] [--device cuda]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from morered.datasets import qm7
from morered.models.compile import maybe_compile
from morered.models.networks import DiffusionNetwork, build
from morered.settings.networks import ModelConfig
from morered.settings.training import training_config
from morered.training.diffusion_module import DiffusionModule

MOLECULES = 4000
WARM_UP, PROFILED = 20, 20
NOISE = {"kind": "elastic", "share": 0.5, "decades": 2.0}
#: Batch size, how the network is computed, precision of products of matrices.
CASES = ((256, "always", "tf32"), (512, "always", "tf32"), (256, "always", "float32"), (256, "never", "tf32"))


def measure(batch: int, compile: Any, precision: str, features: int, steps: int, device: torch.device) -> str:
    """One case."""
    on_gpu = device.type == "cuda"
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    config = training_config({"batch_size": batch, "max_steps": 1, "noise": NOISE})
    torch.manual_seed(0)
    network = build(ModelConfig(kind="morered-jt", features=features)).to(device)
    assert isinstance(network, DiffusionNetwork)
    maybe_compile(network, compile)
    data = qm7.load()[:MOLECULES].without_columns()
    module = DiffusionModule(network, config, data, data[:1])
    module.buckets = module.prepare(data, device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    number = 0

    def step() -> None:
        nonlocal number
        loss = module.training_step(module.plan.draw(number))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimiser.step()
        loss.item()  # a training looks at it as well
        number += 1

    def seconds(of: Any, times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            of()
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def draw() -> None:
        nonlocal number
        drawn = module.plan.draw(number)
        module.diffused(module.buckets[drawn.bucket].take(drawn.rows), number)
        number += 1

    warm = seconds(step, WARM_UP)
    whole, drawing = seconds(step, steps) / steps, seconds(draw, steps) / steps
    line = f"batch {batch}, {network.execution}, {precision}: first {WARM_UP} steps {warm:.1f} s, step {1e3 * whole:.2f} ms"
    line += f", draw {1e3 * drawing:.2f} ms"
    if on_gpu:
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            seconds(step, PROFILED)
        busy = sum(event.self_device_time_total for event in profiler.key_averages()) / PROFILED / 1e3
        line += f", gpu {busy:.2f} ms, {torch.cuda.max_memory_allocated() / 1e9:.1f} GB"
    return line


def main() -> None:
    """All cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    print(torch.cuda.get_device_name() if device.type == "cuda" else "CPU", "PyTorch", torch.__version__)
    for case in CASES:
        print(measure(*case, arguments.features, arguments.steps, device), flush=True)


if __name__ == "__main__":
    main()
