"""Where each relaxed structure lies on the reference's surface: the minimum that it falls into, how far above and how near."""

from morered import storage
from morered.datasets.organic import endings
from morered.metrics.tables import write_table
from morered.study.script import logged

with logged(snakemake):
    files = snakemake.input
    table = endings.measure(storage.read(files.relaxed), storage.read(files.inputs), storage.read(files.minima), progress=True)
    write_table(table, snakemake.output[0])
