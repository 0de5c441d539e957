"""Take weights that are there already: those of the package, or a file."""

from morered.models import weights
from morered.study.script import logged

with logged(snakemake):
    source, kind = snakemake.params.source, snakemake.params.kind
    weights.copy(
        f"morered-{kind.removeprefix('morered-')}" if source == "shipped" else source, snakemake.output.weights, kind=kind
    )
