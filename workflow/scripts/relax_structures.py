"""Relax one chunk of a test set with one method; no molecule is lost."""

from morered import devices, resumable, storage
from morered.datasets import splits
from morered.energies.sampling import sample
from morered.models import weights
from morered.relaxation import from_config, relax
from morered.study.script import logged

with logged(snakemake):
    files = dict(snakemake.input.items())
    inputs, split = storage.read(files.pop("structures")), splits.load(files.pop("split"))
    if snakemake.params.sample is not None:
        inputs = sample(inputs, snakemake.params.sample, snakemake.params.sample_seed)
    inputs = inputs[resumable.chunk(len(inputs), int(snakemake.wildcards.chunk), snakemake.params.chunks)]
    for path in files.values():
        splits.refuse_training_graphs(split, weights.load(path).header.split, inputs.references)
    done = relax(
        inputs,
        from_config({**snakemake.params.settings, **files}, path=snakemake.wildcards.method),
        seed=int(snakemake.wildcards.seed),
        device=devices.choose(),
        workers=snakemake.threads,
        progress=True,
    )
    made_by = storage.provenance(relax, from_config, config=dict(snakemake.params.settings), parents=list(snakemake.input))
    storage.write(snakemake.output[0], done.structures, made_by)
