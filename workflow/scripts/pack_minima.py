"""The chunks of an organic dataset's minima as one small file, as it ships with the package."""

from pathlib import Path

from morered import resumable
from morered.datasets.organic import choice, shipped
from morered.study.script import logged

with logged(snakemake):
    chunks = ((int(Path(part).stem), resumable.load(part)) for part in snakemake.input.parts)
    shipped.write(snakemake.output[0], choice.read(snakemake.input.entries), chunks, snakemake.params.chunks)
