"""Join the parts of a chunked rule in their order."""

from morered import storage
from morered.structures import Structures
from morered.study.script import logged

with logged(snakemake):
    parts = [storage.read(path) for path in snakemake.input]
    storage.write(
        snakemake.output[0],
        Structures.concatenate(parts),
        provenance=storage.provenance(Structures.concatenate, parents=list(snakemake.input)),
    )
