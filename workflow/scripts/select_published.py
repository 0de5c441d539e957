"""Test inputs that come with QM7-X: of each minimum the closest, the middle and the most distant displaced structure."""

from morered import storage
from morered.datasets import qm7x, splits, testsets
from morered.study.script import logged

with logged(snakemake):
    settings, files = snakemake.params.settings, snakemake.input
    minima = testsets.sample(
        storage.read(files.minima),
        splits.load(files.split),
        settings["split"],
        graphs=settings["molecules"],
        seed=settings["seed"],
    )
    inputs = qm7x.test_inputs(storage.read(files.structures), minima.names)
    storage.write(
        snakemake.output[0],
        inputs,
        storage.provenance(qm7x.test_inputs, testsets.sample, config=settings, parents=[files.minima, files.split]),
    )
