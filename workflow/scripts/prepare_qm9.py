"""QM9 and its split; the molecules are an input or, where they are none, the package qm9pack's."""

from morered import storage
from morered.datasets import qm9, splits
from morered.study.script import logged

with logged(snakemake):
    files, out = list(snakemake.input), snakemake.output
    structures = storage.read(files[0]) if files else qm9.from_package()
    splits.save(out.split, qm9.split(structures, **snakemake.params.split))
    storage.write(
        out.minima, structures, storage.provenance(qm9.from_archive, config=dict(snakemake.params.split), parents=files)
    )
