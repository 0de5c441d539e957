"""Minima of a file of yours: joined, duplicates removed, split by molecular graph; what failed is listed with its reason."""

from morered.datasets import custom
from morered.study.script import logged

with logged(snakemake):
    out = snakemake.output
    minima = custom.prepare(list(snakemake.input), out.minima, out.split, **snakemake.params.split)
    for name, reason in minima.failures.items():
        print(f"no minimum of {name}: {reason}")
    print(f"{len(minima.structures)} minima, {len(minima.removed)} duplicates removed")
