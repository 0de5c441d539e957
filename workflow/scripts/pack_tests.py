"""Inputs and minima of an organic dataset's test and validation molecules as one small file, as it ships with the package."""

from pathlib import Path

from morered import resumable
from morered.datasets.organic import shipped_tests
from morered.study.script import logged

with logged(snakemake):
    shipped_tests.write(snakemake.output[0], {Path(part).stem: resumable.load(part) for part in snakemake.input})
