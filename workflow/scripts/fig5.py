"""Figure 5: examples of structures that two methods relaxed."""

from morered.figures import fig5
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    files, runs, plan = snakemake.input, snakemake.params.runs, snakemake.params.plan
    fig5.make(
        read_runs([Run(*run, path) for run, path in zip(runs, files.tables, strict=True)]),
        [Run(*run, path) for run, path in zip(runs, files.relaxed, strict=True)],
        files.inputs[0],
        files.minima[0],
        stem_of(snakemake.output.png),
        **plan,
    )
