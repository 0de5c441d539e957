"""Figure 1: a physical and a pseudo potential energy surface."""

from morered.figures import fig1
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    fig1.make(stem_of(snakemake.output.png))
