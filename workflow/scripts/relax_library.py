"""One chunk of a library, relaxed; a job that was killed goes on where it was."""

import json
from pathlib import Path

from morered.library.run import relax_chunk
from morered.study.script import logged

with logged(snakemake):
    settings, out = snakemake.params.settings, snakemake.output
    summary = relax_chunk(
        snakemake.input.library,
        out.molecules,
        out.table,
        chunk=(int(snakemake.wildcards.chunk), settings["chunks"]),
        count=json.loads(Path(snakemake.input.counted).read_text(encoding="utf-8"))["molecules"],
        method=settings["method"],
        finish=settings["finish"],
        seed=settings["seed"],
        workers=snakemake.threads,
    )
    print(summary.done.verdicts)
