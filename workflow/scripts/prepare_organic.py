"""All chunks' minima in one file, duplicates removed, and the parts they belong to."""

from morered.datasets.organic import joined
from morered.study.script import logged

with logged(snakemake):
    out = snakemake.output
    removed, failures = joined.prepare(list(snakemake.input), out.minima, out.split)
    for name, reason in failures.items():
        print(f"no minimum of {name}: {reason}")
    print(f"{removed} duplicates removed")
