"""The data card of one dataset: numbers and figure."""

from morered.datasets import card
from morered.figures import data_card
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    files, out = snakemake.input, snakemake.output
    described = card.describe(snakemake.wildcards.dataset, dict(files.items()), snakemake.params.settings)
    card.write_card(out.json, described)
    data_card.make(described, stem_of(out.png))
