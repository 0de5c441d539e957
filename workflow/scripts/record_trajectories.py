"""Follow a few molecules step by step with one method, for figure 3b."""

from morered import devices, storage
from morered.relaxation import Recording, followed, from_config, relax
from morered.study.script import logged

with logged(snakemake):
    files = dict(snakemake.input.items())
    inputs, minima = storage.read(files.pop("structures")), storage.read(files.pop("minima"))
    del files["split"]
    done = relax(
        inputs[followed.choose(inputs, minima, snakemake.params.molecules)],
        from_config({**snakemake.params.settings, **files}, path=snakemake.wildcards.method),
        device=devices.choose(),
        recording=Recording(unused_times=True),
        progress=True,
    )
    made_by = storage.provenance(relax, from_config, config=dict(snakemake.params.settings), parents=list(snakemake.input))
    storage.write(snakemake.output.relaxed, done.structures, made_by)
    done.trajectories.write(snakemake.output.steps, made_by)
