"""Turn one HDF5 file of QM7-X into structures."""

from morered.datasets import qm7x, sources
from morered.study.script import logged

with logged(snakemake):
    expected = sources.of_file(**snakemake.params.source).unpacked
    report = qm7x.parse_file(snakemake.input[0], snakemake.output[0], expected=expected, float32=True, progress=True)
    print(*report.problems, f"{report.structures} structures, {report.minima} minima", sep="\n")
