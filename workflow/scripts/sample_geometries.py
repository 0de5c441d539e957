"""A sample of the inputs, their minima and what each method made of them: the distinct geometries among them."""

from morered import storage
from morered.energies import sampling
from morered.metrics.tables import write_table
from morered.study.script import logged

with logged(snakemake):
    files, settings = snakemake.input, snakemake.params.settings
    chosen = sampling.sample(storage.read(files.inputs), settings["molecules"], settings["seed"], settings["max_atoms"])
    relaxed = dict(zip(snakemake.params.plan["methods"], map(storage.read, files.relaxed), strict=True))
    geometries, sources = sampling.collect(chosen, storage.read(files.minima), relaxed)
    storage.write(
        snakemake.output.geometries, geometries, storage.provenance(sampling.collect, config=settings, parents=list(files))
    )
    write_table(sources, snakemake.output.sources)
    print(f"{len(geometries)} distinct geometries of {len(sources)}")
