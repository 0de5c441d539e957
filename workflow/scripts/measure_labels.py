"""Forces at the minima of QM7-X, and the errors of the force field on test molecules: what the paper states of its labels."""

import pandas as pd

from morered import calculators, devices, storage
from morered.datasets import labels, splits
from morered.metrics.tables import write_table
from morered.study.script import logged

with logged(snakemake):
    files = dict(snakemake.input.items())
    structures, split = storage.read(files["structures"]), splits.load(files["split"])
    minima = structures[structures.column("minimum").nonzero()[0]]
    tables = [labels.forces_at(minima).assign(method="")]
    if "weights" in files:
        field = calculators.get("mlff", weights=files["weights"], device=devices.choose())
        some = labels.sample(structures, split, seed=snakemake.params.seed)
        tables.append(labels.errors(some, field).assign(method="MLFF"))
    write_table(pd.concat(tables).assign(testset="")[["testset", "method", "quantity", "value", "n"]], snakemake.output[0])
