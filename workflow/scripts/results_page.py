"""The study's results as one Markdown page with its figures beside it."""

from pathlib import Path

from morered.figures import results_page
from morered.figures.results_page import Shown
from morered.study.script import logged

with logged(snakemake):
    files, params = snakemake.input, snakemake.params
    pictures = {Path(path).stem: Path(path) for path in files.pictures}
    shown = [Shown(Path(path).stem, pictures.get(Path(path).stem), Path(path)) for path in files.numbers]
    remarks = "\n\n".join(Path(path).read_text(encoding="utf-8") for path in files.remarks)
    text = results_page.page(
        study=params.study,
        note=params.note,
        commands=params.commands,
        comparison=Path(files.comparison),
        shown=shown,
        remarks=remarks,
        captions=params.captions,
    )
    comparison = Shown("comparison", None, Path(files.comparison))
    results_page.write(snakemake.output[0], text, [*shown, comparison], data=f"data/{params.study}")
