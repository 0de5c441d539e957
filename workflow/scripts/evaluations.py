"""Quality of each way to relax by diffusion against the evaluations it takes."""

from morered.figures import evaluations
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    runs = [Run(*run, path) for run, path in zip(snakemake.params.runs, snakemake.input, strict=True)]
    evaluations.make(read_runs(runs), stem_of(snakemake.output.png), snakemake.params.plan["per_step"])
