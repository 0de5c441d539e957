"""The molecules that minima are made of: none of a skeleton that a test set has."""

from morered.datasets.organic import choice
from morered.study.script import logged

with logged(snakemake):
    entries = choice.choose(snakemake.input[0], choice.frozen_tests())
    choice.write(snakemake.output[0], choice.sample(entries, snakemake.params.settings["entries"]))
