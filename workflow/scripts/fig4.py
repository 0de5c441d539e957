"""Figure 4: RMSD ratios of every method on every test set."""

from morered.figures import fig4
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    runs = [Run(*run, path) for run, path in zip(snakemake.params.runs, snakemake.input, strict=True)]
    fig4.make(read_runs(runs), stem_of(snakemake.output.png))
