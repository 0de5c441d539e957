"""Figure C3: losses while training, and a degenerate molecule."""

from morered.figures import figC3
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    curves = dict(zip(snakemake.params.plan["models"], snakemake.input.curves, strict=True))
    figC3.make(curves, snakemake.input.minima, stem_of(snakemake.output.png))
