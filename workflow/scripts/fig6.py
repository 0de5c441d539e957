"""Figure 6: energies of relaxed structures against those of their reference minima."""

import pandas as pd

from morered.energies.level import Level
from morered.figures import fig6
from morered.figures.style import stem_of
from morered.study.script import logged

with logged(snakemake):
    params, out = snakemake.params, snakemake.output
    fig6.make(
        pd.read_csv(snakemake.input[0]),
        stem_of(out.png),
        out.html,
        testset=params.plan["testset"],
        level=Level.from_dict(params.level).name,
        note=params.note,
    )
