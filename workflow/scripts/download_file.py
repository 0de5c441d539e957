"""Download one file of the table of files; a download that was stopped continues."""

from morered.datasets import download, sources
from morered.study.script import logged

with logged(snakemake):
    download.fetch(sources.of_file(**snakemake.params.source), snakemake.output[0], progress=True)
