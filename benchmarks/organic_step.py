"""What a training step and an evaluation cost for organic molecules of about 40 atoms -> results/bench/organic_step.csv.

    python benchmarks/organic_step.py --features 64 128 192

One thread, CPU seconds, batches of 16 molecules (ETKDG and MMFF94 conformers of frozen test molecules of 38 to 42 atoms, as they
need no reference), the noise of config/organic.yaml. The two take turns; each number is the median of the repeats.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rdkit import Chem

from morered.datasets.organic import choice, minima
from morered.models.networks import DiffusionNetwork, build
from morered.settings.networks import ModelConfig
from morered.settings.training import training_config
from morered.structures import Structures
from morered.training.diffusion_module import DiffusionModule
from morered.training.processes import Processes

MOLECULES, ATOMS = 16, (38, 42)
NOISE = {"kind": "elastic", "forces": "valence", "fixed_norm": True, "share": 0.6, "decades": 4.0}


def drawn() -> Structures:
    """The molecules."""
    numbers, positions, names = [], [], []
    for entry in choice.frozen_tests():
        molecule = Chem.AddHs(Chem.MolFromSmiles(entry.smiles))
        if ATOMS[0] <= molecule.GetNumAtoms() <= ATOMS[1] and Chem.GetFormalCharge(molecule) == 0:
            positions.append(minima.conformers(molecule, 1, minima.seed_of(entry))[0])
            numbers.append(np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8))
            names.append(entry.name)
        if len(names) == MOLECULES:
            break
    return Structures.build(numbers, positions, names)


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(structures: Structures, features: int, repeats: int) -> dict[str, float]:
    """Milliseconds a molecule: of a step (draw, loss, gradients, AdamW), and of an evaluation."""
    network = build(ModelConfig(features=features, charges=2))
    assert isinstance(network, DiffusionNetwork)
    config = training_config({"batch_size": MOLECULES, "max_steps": 10_000, "noise": NOISE, "step_power": 2, "device": "cpu"})
    module = DiffusionModule(network, config, structures, structures)
    module.begin(Processes(torch.device("cpu")))
    module.compile()
    optimizer = module.optimizer()
    draws = iter([draw for _ in range(repeats + 3) for draw in module.round()])
    bucket = module.buckets[0]
    noisy = module.diffused(bucket, 0)

    def evaluate() -> None:
        with torch.no_grad():
            network(noisy.numbers, noisy.positions, noisy.mask)

    step: list[float] = []
    evaluation: list[float] = []
    for turn in range(repeats + 2):
        draw = next(draws)._replace(number=turn + 1)
        pair = (seconds(lambda draw=draw: module.train_on(draw, optimizer)), seconds(evaluate))  # type: ignore[misc]
        if turn >= 2:  # kernels are chosen and noise is drawn ahead in the first ones
            step.append(pair[0])
            evaluation.append(pair[1])
    each = 1e3 / len(bucket)
    return {"step_ms": each * statistics.median(step), "evaluation_ms": each * statistics.median(evaluation)}


def main() -> None:
    """Write the table and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, nargs="+", default=[64, 128, 192])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path, default=Path("results/bench/organic_step.csv"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    structures = drawn()
    common = {"molecules": len(structures), "atoms": float(structures.sizes.mean())}
    table = pd.DataFrame([{"features": f, **common, **measure(structures, f, given.repeats)} for f in given.features])
    given.output.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(given.output, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
