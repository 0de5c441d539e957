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
    relaxed = read_runs(runs)
    measured = [comparison.measured_relaxations(relaxed, panels=params.panels, steps=params.steps)]
    measured += [fig6.compared(pd.read_csv(path)) for path in files.energies]
    there = dict(files.items())
    if "generation" in there:
        measured.append(comparison.measured_generation(files.generation))
    if "steps" in there:
        measured.append(comparison.measured_steps(files.steps, relaxed))
        measured.append(comparison.measured_trainings(files.trainings, params.trained))
    if "caps" in there:
        measured.append(comparison.measured_caps(files.caps, params.capped))
    if "labels" in there:
        measured.append(pd.read_csv(files.labels, keep_default_na=False, na_values=["nan"]))
    table = comparison.compare(measured, params.reasons)
    comparison.write(table, stem_of(snakemake.output.csv), note=params.note)
