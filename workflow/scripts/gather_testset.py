"""Join the chunks of a test set in their order; what could not be built stays listed with its reason."""

from morered import resumable
from morered.study.script import logged

with logged(snakemake):
    built = resumable.gather(snakemake.input, snakemake.output[0])
    for name, reason in built.failures.items():
        print(f"no inputs of {name}: {reason}")
