"""All chunks of a library in one SDF and one table, their counts, and the page that shows coverage and the worst molecules."""

from morered.library import report
from morered.study.script import logged

with logged(snakemake):
    settings, out = snakemake.params.settings, snakemake.output
    report.gather(list(zip(snakemake.input.molecules, snakemake.input.tables, strict=True)), out.molecules, out.table)
    report.write_summary(out.summary, snakemake.input.library, out.table, settings)
    report.write_report(
        out.page,
        snakemake.input.library,
        out.molecules,
        out.table,
        title=f"Library {snakemake.wildcards.library}",
        method=", then ".join(filter(None, (settings["method"], settings["finish"]))),
        seed=settings["seed"],
    )
