"""How many molecules a library has: what its chunks are cut by."""

import json

from morered.files import atomic_path
from morered.items import items
from morered.study.script import logged

with logged(snakemake):
    count = sum(1 for _ in items([snakemake.input[0]]))
    with atomic_path(snakemake.output[0]) as path:
        path.write_text(json.dumps({"molecules": count}) + "\n", encoding="utf-8")
