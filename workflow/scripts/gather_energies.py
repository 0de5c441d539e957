"""The energies of all inputs and sources in one table, with their differences from the reference."""

import pandas as pd

from morered import resumable
from morered.energies import batch
from morered.metrics.tables import unguarded, write_table
from morered.study.script import logged

with logged(snakemake):
    built = resumable.Built.concatenate([resumable.load(path) for path in snakemake.input.parts])
    ids = ("id", "reference", "geometry")
    sources = unguarded(pd.read_csv(snakemake.input.sources, dtype=dict.fromkeys(ids, str)), ids)
    write_table(batch.energies_of(sources, batch.table(built)), snakemake.output[0])
