"""The molecules that the organic minima that come with the package are made of."""

from morered.datasets.organic import choice, shipped
from morered.study.script import logged

with logged(snakemake):
    settings, about = snakemake.params.settings, shipped.about(snakemake.input[0])
    if settings["entries"] is not None or settings["chunks"] != about["chunks"]:
        raise ValueError(f"the minima that ship are of all entries in {about['chunks']} chunks: set chunks, leave entries out")
    choice.write(snakemake.output[0], shipped.entries(snakemake.input[0]))
