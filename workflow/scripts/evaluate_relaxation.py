"""The parts of a relaxation in their order, and RMSD, ratio and verdict of every relaxed structure."""

from morered import storage
from morered.metrics.evaluate import evaluate
from morered.metrics.tables import write_table
from morered.structures import Structures
from morered.study.script import logged

with logged(snakemake):
    files = snakemake.input
    relaxed = Structures.concatenate([storage.read(path) for path in files.parts], common=True)
    storage.write(
        snakemake.output.relaxed, relaxed, provenance=storage.provenance(Structures.concatenate, parents=list(files.parts))
    )
    table = evaluate(relaxed, storage.read(files.inputs), storage.read(files.minima), subset=snakemake.params.sampled)
    write_table(table, snakemake.output.metrics)
