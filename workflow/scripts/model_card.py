"""The weights under the name that they ship with, and their card."""

from pathlib import Path
from shutil import copyfile

from morered.figures import model_card
from morered.files import atomic_path
from morered.study.script import logged

with logged(snakemake):
    files, out = snakemake.input, snakemake.output
    with atomic_path(out.weights) as path:
        copyfile(files.weights, path)
    text = model_card.card(out.weights, snakemake.wildcards.ships, Path(files.endings), snakemake.params.document)
    with atomic_path(out.card) as path:
        Path(path).write_text(text, encoding="utf-8")
