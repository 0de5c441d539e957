"""Join the chunks of the frozen test molecules' inputs, or of their minima; what failed stays listed."""

from morered import resumable
from morered.study.script import logged

with logged(snakemake):
    built = resumable.gather(snakemake.input, snakemake.output[0])
    for name, reason in built.failures.items():
        print(f"none of {name}: {reason}")
