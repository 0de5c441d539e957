"""Optimise one chunk of geometries with one calculator; every one that is finished is kept should the job die."""

from morered import resumable, storage
from morered.energies import savings
from morered.study.script import logged, progress_bar

with logged(snakemake):
    params, out = snakemake.params, snakemake.output[0]
    geometries = storage.read(snakemake.input[0])[int(snakemake.wildcards.chunk) :: params.chunks]
    with progress_bar("optimisations") as progress:
        built = savings.compute(
            geometries,
            snakemake.wildcards.calculator,
            params.level,
            steps=params.steps,
            folder=f"{out}.pieces",
            workers=snakemake.threads,
            timeout=params.timeout,
            progress=progress,
        )
    resumable.save(out, built, storage.provenance(savings.compute, config=params.level, parents=list(snakemake.input)))
    resumable.discard(f"{out}.pieces")
