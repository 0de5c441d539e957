"""The molecules that minima are made of: none of a skeleton that a test set has."""

from morered.datasets.organic import choice, isomers
from morered.study.script import logged

with logged(snakemake):
    settings, given = snakemake.params.settings, snakemake.input
    entries = isomers.choose() if settings["molecules"] == "qm7" else choice.choose(given.packages, choice.frozen_tests())
    choice.write(snakemake.output[0], choice.sample(entries, settings["entries"]))
