"""Seconds for one step of each method that runs on networks, alone and in a batch."""

from morered import devices, storage
from morered.metrics.tables import write_table
from morered.relaxation import timing
from morered.study.script import logged

with logged(snakemake):
    plan = snakemake.params.plan
    weights = dict(zip(plan["models"], snakemake.input.weights, strict=True))
    methods = {
        name: {**settings, **{role: weights[model] for role, model in plan["roles"][name].items()}}
        for name, settings in plan["methods"].items()
    }
    inputs = storage.read(snakemake.input.structures)
    write_table(timing.measure(methods, inputs, device=devices.choose()), snakemake.output[0])
