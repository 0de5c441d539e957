"""The table that opens the report: this run beside the paper."""

from morered.figures import comparison
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    runs = [Run(*run, path) for run, path in zip(snakemake.params.runs, snakemake.input, strict=True)]
    measured = comparison.measured_relaxations(read_runs(runs), panels=snakemake.params.panels)
    comparison.write(comparison.compare(measured), stem_of(snakemake.output.csv), note=snakemake.params.note)
