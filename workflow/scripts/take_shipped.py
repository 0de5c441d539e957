"""The organic minima that come with the package, as if they had been made here: entries and chunks."""

from pathlib import Path

from morered import resumable, storage
from morered.datasets.organic import choice, shipped
from morered.study.script import logged

with logged(snakemake):
    file, out = snakemake.input[0], snakemake.output
    about = shipped.require(snakemake.params.settings, file)
    made_by = storage.provenance(shipped.chunks, config=about, parents=[file])
    places = {int(Path(part).stem): part for part in out.parts}
    for index, built in shipped.chunks(file):
        resumable.save(places[index], built, made_by)
    choice.write(out.entries, shipped.entries(file))
