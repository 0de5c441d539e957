"""A sample of the inputs of each test set, their minima and what each method made of them: the distinct geometries among them."""

import pandas as pd

from morered import storage
from morered.energies import sampling
from morered.metrics.tables import write_table
from morered.structures import Structures
from morered.study.script import logged

with logged(snakemake):
    files, settings = snakemake.input, snakemake.params.settings
    relaxed, found = iter(files.relaxed), []
    for (testset, methods), inputs, minima in zip(snakemake.params.methods.items(), files.inputs, files.minima, strict=True):
        chosen = sampling.sample(storage.read(inputs), settings["molecules"], settings["seed"], settings["max_atoms"])
        results = {method: storage.read(next(relaxed)) for method in methods}
        found.append(sampling.collect(testset, chosen, storage.read(minima), results))
    geometries = Structures.concatenate([geometries for geometries, _ in found])
    sources = pd.concat([sources for _, sources in found], ignore_index=True)
    storage.write(
        snakemake.output.geometries, geometries, storage.provenance(sampling.collect, config=settings, parents=list(files))
    )
    write_table(sources, snakemake.output.sources)
    print(f"{len(geometries)} distinct geometries of {len(sources)}")
