"""A sweep: median RMSD ratio and failures of each entry."""

from morered.figures import ablation
from morered.figures.style import stem_of
from morered.metrics.tables import Run, read_runs
from morered.study.script import logged

with logged(snakemake):
    paths = iter(snakemake.input)
    entries = {}
    for entry, runs in snakemake.params.runs.items():
        entries[entry] = read_runs([Run(*run, next(paths)) for run in runs])
    ablation.make(entries, stem_of(snakemake.output.png), title=snakemake.params.title)
