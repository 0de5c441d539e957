"""QM9 as structures, from its archive at figshare or, where that cannot be reached, from the package qm9pack."""

from pathlib import Path

from morered import storage
from morered.datasets import qm9
from morered.study.script import logged

with logged(snakemake):
    out = Path(snakemake.output[0])
    structures, files = qm9.download(out.parent, table=snakemake.params.table, progress=True)
    storage.write(out, structures, storage.provenance(qm9.download, parents=files, package=None if files else "qm9pack"))
