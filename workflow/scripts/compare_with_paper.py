"""The table that opens the report: this run beside the paper."""

import pandas as pd

from morered.figures import comparison, fig6
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    runs = [Run(*run, path) for run, path in zip(snakemake.params.runs, snakemake.input.tables, strict=True)]
    measured = [comparison.measured_relaxations(read_runs(runs), panels=snakemake.params.panels)]
    measured += [fig6.compared(pd.read_csv(path)) for path in snakemake.input.energies]
    comparison.write(comparison.compare(measured), stem_of(snakemake.output.csv), note=snakemake.params.note)
