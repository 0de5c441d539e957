"""Follow the time steps of a sampler's first molecules, for figure B4."""

from morered import devices, storage
from morered.datasets import splits
from morered.generation.examine import examine
from morered.generation.sampling import from_settings, generate
from morered.metrics.tables import write_table
from morered.models import weights
from morered.relaxation import Recording
from morered.study.script import logged

with logged(snakemake):
    files, params = dict(snakemake.input.items()), snakemake.params
    compositions, split = storage.read(files.pop("compositions"))[: params.molecules], splits.load(files.pop("split"))
    for path in files.values():
        splits.refuse_training_graphs(split, weights.load(path).header.split, compositions.references)
    sampler = from_settings({**files, "steps": params.steps}, seed=params.seed)
    done = generate(compositions, sampler, device=devices.choose(), recording=Recording(), progress=True)
    made_by = storage.provenance(generate, from_settings, config=dict(params.items()), parents=list(snakemake.input))
    done.trajectories.write(snakemake.output.steps, made_by)
    write_table(examine(done.structures), snakemake.output.table)
