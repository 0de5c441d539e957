"""Generate the structures of one chunk of the compositions and keep where they stand at each of several caps on the steps; a job
that was killed goes on.
"""

from morered import devices, resumable, storage
from morered.datasets import splits
from morered.generation.caps import generate_to_caps
from morered.generation.sampling import from_settings
from morered.models import weights
from morered.study.script import logged

with logged(snakemake):
    files, params, out = dict(snakemake.input.items()), snakemake.params, snakemake.output[0]
    compositions, split = storage.read(files.pop("compositions"))[: params.molecules], splits.load(files.pop("split"))
    compositions = compositions[resumable.chunk(len(compositions), int(snakemake.wildcards.chunk), params.chunks)]
    models = {role: weights.load(path) for role, path in files.items()}
    for model in models.values():
        splits.refuse_training_graphs(split, model.header.split, compositions.references)
    sampler = from_settings(files, seed=params.seed)
    key = [{role: model.digest for role, model in models.items()}, params.seed]
    device = devices.choose()
    capped = generate_to_caps(compositions, sampler, params.caps, folder=f"{out}.pieces", key=key, device=device, progress=True)
    made_by = storage.provenance(generate_to_caps, from_settings, config=dict(params.items()), parents=list(snakemake.input))
    storage.write(out, capped, made_by)
    resumable.discard(f"{out}.pieces")
