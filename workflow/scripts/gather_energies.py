"""The energies of all inputs and sources in one table, with their differences from the reference."""

import pandas as pd

from morered.datasets import pieces
from morered.energies import batch
from morered.metrics.tables import write_table
from morered.study.script import logged

with logged(snakemake):
    built = pieces.Built.concatenate([pieces.load(path) for path in snakemake.input.parts])
    sources = pd.read_csv(snakemake.input.sources, dtype={"id": str, "reference": str, "geometry": str})
    write_table(batch.energies_of(sources, batch.table(built)), snakemake.output[0])
