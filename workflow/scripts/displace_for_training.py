"""Structures displaced from one chunk of the training and validation minima, with energies and forces."""

from morered import resumable, storage
from morered.datasets import displaced, splits
from morered.study.script import logged, progress_bar

with logged(snakemake):
    settings, files, out = snakemake.params.settings, snakemake.input, snakemake.output[0]
    minima = displaced.chosen_minima(
        storage.read(files.minima), splits.load(files.split), settings["train_graphs"], settings["validation_graphs"]
    )
    chunk = minima[resumable.chunk(len(minima), int(snakemake.wildcards.chunk), settings["chunks"])]
    with progress_bar("minima displaced") as progress:
        built = displaced.displaced_structures(
            chunk,
            displaced.displacing(settings),
            seed=0,
            folder=f"{out}.pieces",
            workers=snakemake.threads,
            progress=progress,
        )
    resumable.save(out, built, storage.provenance(displaced.displaced_structures, config=settings, parents=list(files)))
    resumable.discard(f"{out}.pieces")
