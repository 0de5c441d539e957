"""Join a sampler's molecules and tell of each what it is."""

from morered import storage
from morered.generation.examine import examine
from morered.metrics.tables import write_table
from morered.structures import Structures
from morered.study.script import logged, progress_bar

with logged(snakemake):
    samples = Structures.concatenate(storage.read(path) for path in snakemake.input)
    with progress_bar("samples") as tell:
        table = examine(samples, workers=snakemake.threads, progress=tell)
    storage.write(snakemake.output.samples, samples, storage.provenance(Structures.concatenate, parents=list(snakemake.input)))
    write_table(table, snakemake.output.table)
