"""Follow imidazole through the reverse process, for figure 2."""

from morered import devices
from morered.figures import fig2
from morered.study.script import logged

with logged(snakemake):
    params = snakemake.params
    reverse = fig2.record_reverse(snakemake.input.weights, params.steps, seed=params.seed, device=devices.choose())
    reverse.write(snakemake.output[0])
