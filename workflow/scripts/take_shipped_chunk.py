"""A chunk of the organic minima that come with the package, as if it had been made here."""

from morered import resumable, storage
from morered.datasets.organic import shipped
from morered.study.script import logged

with logged(snakemake):
    built = shipped.load(int(snakemake.wildcards.chunk), snakemake.input[0])
    made_by = storage.provenance(shipped.load, config=shipped.about(snakemake.input[0]), parents=list(snakemake.input))
    resumable.save(snakemake.output[0], built, made_by)
