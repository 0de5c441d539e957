"""Unpack one archive of QM7-X, checking what comes out."""

from morered.datasets import qm7x, sources
from morered.study.script import logged

with logged(snakemake):
    qm7x.unpack(sources.of_file(**snakemake.params.source), snakemake.input[0], snakemake.output[0], progress=True)
