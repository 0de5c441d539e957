"""What more training gives: weights files beside each other on validation molecules -> results/bench/learning_curve.csv.

Inputs are the test sets of config/engine.yaml (`snakemake --cores all --configfile config/engine.yaml` with the two files of
`--inputs` as targets). Columns:

    seconds, samples        of the training, and of those it went on from where their files are there: molecules drawn
    ratio, failed_percent   median RMSD ratio and share of molecules with a ratio of 1 or more, accelerated moves, 40 at most
    pearson                 of the first predicted time and the RMSD from the minimum
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from morered import storage
from morered.datasets import qm7
from morered.metrics.evaluate import evaluate
from morered.metrics.tables import write_table
from morered.models import weights
from morered.relaxation import from_config, relax

MOVES = {"relaxer": "morered", "move": "accelerated", "steps": 40, "stop": {"settled": {"window": 2, "threshold": 0.003}}}


def spent(path: Path) -> tuple[float, int]:
    """Seconds and molecules drawn, those of the trainings before it included."""
    training = weights.load(path).header.training
    settings = training["settings"]
    before = settings.get("init")
    seconds, samples = spent(Path(before)) if before and Path(before).is_file() else (0.0, 0)
    return seconds + training["seconds"], samples + training["steps"] * settings["batch_size"]


def rows(paths: list[Path], inputs: Path) -> Iterator[dict[str, Any]]:
    """One for each file and test set."""
    minima = qm7.load()
    for path in paths:
        seconds, samples = spent(path)
        for testset in ("normal-modes", "diffused-250"):
            structures = storage.read(inputs / f"{testset}.h5")
            table = evaluate(relax(structures, from_config(MOVES | {"model": path})).structures, structures, minima)
            yield {
                "weights": path.parent.name if path.stem == "weights" else path.stem,
                "seconds": seconds,
                "samples": samples,
                "testset": testset,
                "n": len(table),
                "evaluations": table.steps.mean(),
                "ratio": table.ratio.median(),
                "failed_percent": 100 * (table.ratio >= 1).mean(),
                "pearson": table.first_time.corr(table.rmsd_before),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", type=Path, help="weights files of joint models")
    parser.add_argument("--inputs", type=Path, default=Path("results/engine/testsets"), help="folder of the test sets")
    parser.add_argument("--output", type=Path, default=Path("results/bench/learning_curve.csv"))
    arguments = parser.parse_args()
    found = []
    for row in rows(arguments.weights, arguments.inputs):
        print("  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
        found.append(row)
    write_table(pd.DataFrame(found), arguments.output)


if __name__ == "__main__":
    main()
