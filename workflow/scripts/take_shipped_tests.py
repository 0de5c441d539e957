"""The inputs and minima of test and validation molecules that come with the package, as if they had been made here."""

from pathlib import Path

from morered import resumable, storage
from morered.datasets.organic import shipped, shipped_tests
from morered.study.script import logged

with logged(snakemake):
    shipped.require(snakemake.params.settings)  # validation molecules are of all entries
    file = snakemake.input[0]
    made_by = storage.provenance(shipped_tests.load, config=shipped_tests.about(file), parents=[file])
    for path in snakemake.output:
        resumable.save(path, shipped_tests.load(Path(path).stem, file), made_by)
