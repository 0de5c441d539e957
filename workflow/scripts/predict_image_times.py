"""Train the image half of figure A1 and let it predict."""

from morered import devices
from morered.metrics.tables import write_table
from morered.study.script import logged
from morered.training import predicted_times

with logged(snakemake):
    table = predicted_times.train_on_images(
        snakemake.input.get("archive"), **dict(snakemake.params.items()), device=devices.choose(), progress=True
    )
    write_table(table, snakemake.output[0])
