"""Figure 3a: the first predicted step against the RMSD of the input."""

from morered.figures import fig3a
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    runs = [Run(*run, path) for run, path in zip(snakemake.params.runs, snakemake.input, strict=True)]
    fig3a.make(read_runs(runs), stem_of(snakemake.output.png), **snakemake.params.plan)
