"""Figure B2: examples of inputs of every test set, relaxed by every method."""

from morered.figures import figB2
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    files, runs, testsets = snakemake.input, snakemake.params.runs, snakemake.params.plan["testsets"]
    figB2.make(
        read_runs([Run(*run, path) for run, path in zip(runs, files.tables, strict=True)]),
        [Run(*run, path) for run, path in zip(runs, files.relaxed, strict=True)],
        dict(zip(testsets, files.inputs, strict=True)),
        dict(zip(testsets, files.minima, strict=True)),
        stem_of(snakemake.output.png),
    )
