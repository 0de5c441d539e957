"""Estimates how sure a result is: molecules are relaxed again, and the times that their atoms predict are compared.

    seed_spread  float64  Å, mean RMSD between the results of all runs; NaN where fewer than two relaxed the molecule
    time_spread  float64  standard deviation over the atoms of the times predicted for the result, in [0, 1]; diffusion only

Measured with a small MoreRed-JT (64 features) on diffused minima of QM7: the seed spread of three stochastic runs ranks molecules
by their true error (Spearman 0.6 to 0.7), that of three accelerated runs does so less (0.3 to 0.4), and the time spread hardly
(-0.1 to 0.1).

Shapes: M molecules, A atoms (flat), B batch, N padded atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from morered.batching import batches, pad
from morered.checks.known import stated_alone
from morered.metrics.rmsd import rmsd
from morered.metrics.tables import UNRELAXED
from morered.models.compile import Mode
from morered.relaxation.auto import network_of
from morered.relaxation.networks import loaded
from morered.relaxation.recording import Recording
from morered.relaxation.result import Result
from morered.relaxation.samplers.perturb import perturbed
from morered.relaxation.stages import relax_stages
from morered.settings.auto import AutoMethod
from morered.settings.relaxation import DiffusionMethod, Method
from morered.structures import Column, Structures

#: Å. How far a further run of a method without noise of its own starts from the input, per coordinate.
PERTURBATION = 0.05


def relax_repeatedly(
    structures: Structures,
    stages: Sequence[Method],
    runs: int,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    compile: Mode = "auto",
    recording: Recording | None = None,
    **options: Any,
) -> Result:
    """Relax once for the result, and again to see how far it can be trusted.

    Parameters
    ----------
    structures
        M molecules.
    stages
        See `morered.relaxation.stages.relax_stages`.
    runs
        How often all is relaxed, at least 2. Further runs of a stochastic method have the seeds after ``seed``; those of any
        other start from the input perturbed by `PERTURBATION`.
    seed, device, compile, recording, **options
        Those of `relax_stages`; only the first run is recorded.

    Returns
    -------
    Result
        Of the first run, undisturbed, with the columns above.

    Raises
    ------
    ValueError
        If there are fewer than two runs.
    """
    if runs < 2:
        raise ValueError(f"a spread needs at least 2 runs, not {runs}")
    options |= {"device": device, "compile": compile}
    done = relax_stages(structures, stages, seed=seed, recording=recording, **options)
    results, interrupted = [done.structures], done.interrupted
    going = np.flatnonzero(_relaxed(done.structures))
    again = stated_alone(structures)[going]
    for k in range(1, runs):
        if interrupted or not len(going):
            break
        start = again if _is_stochastic(stages[0]) else perturbed(again, PERTURBATION, seed + k)
        try:
            run = relax_stages(start, stages, seed=seed + k, **options)
        except KeyboardInterrupt:  # before this run began
            interrupted = True
            break
        interrupted = run.interrupted
        results.append(run.structures)
    columns = {"seed_spread": Column(np.full(len(structures), np.nan), "Å")}
    columns["seed_spread"].values[going] = seed_spread([results[0][going], *results[1:]])
    if (spread := _time_spread(done.structures, stages[0], device, compile)) is not None:
        columns["time_spread"] = Column(spread)
    return replace(done, structures=done.structures.with_columns({**done.structures.columns, **columns}), interrupted=interrupted)


def seed_spread(results: Sequence[Structures]) -> NDArray[np.float64]:
    """Mean RMSD in Å between the results of several runs, superposed, [M]; a run that did not relax a molecule does not count."""
    total, pairs = np.zeros(len(results[0])), np.zeros(len(results[0]))
    for a, b in combinations(results, 2):
        both = _relaxed(a) & _relaxed(b)
        total[both] += rmsd(a.without_columns()[both], b.without_columns()[both])
        pairs += both
    return np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan)


def time_spread(
    results: Structures,
    method: DiffusionMethod,
    *,
    device: torch.device | str = "cpu",
    compile: Mode = "auto",
    batch_size: int = 128,
) -> NDArray[np.float64]:
    """Standard deviation over each molecule's atoms of the times that the method's model predicts for the result, [M].

    NaN for a molecule that was not relaxed, whose elements the model does not know, or for which it gives no number.
    """
    spread = np.full(len(results), np.nan)
    model = loaded(method.time, device, "time", compile=compile).network
    strange = np.zeros(len(results), dtype=bool)
    if model.elements:  # another method may have relaxed what this model does not know
        strange[results.molecule_index[~np.isin(results.numbers, sorted(model.elements))]] = True
    going = np.flatnonzero(_relaxed(results) & ~strange)
    chosen = results.without_columns()[going].centred()
    with torch.no_grad():
        for index, n_padded in batches(chosen.sizes, batch_size):
            batch = pad(chosen, index, n_padded, device, model.dtype)
            times = model(batch.numbers, batch.positions, batch.mask, **batch.stated).time_atoms.clamp(0.0, 1.0).to(torch.float64)
            mean = (times * batch.mask).sum(dim=1, keepdim=True) / batch.mask.sum(dim=1, keepdim=True)
            variance = ((times - mean).square() * batch.mask).sum(dim=1) / batch.mask.sum(dim=1)
            spread[going[index]] = variance.sqrt().cpu().numpy()
    return spread


def _time_spread(results: Structures, method: Method, device: torch.device | str, compile: Mode) -> NDArray[np.float64] | None:
    """`time_spread` by the network that made each result, [M]; None where none predicts times."""
    if isinstance(method, AutoMethod):
        spread = np.full(len(results), np.nan)
        for chosen, network in network_of(results, method):
            spread[chosen] = time_spread(results[chosen], network, device=device, compile=compile)
        return spread
    if not isinstance(method, DiffusionMethod) or method.time is None:
        return None
    return time_spread(results, method, device=device, compile=compile)


def _relaxed(structures: Structures) -> NDArray[np.bool_]:
    return ~np.isin(structures.column("verdict"), [verdict.encode() for verdict in UNRELAXED])


def _is_stochastic(method: Method) -> bool:
    if not isinstance(method, DiffusionMethod):
        return False
    return method.start == "noise" or (method.move == "reverse" and method.stochastic)
