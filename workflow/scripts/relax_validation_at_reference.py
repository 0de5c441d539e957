"""Inputs of a sample of the validation molecules, and the minima of the reference that they fall into."""

from morered import resumable, storage
from morered.datasets.organic import choice, minima, tested
from morered.study.script import logged

with logged(snakemake):
    out = snakemake.output
    held_out = [entry for entry in choice.read(snakemake.input[0]) if entry.part == "validation"]
    entries = choice.sample([entry for entry in held_out if entry.kind in tested.KINDS], snakemake.params.molecules)
    made = tested.build(entries, minima.Settings(), progress=True)
    made_by = storage.provenance(tested.build, parents=list(snakemake.input), version=tested.VERSION)
    resumable.save(out.inputs, made.inputs, made_by)
    resumable.save(out.minima, made.minima, made_by)
