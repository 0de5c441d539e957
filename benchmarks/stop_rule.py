"""What step networks predict at minima and a little noise away from them: can `t <= 0` be met? -> results/bench/stop_rule.csv.

    python benchmarks/stop_rule.py                                   # the networks that ship, on QM7's validation minima
    python benchmarks/stop_rule.py results/networks/models/*/weights.safetensors

One row a network and a true step of isotropic noise, as the paper's process adds it; step 0 is the minimum itself:

    displaced             Å of an atom, root mean square, that the true step stands for
    median, low, high     predicted step, and the 5 and 95 % quantiles over molecules
    at_zero_percent       molecules that are predicted to be at step 0: the relaxation would end
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch

from morered.batching import batches, pad
from morered.datasets import qm7
from morered.diffusion.forward import diffuse
from morered.diffusion.random_numbers import centre, normal, stream
from morered.diffusion.schedule import NoiseSchedule
from morered.metrics.tables import write_table
from morered.models import weights
from morered.structures import Structures

SHIPPED = ("morered-jt", "morered-time", "morered-jt-elastic")
#: True steps, as array indices: 0 is the minimum without noise.
STEPS = (0, 1, 2, 4, 8, 16, 32, 64)


@torch.no_grad()
def predicted(model: weights.LoadedModel, minima: Structures, step: int) -> np.ndarray:
    """The predicted step of every minimum after so many steps of noise."""
    d = model.config.diffusion
    schedule = NoiseSchedule(d.schedule, d.T, d.s, d.time_scale)
    found = np.empty(len(minima), np.int64)
    for chosen, size in batches(minima.sizes, 64):
        batch = pad(minima, chosen, size)
        x = centre(batch.positions, batch.mask)
        if step:
            noise = normal(stream(0, "stop rule"), batch.keys, torch.full_like(batch.keys, step), batch.n_padded)
            x = diffuse(x, torch.full_like(batch.keys, step), centre(noise, batch.mask), schedule)
        time = model.network(batch.numbers, x.to(model.network.dtype), batch.mask, **batch.stated).time
        found[chosen] = schedule.step(time).numpy()
    return found


def rows(names: list[str], minima: Structures) -> Iterator[dict[str, Any]]:
    """One for each network and step."""
    for name in names:
        model = weights.load(name)
        d = model.config.diffusion
        alpha_bar = NoiseSchedule(d.schedule, d.T, d.s, d.time_scale).alpha_bar
        for step in STEPS:
            steps = predicted(model, minima, step)
            low, median, high = np.quantile(steps, [0.05, 0.5, 0.95])
            yield {
                "weights": Path(name).parent.name if Path(name).stem == "weights" else Path(name).stem,
                "n": len(minima),
                "step": step,
                "displaced": float((3 * (1 - alpha_bar[step])).sqrt()) if step else 0.0,
                "median": median,
                "low": low,
                "high": high,
                "at_zero_percent": 100 * float((steps == 0).mean()),
            }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", default=list(SHIPPED), help="networks that predict times: names or files")
    parser.add_argument("-o", "--output", type=Path, default=Path("results/bench/stop_rule.csv"))
    options = parser.parse_args()
    minima = qm7.load()
    minima = minima[minima.index_of(qm7.default_split().validation)]
    found = []
    for row in rows(options.weights, minima):
        found.append(row)
        print(pd.DataFrame(found[-1:]).round(3).to_string(index=False, header=len(found) == 1), flush=True)
    write_table(pd.DataFrame(found), options.output)


if __name__ == "__main__":
    main()
