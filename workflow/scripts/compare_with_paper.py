"""The table that opens the report: this run beside the paper."""

import pandas as pd

from morered.figures import comparison
from morered.figures.catalogue.fig6 import drawing as fig6
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    files, params = snakemake.input, snakemake.params
    runs = [Run(*run, path) for run, path in zip(params.runs, files.runs, strict=True)]
    measured = [comparison.measured_relaxations(read_runs(runs), panels=params.panels)]
    measured += [fig6.compared(pd.read_csv(path)) for path in files.energies]
    if "generation" in dict(files.items()):
        measured.append(comparison.measured_generation(files.generation))
    comparison.write(comparison.compare(measured), stem_of(snakemake.output.csv), note=params.note)
