"""Follow imidazole through the reverse process, for figure 2."""

from morered import devices, storage
from morered.figures import fig2
from morered.study.script import logged

with logged(snakemake):
    params = snakemake.params
    reverse = fig2.record_reverse(snakemake.input.weights, params.steps, seed=params.seed, device=devices.choose())
    made_by = storage.provenance(fig2.record_reverse, config=dict(params.items()), parents=list(snakemake.input))
    reverse.write(snakemake.output[0], made_by)
