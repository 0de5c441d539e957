"""Join the chunks of displaced structures, saying what their energies and forces are; what failed stays listed."""

from morered import resumable
from morered.datasets import displaced
from morered.study.script import logged

with logged(snakemake):
    made = displaced.displacing(snakemake.params.settings)
    built = resumable.gather(snakemake.input, snakemake.output[0], **displaced.describe(made))
    for name, reason in built.failures.items():
        print(f"no displaced structures of {name}: {reason}")
