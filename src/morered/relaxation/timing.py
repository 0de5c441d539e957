"""Measures the seconds that one step takes, for one molecule and for a batch: the second part of table D."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from morered.relaxation import DiffusionMethod, PotentialMethod, from_config, relax
from morered.structures import Structures, as_names

#: Molecules in a batch, the paper's.
BATCH = 128
#: Steps that are timed.
STEPS = 20


def measure(
    methods: Mapping[str, Mapping[str, Any]],
    inputs: Structures,
    *,
    batch: int = BATCH,
    steps: int = STEPS,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Time some steps of each method that runs on networks.

    Parameters
    ----------
    methods
        Name -> config with the weights filled in (`morered.relaxation.from_config`).
    inputs
        Structures to relax: the first alone, and ``batch`` of them together, again from the first where there are fewer.
    batch
        Molecules side by side.
    steps
        Steps that are timed, after some that are not: those load the weights and compile.
    device
        Where the networks run.

    Returns
    -------
    DataFrame
        method, batch, steps (timed), seconds_per_step (one molecule) and seconds_per_batch_step (wall time, loading left out).

    Raises
    ------
    ValueError
        If a method does not run on networks.
    """
    many = inputs.without_columns()[np.arange(batch) % len(inputs)]
    many = replace(many, ids=as_names([f"{k}" for k in range(batch)]))
    rows = []
    for name, config in methods.items():
        method = from_config(config, path=name)
        if not isinstance(method, (DiffusionMethod, PotentialMethod)):
            raise ValueError(f"{name}: only methods that run on networks take steps in batches")
        one, together = (_seconds(method, structures, steps, device) for structures in (many[[0]], many))
        rows.append((name, batch, steps, one, together))
    return pd.DataFrame(rows, columns=["method", "batch", "steps", "seconds_per_step", "seconds_per_batch_step"])


def _seconds(method: DiffusionMethod | PotentialMethod, structures: Structures, steps: int, device: torch.device | str) -> float:
    """Wall seconds of one step: a longer run less a shorter one, over the difference in steps; NaN where all stopped before."""
    spent, taken = [], []
    for cap in (2, 2, 2 + steps):  # the first run loads and compiles
        begin = time.perf_counter()
        done = relax(structures, replace(method, steps=cap), device=device, batch_size=len(structures)).structures
        spent.append(time.perf_counter() - begin)
        taken.append(int(done.column("steps").max()))
    more = taken[2] - taken[1]
    return max(spent[2] - spent[1], 0.0) / more if more > 0 else float("nan")
