"""Inputs of one chunk of the frozen test molecules, and the minima of the reference that they fall into."""

from morered import resumable, storage
from morered.datasets.organic import choice, minima, tested
from morered.study.script import logged

with logged(snakemake):
    out = snakemake.output
    entries = minima.chunk_of(choice.frozen_tests(), int(snakemake.wildcards.chunk), snakemake.params.chunks)
    made = tested.build(entries, minima.Settings(), progress=True)
    made_by = storage.provenance(tested.build, version=tested.VERSION)
    resumable.save(out.inputs, made.inputs, made_by)
    resumable.save(out.minima, made.minima, made_by)
