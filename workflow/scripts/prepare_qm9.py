"""QM9 from its archive or, where that is no input, from the package qm9pack; and its split."""

from morered import storage
from morered.datasets import qm9, sources, splits
from morered.datasets.integrity import verify
from morered.study.script import logged

with logged(snakemake):
    files, out, table = list(snakemake.input), snakemake.output, snakemake.params.table
    for path in files:
        verify(path, sources.of_file("qm9", path.rsplit("/", 1)[1], table).file)
    structures = qm9.from_archive(*files, complete=table is None, progress=True) if files else qm9.from_package()
    splits.save(out.split, qm9.split(structures, **snakemake.params.split))
    storage.write(
        out.minima, structures, storage.provenance(qm9.from_archive, config=dict(snakemake.params.split), parents=files)
    )
