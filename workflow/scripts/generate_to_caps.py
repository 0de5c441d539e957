"""Generate the structures of one chunk of the compositions and keep where they stand at each of several caps on the steps."""

from morered import devices, storage
from morered.datasets import pieces, splits
from morered.generation.sampling import from_settings, generate_to_caps
from morered.models import weights
from morered.study.script import logged

with logged(snakemake):
    files, params = dict(snakemake.input.items()), snakemake.params
    compositions, split = storage.read(files.pop("compositions"))[: params.molecules], splits.load(files.pop("split"))
    compositions = compositions[pieces.chunk(len(compositions), int(snakemake.wildcards.chunk), params.chunks)]
    for path in files.values():
        splits.refuse_training_graphs(split, weights.load(path).header.split, compositions.references)
    sampler = from_settings(files, seed=params.seed)
    capped = generate_to_caps(compositions, sampler, params.caps, device=devices.choose(), progress=True)
    made_by = storage.provenance(generate_to_caps, from_settings, config=dict(params.items()), parents=list(snakemake.input))
    storage.write(snakemake.output[0], capped, made_by)
