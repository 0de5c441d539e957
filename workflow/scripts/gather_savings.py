"""All optimisations in one table: what they took, and whether they reached the reference's minimum."""

import pandas as pd

from morered import resumable, storage
from morered.energies import savings
from morered.metrics.tables import unguarded, write_table
from morered.study.script import logged

with logged(snakemake):
    files, calculators = snakemake.input, snakemake.params.calculators
    ends = {name: resumable.Built.concatenate([resumable.load(path) for path in files[name]]) for name in calculators}
    ids = ("id", "reference", "geometry")
    sources = unguarded(pd.read_csv(files.sources, dtype=dict.fromkeys(ids, str)), ids)
    write_table(savings.table(sources, storage.read(files.geometries), ends), snakemake.output[0])
