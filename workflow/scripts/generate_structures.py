"""Generate the structures of one chunk of the compositions with one sampler; no sample is lost."""

from morered import devices, resumable, storage
from morered.datasets import splits
from morered.generation.sampling import from_settings, generate
from morered.models import weights
from morered.study.script import logged

with logged(snakemake):
    files, params = dict(snakemake.input.items()), snakemake.params
    compositions, split = storage.read(files.pop("compositions")), splits.load(files.pop("split"))
    compositions = compositions[resumable.chunk(len(compositions), int(snakemake.wildcards.chunk), params.chunks)]
    for path in files.values():
        splits.refuse_training_graphs(split, weights.load(path).header.split, compositions.references)
    sampler = from_settings({**files, "steps": params.steps}, seed=params.seed)
    done = generate(compositions, sampler, device=devices.choose(), progress=True)
    made_by = storage.provenance(generate, from_settings, config=dict(params.items()), parents=list(snakemake.input))
    storage.write(snakemake.output[0], done.structures, made_by)
