"""docs/organic.md with the results of this run in it, their figures and numbers beside it."""

from pathlib import Path

from morered.figures import results_page
from morered.figures.results_page import Shown
from morered.study.script import logged

with logged(snakemake):
    files = snakemake.input
    pictures = {Path(path).stem: Path(path) for path in files.pictures}
    shown = [Shown(Path(path).stem, pictures.get(Path(path).stem), Path(path)) for path in files.numbers]
    results = "\n\n".join(results_page.sections(shown, "figures/organic", snakemake.params.captions))
    text = results_page.filled(Path(files.document).read_text(encoding="utf-8"), results)
    results_page.write(snakemake.output[0], text, shown, data="data/organic", pictures="figures/organic")
