"""Figure 2: imidazole through the forward and the reverse process."""

from morered.figures import fig2
from morered.figures.style import stem_of
from morered.models import weights
from morered.study.script import logged

with logged(snakemake):
    files, params = snakemake.input, snakemake.params
    schedule = fig2.schedule_of(weights.load(files.weights))
    fig2.make(stem_of(snakemake.output.png), files.trajectories, params.steps, seed=params.seed, schedule=schedule)
