"""Draw one figure or table, whichever it is."""

from importlib import import_module
from pathlib import Path

from morered.figures.declaration import Order
from morered.study.script import logged

with logged(snakemake):
    params, out = snakemake.params, dict(snakemake.output.items())
    stem, page = Path(snakemake.output[0]).with_suffix(""), out.get("html", "")
    order = Order(dict(snakemake.input.items()), params.plan, params.runs, params.settings, stem, page)
    import_module(params.module).draw(order)
