"""Figures D1 and D2: a sampler's first molecules."""

from morered.figures import figD
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    files = snakemake.input
    figD.make(files.samples, files.table, stem_of(snakemake.output.png), molecules=snakemake.params.plan["grid"])
