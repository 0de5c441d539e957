"""Test inputs by the forward process: one for each minimum."""

from morered import storage
from morered.datasets import splits, testsets
from morered.study.script import logged

with logged(snakemake):
    settings = snakemake.params.settings
    split = splits.load(snakemake.input.split)
    minima = testsets.sample(
        storage.read(snakemake.input.minima), split, settings["split"], graphs=settings["molecules"], seed=settings["seed"]
    )
    inputs = testsets.diffused_inputs(minima, steps=settings["steps"], seed=settings["seed"])
    storage.write(
        snakemake.output[0], inputs, storage.provenance(testsets.diffused_inputs, config=settings, parents=list(snakemake.input))
    )
