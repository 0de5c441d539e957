"""Figure A1: density of the radius, and predicted against true times."""

from morered import devices
from morered.figures import figA1, predicted_times
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    times = predicted_times.collect(**dict(snakemake.input.items()), seed=snakemake.params.seed, device=devices.choose())
    figA1.make(stem_of(snakemake.output.png), times)
