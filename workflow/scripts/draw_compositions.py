"""Draw the compositions of the molecules to be generated, and name the dataset's molecules that these can be."""

import numpy as np

from morered import storage
from morered.datasets import splits
from morered.generation.compositions import draw
from morered.generation.examine import known_molecules
from morered.metrics.tables import write_table
from morered.study.script import logged, progress_bar

with logged(snakemake):
    files, params = snakemake.input, snakemake.params
    minima = storage.read(files.minima)
    elements = np.unique(storage.read(files.learned).numbers)
    drawn = draw(minima, splits.load(files.split), params.molecules, part=params.part, seed=params.seed, elements=elements)
    made_by = storage.provenance(draw, config=dict(params.items()), parents=list(files))
    storage.write(snakemake.output.compositions, drawn, made_by)
    with progress_bar("known molecules") as tell:
        write_table(known_molecules(minima, drawn, workers=snakemake.threads, progress=tell), snakemake.output.known)
