"""Single points of one chunk of geometries; every one that is finished is kept should the job die."""

import numpy as np

from morered import resumable, storage
from morered.energies import batch
from morered.settings.level import Level
from morered.settings.reading import read
from morered.study.script import logged, progress_bar

with logged(snakemake):
    params, out = snakemake.params, snakemake.output[0]
    geometries = storage.read(snakemake.input[0])
    # those of one molecule follow each other, and each starts from the density of the last
    geometries = geometries[np.array_split(np.arange(len(geometries)), params.chunks)[int(snakemake.wildcards.chunk)]]
    with progress_bar("single points") as progress:
        built = batch.compute(
            geometries,
            read(Level, params.level),
            folder=f"{out}.pieces",
            workers=snakemake.threads,
            timeout=params.timeout,
            progress=progress,
        )
    resumable.save(out, built, storage.provenance(batch.compute, config=params.level, parents=list(snakemake.input)))
    resumable.discard(f"{out}.pieces")
