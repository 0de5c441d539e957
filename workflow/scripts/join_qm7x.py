"""Put the files of QM7-X together, without the duplicates; choose its minima and split them by graph."""

from morered.datasets import qm7x, sources
from morered.datasets.integrity import verify
from morered.study.script import logged

with logged(snakemake):
    files, out = snakemake.input, snakemake.output
    verify(files.duplicates, sources.of_file("qm7x", "DupMols.dat", snakemake.params.table).file)
    published = snakemake.params.table is None and len(files.parts) == len(qm7x.FILES)
    report = qm7x.join(files.parts, out.structures, duplicates=files.duplicates, complete=published)
    print(*report.problems, f"{report.structures} structures, {report.minima} minima", sep="\n")
    qm7x.split_minima(out.structures, out.minima, out.split, **snakemake.params.split)
