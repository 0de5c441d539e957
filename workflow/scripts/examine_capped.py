"""Tell of each of a sampler's molecules what it is at each cap."""

from morered import storage
from morered.generation.examine import examine_at_caps
from morered.metrics.tables import write_table
from morered.structures import Structures
from morered.study.script import logged, progress_bar

with logged(snakemake):
    capped = Structures.concatenate(storage.read(path) for path in snakemake.input)
    with progress_bar("samples") as tell:
        write_table(examine_at_caps(capped, workers=snakemake.threads, progress=tell), snakemake.output[0])
