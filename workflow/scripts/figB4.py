"""Figure B4: time steps of sampling, and validity against the cap on the steps."""

from morered.figures import figB4
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    files, plan = snakemake.input, snakemake.params.plan
    figB4.make(
        files.trajectories,
        files.ends,
        files.capped,
        files.against,
        stem_of(snakemake.output.png),
        names=(plan["method"], plan["against"]),
        T=plan["T"],
    )
