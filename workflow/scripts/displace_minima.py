"""Test inputs along normal modes: of each minimum of one chunk the closest, the middle and the most distant displaced
structure.
"""

from morered import resumable, storage
from morered.datasets import splits, testsets
from morered.datasets.builder import Displacing
from morered.study.script import logged, progress_bar

with logged(snakemake):
    settings, out = snakemake.params.settings, snakemake.output[0]
    split = splits.load(snakemake.input.split)
    minima = testsets.sample(
        storage.read(snakemake.input.minima), split, settings["split"], graphs=settings["molecules"], seed=settings["seed"]
    )
    chunk = minima[resumable.chunk(len(minima), int(snakemake.wildcards.chunk), settings["chunks"])]
    displacing = Displacing(
        per_minimum=settings["displacements"],
        calculator=settings["calculator"],
    )
    with progress_bar("minima displaced") as progress:
        built = testsets.normal_mode_inputs(
            chunk, displacing, seed=settings["seed"], folder=f"{out}.pieces", workers=snakemake.threads, progress=progress
        )
    resumable.save(out, built, storage.provenance(testsets.normal_mode_inputs, config=settings, parents=list(snakemake.input)))
    resumable.discard(f"{out}.pieces")
