"""Let a network predict the time steps of one test molecule, diffused to every step."""

from morered import devices
from morered.metrics.tables import write_table
from morered.study.script import logged
from morered.training import predicted_times

with logged(snakemake):
    files, seed = dict(snakemake.input.items()), snakemake.params.seed
    write_table(predicted_times.of_test_molecule(**files, seed=seed, device=devices.choose()), snakemake.output[0])
