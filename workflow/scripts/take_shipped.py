"""The organic minima that come with the package, as if they had been made here: entries and chunks."""

from pathlib import Path

from morered import resumable, storage
from morered.datasets.organic import choice, shipped
from morered.study.script import logged

with logged(snakemake):
    settings, file, out = snakemake.params.settings, snakemake.input[0], snakemake.output
    about = shipped.about(file)
    if settings["entries"] is not None or settings["chunks"] != about["chunks"]:
        raise ValueError(f"the minima that ship are of all entries in {about['chunks']} chunks: set chunks, leave entries out")
    made_by = storage.provenance(shipped.chunks, config=about, parents=[file])
    places = {int(Path(part).stem): part for part in out.parts}
    for index, built in shipped.chunks(file):
        resumable.save(places[index], built, made_by)
    choice.write(out.entries, shipped.entries(file))
