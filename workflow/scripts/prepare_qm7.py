"""The embedded QM7 minima at PBE0 and their split."""

from morered import storage
from morered.datasets import qm7, splits
from morered.study.script import logged

with logged(snakemake):
    split = qm7.split(**snakemake.params.split)
    splits.save(snakemake.output.split, split)
    storage.write(
        snakemake.output.minima,
        qm7.load(),
        provenance=storage.provenance(qm7.load, config=dict(snakemake.params.split), source="qm7-pbe0"),
    )
