"""What a relaxation is worth: optimisations from each start."""

import pandas as pd

from morered.energies import optimise
from morered.figures import worth
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    params, out = snakemake.params, snakemake.output
    worth.make(
        pd.read_csv(snakemake.input[0]), stem_of(out.png), out.html, titles=optimise.titles(params.level), note=params.note
    )
