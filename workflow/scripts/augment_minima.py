"""Minima of the training part of another dataset, of graphs that the model's own dataset does not have."""

from morered import storage
from morered.datasets import splits
from morered.datasets.augment import new_graphs
from morered.structures import Structures
from morered.study.script import logged

with logged(snakemake):
    files, settings = snakemake.input, snakemake.params.settings
    others = storage.read(files.others)
    training = others[splits.load(files.split).select(others, "train")]
    known = Structures.concatenate([storage.read(path).without_columns() for path in files.known])
    added = new_graphs(training, known, settings["max_heavy_atoms"], progress=True)
    print(f"{len(added)} of the {len(training)} training molecules of {settings['dataset']} are added")
    storage.write(snakemake.output[0], added, storage.provenance(new_graphs, config=dict(settings), parents=list(files)))
