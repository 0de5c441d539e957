"""Table D: steps and times of methods, single steps and trainings."""

import pandas as pd

from morered.figures import tableD
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    files, params = snakemake.input, snakemake.params
    runs = [Run(*run, path) for run, path in zip(params.runs, files.tables, strict=True)]
    tableD.make(
        read_runs(runs),
        stem_of(snakemake.output.csv),
        measured=pd.read_csv(files.steps),
        weights=dict(zip(params.plan["models"], files.weights, strict=True)),
        note=params.note,
    )
