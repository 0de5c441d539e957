"""Figure B1: RMSDs after relaxation."""

from morered.figures import figB1
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    runs = [Run(*run, path) for run, path in zip(snakemake.params.runs, snakemake.input, strict=True)]
    figB1.make(read_runs(runs), stem_of(snakemake.output.png), **snakemake.params.plan)
