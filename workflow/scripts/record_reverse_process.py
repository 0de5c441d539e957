"""Follow imidazole through both processes, for figure 2."""

from morered import devices, storage
from morered.generation import imidazole
from morered.metrics.tables import write_table
from morered.study.script import logged

with logged(snakemake):
    params, out = snakemake.params, snakemake.output
    reverse, coordinates = imidazole.processes(snakemake.input.weights, params.steps, seed=params.seed, device=devices.choose())
    made_by = storage.provenance(imidazole.processes, config=dict(params.items()), parents=list(snakemake.input))
    reverse.write(out.trajectories, made_by)
    write_table(coordinates, out.coordinates)
