"""Minima of one chunk of the molecules in a file of yours."""

from morered import resumable, storage
from morered.datasets import custom
from morered.study.script import logged, progress_bar

with logged(snakemake):
    settings, out = snakemake.params.settings, snakemake.output[0]
    with progress_bar("molecules") as progress:
        built = custom.make_minima(
            custom.read(snakemake.input[0], settings["dataset"]),
            custom.Making(relax_with=settings["relax_with"], conformers=settings["conformers"]),
            chunk=(int(snakemake.wildcards.chunk), settings["chunks"]),
            folder=f"{out}.pieces",
            workers=snakemake.threads,
            timeout=settings["timeout"],
            progress=progress,
        )
    resumable.save(out, built, storage.provenance(custom.make_minima, config=settings, parents=list(snakemake.input)))
    resumable.discard(f"{out}.pieces")
