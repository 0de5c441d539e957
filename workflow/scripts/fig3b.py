"""Figure 3b: predicted steps along adaptive and fixed schedules."""

from morered.figures import fig3b
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    names = (snakemake.params.plan["adaptive"], snakemake.params.plan["fixed"])
    fig3b.make(**dict(snakemake.input.items()), stem=stem_of(snakemake.output.png), names=names)
