"""The inputs of one test set of conformers."""

from morered import resumable, storage
from morered.datasets.organic import tested
from morered.study.script import logged

with logged(snakemake):
    settings, files = snakemake.params.settings, snakemake.input
    inputs, minima = resumable.load(files.inputs), resumable.load(files.minima)
    chosen, left_out = tested.select(
        inputs.structures,
        minima.structures,
        of=settings["of"],
        start=settings["start"],
        molecules=settings["molecules"],
        seed=settings["seed"],
    )
    print(f"{len(chosen)} inputs; {left_out} of the kind have no minimum at the reference and are left out")
    made_by = storage.provenance(tested.select, config=dict(settings), parents=list(files))
    storage.write(snakemake.output[0], chosen, made_by)
