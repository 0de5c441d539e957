"""Minima of one chunk of the chosen molecules, at the reference."""

from morered import resumable, storage
from morered.datasets.organic import choice, minima
from morered.study.script import logged

with logged(snakemake):
    settings, chunk = snakemake.params.settings, int(snakemake.wildcards.chunk)
    entries = minima.chunk_of(choice.read(snakemake.input[0]), chunk, settings["chunks"])
    built = minima.build(entries, minima.Settings(), progress=True)
    made_by = storage.provenance(minima.build, config=settings, parents=list(snakemake.input), version=minima.VERSION)
    resumable.save(snakemake.output[0], built, made_by)
