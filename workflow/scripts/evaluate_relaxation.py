"""RMSD, ratio and verdict of every relaxed structure."""

from morered import storage
from morered.metrics.evaluate import evaluate
from morered.metrics.tables import write_table
from morered.study.script import logged

with logged(snakemake):
    files = snakemake.input
    write_table(
        evaluate(storage.read(files.relaxed), storage.read(files.inputs), storage.read(files.minima)), snakemake.output[0]
    )
