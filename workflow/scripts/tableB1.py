"""Table B1: validity, uniqueness and novelty of generated molecules."""

from morered.figures import tableB1
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    files, params = snakemake.input, snakemake.params
    tableB1.make(
        dict(zip(params.plan["samplers"], files.tables, strict=True)),
        files.known,
        stem_of(snakemake.output.csv),
        note=params.note,
    )
