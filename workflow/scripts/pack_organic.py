"""Structures of the organic dataset as one compact file."""

from morered import resumable, storage
from morered.datasets.organic import compact
from morered.study.script import logged

with logged(snakemake):
    built, made_by = resumable.load(snakemake.input[0]), storage.read_provenance(snakemake.input[0])
    compact.write(snakemake.output[0], built, made_by)
