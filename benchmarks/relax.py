"""Milliseconds per molecule of every way to relax one -> results/bench/relax.csv and figures beside it.

Inputs are minima of the embedded QM7 after 250 steps of the forward process (alkanes and a diol for given numbers of atoms). All
runs use one core; what runs in this process is measured in CPU time, which a busy machine does not stretch, and what runs in
worker processes in wall time inside them. Each number is the least of the repeats.

    study       complete: relaxations as a user runs them; batch size, atoms: cut off after a few evaluations, which is where
                batches and sizes matter; pool: GFN2-xTB in worker processes, wall time once all workers have answered
    evaluations_per_molecule       calls of a network, both counted where there are two; steps of a program
    outside_network_percent        share of the time that the engine takes besides the networks
    efficiency                     of the pool: time of one worker over (workers x their time); of idle cores only
    weights     shipped, or random where none ship. Time per evaluation does not depend on training. A network with random
                weights never converges: its runs stop after as many evaluations as `--cap` says, complete ones too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from calculators import pool_seconds
from morered.datasets import qm7
from morered.datasets.smiles import conformers
from morered.datasets.testsets import diffused_inputs
from morered.figures import bars
from morered.metrics.tables import write_table
from morered.models import weights
from morered.models.networks import DiffusionNetwork, Potential, build
from morered.models.shipped import names as shipped_names
from morered.models.weights import LoadedModel, WeightsHeader
from morered.relaxation import DiffusionMethod, Method, PotentialMethod, from_config, relax
from morered.relaxation.downhill.one_molecule import relax_molecule
from morered.settings.networks import ModelConfig
from morered.settings.presets import started
from morered.settings.relaxation import Settled, StopRules
from morered.structures import Structures

ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_TOP_PAD_": "268435456"}

#: Names of the weights that ship, by what a method needs them for.
SHIPPED = {
    "jt": "morered-jt",
    "elastic": "morered-jt-elastic",
    "noise": "morered-noise",
    "time": "morered-time",
    "mlff": "morered-mlff",
}
#: Methods as in a config; models by their part in `SHIPPED`.
METHODS: dict[str, dict[str, Any]] = {
    "MoreRed-JT": {"relaxer": "morered", "model": "jt"},
    "MoreRed-AS": {"relaxer": "morered", "noise": "noise", "time": "time"},
    "MoreRed-ITP": {"relaxer": "morered", "noise": "noise", "time": "time", "schedule": "initial"},
    "DDPM, t = 250": {"relaxer": "morered", "noise": "noise", "schedule": "fixed", "start_step": 249},
    "JT, deterministic": {"relaxer": "morered", "model": "jt", "stochastic": False},
    "JT, DDIM": {"relaxer": "morered", "model": "jt", "move": "ddim"},
    "JT, jumps": {"preset": "fast", "model": "elastic", "move": "jump"},
    "JT, damped jumps": {"preset": "fast", "model": "elastic", "move": "jump", "damping": 0.5},
    "JT, fast": {"preset": "fast", "model": "elastic"},
    "JT, balanced": {"preset": "balanced", "model": "elastic"},
    "JT, accurate": {"preset": "accurate", "model": "elastic"},
    "MLFF, batched L-BFGS": {"relaxer": "mlff", "model": "mlff"},
    "MLFF, ASE's L-BFGS": {"relaxer": "mlff", "model": "mlff", "optimizer": "ase"},
    "AIMNet2": {"preset": "aimnet2"},
    "SO3LR": {"preset": "so3lr"},
    "GFN2-xTB": {"relaxer": "gfn2"},
    "GFN1-xTB": {"relaxer": "gfn1"},
    "MMFF94": {"relaxer": "mmff94", "variant": "paper"},
    "MMFF94, tight": {"relaxer": "mmff94", "variant": "tight"},
}
#: What the batched L-BFGS goes down on. The network of the first alone is watched: of the others an evaluation is a step.
POTENTIALS = ("mlff", "aimnet2", "so3lr")
#: Molecules of so many atoms that QM7 does not have.
LARGER = {25: "CCCCCC(O)CO", 26: "CCCCCCCC"}
#: What bounds the largest batches and sizes in a scan.
WORK = 512


class Plan(NamedTuple):
    """How much is measured."""

    molecules: int
    programs: int
    batch_sizes: tuple[int, ...]
    atoms: tuple[int, ...]
    repeats: int
    workers: tuple[int, ...]


FULL = Plan(64, 16, (1, 4, 16, 64, 256, 512), (5, 10, 15, 20, 25), 2, (1, 2))
QUICK = Plan(16, 4, (1, 32), (5, 15, 25), 1, (1, 2))


class Meter:
    """CPU seconds and molecules that went through a method's networks."""

    def __init__(self) -> None:
        self.seconds, self.molecules = 0.0, 0

    def watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, metered; its first argument has a row for each molecule."""

        def call(numbers: torch.Tensor, *arguments: Any, **options: Any) -> Any:
            begin = time.process_time()
            result = function(numbers, *arguments, **options)
            self.seconds += time.process_time() - begin
            self.molecules += len(numbers)
            return result

        return call


class Models:
    """The networks, shipped ones where they are, each metered."""

    def __init__(self, features: int, shipped: bool) -> None:
        self.meter = Meter()
        self.origin: dict[str, str] = {}
        self._loaded: dict[str, LoadedModel] = {}
        for part, name in SHIPPED.items():
            self.origin[part] = "shipped" if shipped and name in shipped_names() else "random"
            model = weights.load(name) if self.origin[part] == "shipped" else new_model(part, features)
            self._loaded[part] = model
            watched = "forward" if isinstance(model.network, DiffusionNetwork) else "energy_forces"
            setattr(model.network, watched, self.meter.watched(getattr(model.network, watched)))

    def method(self, name: str, cap: int | None) -> tuple[Method, str]:
        """A method with its models in it, at most ``cap`` evaluations long, and where its models are from."""
        config = dict(METHODS[name])
        parts = {config[role] for role in ("model", "noise", "time") if role in config}
        origin = "random" if any(self.origin[part] == "random" for part in parts) else "shipped" if parts else ""
        for role in ("model", "noise", "time"):
            if role in config:
                config[role] = self._loaded[config[role]]
        if cap is not None:
            config["steps"] = cap
        method = from_config(config, path=name)
        if origin == "random" or cap is not None:  # rules are looked at as ever, but end nothing before the cap
            if isinstance(method, DiffusionMethod) and method.stop.settled is not None:
                method = _replace(method, stop=StopRules(settled=Settled(window=1, threshold=1e-12)))
            if isinstance(method, PotentialMethod):
                method = _replace(method, fmax=1e-12)
        return method, origin


def _replace(method: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(method, **changes)


def new_model(part: str, features: int) -> LoadedModel:
    """Random weights; all times are predicted to be 0.02, where steps are small, so that no structure explodes."""
    kind = {"jt": "morered-jt"}.get(part, part)
    torch.manual_seed(0)
    network = build(ModelConfig(kind=kind, features=features)).eval()
    if isinstance(network, DiffusionNetwork) and network.time_head is not None:
        *_, weight, bias = network.time_head.parameters()
        with torch.no_grad():
            weight.zero_()
            bias.fill_(0.02)
    assert isinstance(network, DiffusionNetwork | Potential)
    return LoadedModel(network, network.config, WeightsHeader(), "")


# --------------------------------------------------------------------- molecules


def named(structures: Structures, count: int) -> Structures:
    """So many of them, over and over, each with a name and so a noise of its own, diffused to step 250."""
    chosen = structures.without_columns()[np.arange(count) % len(structures)]
    chosen.ids = np.array([b"m%d" % m for m in range(count)])
    chosen.references = chosen.ids.copy()
    return diffused_inputs(chosen).without_columns()


def mixed(minima: Structures, count: int) -> Structures:
    """Molecules of all sizes."""
    return named(minima[np.random.default_rng(0).choice(len(minima), count, replace=False)], count)


def sized(minima: Structures, atoms: int, count: int) -> Structures:
    """Molecules of one size."""
    if atoms in LARGER:
        numbers, positions = conformers(LARGER[atoms], 1, 0)
        return named(Structures.build([numbers], [positions[0]], ["larger"]), count)
    return named(minima[np.flatnonzero(minima.sizes == atoms)], count)


# --------------------------------------------------------------------- measuring


def measure(name: str, structures: Structures, models: Models, repeats: int, *, batch_size: int | None = None, cap: int | None):
    """One row of the table: a method on molecules, one core."""
    method, origin = models.method(name, cap)
    program = not isinstance(method, DiffusionMethod | PotentialMethod)
    best = (np.inf, np.inf, np.inf)
    for _ in range(repeats):
        models.meter.seconds, models.meter.molecules = 0.0, 0
        begin = time.process_time()
        done = relax(structures, method, batch_size=batch_size, workers=1).structures
        spent = float(done.column("seconds").sum()) if program else time.process_time() - begin
        evaluations = models.meter.molecules or int(done.column("steps").sum())
        best = min(best, (spent, models.meter.seconds, evaluations))
    spent, inside, evaluations = best
    verdicts = done.column("verdict")
    engine = models.meter.molecules > 0 and not (isinstance(method, PotentialMethod) and method.optimizer == "ase")
    return {
        "ms_per_molecule": 1e3 * spent / len(structures),
        "evaluations_per_molecule": evaluations / len(structures),
        "ms_per_evaluation": 1e3 * spent / max(evaluations, 1),
        "outside_network_percent": 100.0 * (1.0 - inside / spent) if engine else np.nan,
        "molecules": len(structures),
        "mean_atoms": float(structures.sizes.mean()),
        "converged_percent": 100.0 * float((verdicts == b"converged").mean()),
        "failed_percent": 100.0 * float(np.isin(verdicts, (b"failed", b"refused")).mean()),
        "weights": origin,
    }


def is_program(name: str) -> bool:
    """Whether a method runs in worker processes, one molecule at a time."""
    relaxer = started(METHODS[name], name)["relaxer"]
    return relaxer != "morered" and relaxer not in POTENTIALS


def rows(plan: Plan, models: Models, only: list[str], cap: int) -> Iterator[dict[str, Any]]:
    """All rows, one after another."""
    minima = qm7.load().without_columns()
    batched = [name for name in only if not is_program(name) and METHODS[name].get("optimizer") != "ase"]
    few = 5 if plan is QUICK else 10  # evaluations in the scans
    for name in only:
        origin = models.method(name, None)[1]
        slow = is_program(name) or METHODS[name].get("optimizer") == "ase"
        structures = mixed(minima, plan.programs if slow else plan.molecules)
        limit = cap if origin == "random" else None
        measure(name, structures[:2], models, 1, cap=2)  # kernels are loaded, workers' code is on disk
        row = measure(name, structures, models, plan.repeats, cap=limit)
        yield {"study": "complete", "method": name, "case": name, **row}
    for name, size in itertools.product(batched, plan.batch_sizes):
        structures = sized(minima, 15, min(max(size, 8), WORK))
        row = measure(name, structures, models, plan.repeats, batch_size=size, cap=few)
        yield {"study": "batch size", "method": name, "case": f"{name}, batch {size}", "batch_size": size, **row}
    for name, atoms in itertools.product(only, plan.atoms):
        slow = is_program(name) or METHODS[name].get("optimizer") == "ase"
        structures = sized(minima, atoms, plan.programs if slow else plan.molecules)
        row = measure(name, structures, models, plan.repeats, cap=None if is_program(name) else few)
        yield {"study": "atoms", "method": name, "case": f"{name}, {atoms} atoms", "atoms": atoms, **row}
    if "GFN2-xTB" in only:
        yield from pool(minima, plan)


def pool(minima: Structures, plan: Plan) -> Iterator[dict[str, Any]]:
    """GFN2-xTB in worker processes."""
    structures = sized(minima, 15, 8 * plan.programs)
    tasks = [(molecule.numbers, np.array(molecule.positions)) for molecule in structures]
    alone = np.nan
    for workers in plan.workers:
        # A fixed number of steps, so that the last task to end does not decide.
        work = partial(relax_molecule, program="gfn2", steps=10)
        spent = min(pool_seconds(work, tasks, workers)[1] for _ in range(plan.repeats))
        alone = spent if workers == 1 else alone
        yield {
            "study": "pool",
            "method": "GFN2-xTB",
            "case": f"GFN2-xTB, {workers} worker{'s' * (workers > 1)}",
            "ms_per_molecule": 1e3 * spent / len(tasks),
            "evaluations_per_molecule": 10.0,
            "ms_per_evaluation": 1e2 * spent / len(tasks),
            "efficiency": alone / (workers * spent),
            "molecules": len(tasks),
            "mean_atoms": 15.0,
        }


# --------------------------------------------------------------------- figures


def draw(table: pd.DataFrame, stem: Path) -> None:
    """Complete relaxations, and time per evaluation by batch size and by number of atoms."""
    note = " (random weights, cut off)" if (table["weights"] == "random").any() else ""
    complete = table[table["study"] == "complete"]
    bars.draw(
        complete, f"{stem}-complete", value="ms_per_molecule", label="ms per molecule, one core", log=True,
        title=f"a complete relaxation{note}",
    )  # fmt: skip
    for study, column in (("batch size", "batch_size"), ("atoms", "atoms")):
        part = table[(table["study"] == study) & (table["weights"] != "")]
        if len(part):
            part = part.assign(series=part[column].astype(int).astype(str))
            bars.draw(
                part, f"{stem}-{column.replace('_', '-')}", value="ms_per_evaluation", case="method", series="series",
                label="ms per evaluation, one core", title=f"by {study}", log=True,
            )  # fmt: skip


def write(found: list[dict[str, Any]], path: Path) -> pd.DataFrame:
    """The rows so far as a table."""
    table = pd.DataFrame(found)
    for column in ("batch_size", "atoms", "efficiency", "outside_network_percent"):
        table[column] = table.get(column, np.nan)
    table["weights"] = table["weights"].fillna("")
    columns = ["case", "ms_per_molecule", "evaluations_per_molecule", "ms_per_evaluation", "outside_network_percent"]
    table = table[[*columns, *(name for name in table.columns if name not in columns)]]
    write_table(table, path)
    return table


def main() -> None:
    """Measure, write the table, draw it, and say what the engine costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/bench/relax.csv"))
    parser.add_argument("--quick", action="store_true", help="fewer points, fewer molecules, no repeats")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD", help="these methods")
    parser.add_argument("--features", type=int, default=64, help="of networks with random weights (default: %(default)s)")
    parser.add_argument("--random", action="store_true", help="random weights also where there are shipped ones")
    parser.add_argument("--cap", type=int, default=40, help="evaluations of random networks (default: %(default)s)")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    models = Models(arguments.features, not arguments.random)
    found = []
    for row in rows(QUICK if arguments.quick else FULL, models, arguments.only, arguments.cap):
        found.append(row)
        outside = row.get("outside_network_percent", np.nan)
        print(
            f"{row['case']:<32} {row['ms_per_molecule']:>10.3f} ms  {row['evaluations_per_molecule']:>7.1f} evaluations"
            + (f"  {outside:>5.1f} % outside the network" if np.isfinite(outside) else "")
            + (f"  efficiency {row['efficiency']:.2f}" if "efficiency" in row else ""),
            flush=True,
        )
        table = write(found, arguments.out)  # after each, so that a run which is ended early leaves what it has
    draw(table, arguments.out.with_suffix(""))


if __name__ == "__main__":
    if sys.platform == "linux" and not any(name in os.environ for name in ALLOCATOR):
        os.environ.update(ALLOCATOR)  # read by the C library when a program starts
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main()
